//! The function that a thread is in, by its processor's registers, by trap frames and at
//! the very entry of a function; and what words that earlier calls left behind are worth.

#![cfg(feature = "cli")]

use std::io::Cursor;
use std::process::Command;

use vnetkvm::addr::VirtAddr;
use vnetkvm::arch::Arch;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::{MachineOptions, Processor};
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{HalfWay, ProcessOptions, Runtime, Stop, Sysinit, SysinitKind};
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::views::construction::{Construction, Phase, Progress};
use vnetkvm::vnet::Sysinits;

const KERNELS: [&str; 10] = [
    "classic-clang-dwarf4",
    "newer-clang-dwarf4",
    "i386",
    "i386-newer",
    "arm64",
    "arm64-newer",
    "riscv64",
    "powerpc64",
    "powerpc64le",
    "armv7",
];

const TID: u64 = 100_700;
/// A function of every kernel, whose name is long enough to become another.
const RENAMED: &str = "vnet_global_eventhandler_iterator_func";
const PAGES: u64 = 4;

/// A network stack that a thread is building, and that thread.
struct Scene {
    kernel: &'static str,
    runtime: Runtime,
    half: HalfWay,
    thread: Object,
    stack: u64,
    /// What [`RENAMED`] is called in the kernel that is opened.
    entry: &'static str,
}

impl Scene {
    /// Building has come to the second constructor of a subsystem that has several.
    fn new(kernel: &'static str) -> Self {
        let source = Source::open(path(kernel)).unwrap();
        let options = MachineOptions { memory: 64 << 20, ..MachineOptions::default() };
        let loaded = LoadedKernel::load(Kernel::open(source, None).unwrap(), options).unwrap();
        let mut runtime = Runtime::boot(loaded, &[0, 1]).unwrap();
        let all = runtime.sysinits(SysinitKind::Constructor).unwrap();
        let pair = all.windows(2).find(|pair| pair[0].subsystem == pair[1].subsystem);
        let stop = name(&runtime, pair.expect("two of a subsystem")[1].function.get());
        let half = runtime.vnet_alloc_until(&Stop::Function(stop)).unwrap();
        let options = ProcessOptions { tid: Some(TID), ..ProcessOptions::new("jail") };
        let thread = runtime.create_process(&options).unwrap();
        let page = runtime.kernel().machine().page_size();
        let loaded = runtime.kernel_mut();
        loaded.set(thread, "td_vnet", half.vnet.0.get()).unwrap();
        let stack = loaded.machine_mut().malloc("kstack", PAGES * page).unwrap().get();
        loaded.set(thread, "td_kstack", stack).unwrap();
        loaded.set(thread, "td_kstack_pages", PAGES).unwrap();
        Self { kernel, runtime, half, thread, stack, entry: RENAMED }
    }

    fn arch(&self) -> Arch {
        self.runtime.kernel().machine().arch()
    }

    fn word_size(&self) -> u64 {
        self.arch().pointer_size()
    }

    /// A place in the middle of the stack.
    fn place(&self, offset: u64) -> u64 {
        self.stack + 0x1000 + offset
    }

    fn word(&mut self, at: u64, value: u64) {
        let machine = self.runtime.kernel_mut().machine_mut();
        machine.set_pointer(VirtAddr::new(at), VirtAddr::new(value)).unwrap();
    }

    fn set(&mut self, object: Object, member: &str, value: u64) {
        self.runtime.kernel_mut().set(object, member, value).unwrap();
    }

    fn address_of(&self, name: &str) -> u64 {
        self.runtime.kernel().address_of(name).unwrap_or_else(|| panic!("no {name}")).get()
    }

    /// A return address in a function.
    fn inside(&self, name: &str) -> u64 {
        self.address_of(name) + 4
    }

    /// A frame: the caller's frame and where the function returns to.
    fn frame(&mut self, frame: u64, caller: u64, back: u64) {
        let word = self.word_size();
        match self.arch() {
            Arch::Riscv64 => {
                self.word(frame - 16, caller);
                self.word(frame - 8, back);
            }
            Arch::Powerpc64 | Arch::Powerpc64le => {
                self.word(frame, caller);
                self.word(caller + 16, back);
            }
            _ => {
                self.word(frame, caller);
                self.word(frame + word, back);
            }
        }
    }

    /// vnet_alloc has a frame at this place, and its caller none.
    fn frame_of_vnet_alloc(&mut self, offset: u64) -> u64 {
        let (frame, back) = (self.place(offset), self.inside("mi_startup"));
        self.frame(frame, self.place(offset + 0x80), back);
        frame
    }

    /// The thread runs on this processor.
    fn runs_on(&mut self, cpu: u64) {
        self.set(self.thread, "td_oncpu", cpu);
    }

    /// Puts a call in front of the address `offset` bytes into the function.
    fn call_before(&mut self, function: u64, offset: u64) -> u64 {
        let at = VirtAddr::new(function + offset - 5);
        self.runtime.kernel_mut().machine_mut().write(at, &[0xe8, 0, 0, 0, 0]).unwrap();
        function + offset
    }

    fn constructors(&self) -> Vec<Sysinit> {
        self.runtime.sysinits(SysinitKind::Constructor).unwrap()
    }

    /// Another constructor of the subsystem, which has run before.
    fn earlier(&self) -> Sysinit {
        let of = |entry: &&Sysinit| entry.subsystem == self.half.within.subsystem;
        *self.constructors().iter().find(of).unwrap()
    }

    fn open(self, format: Format) -> (Session, VirtAddr) {
        let vnet = self.half.vnet.0;
        let image = Image::of(self.runtime).unwrap();
        let mut core = Cursor::new(Vec::new());
        image.write(format, &mut core).unwrap();
        let mut kernel = std::fs::read(path(self.kernel)).unwrap();
        rename(&mut kernel, self.entry);
        let kernel = Source::from_vec("kernel", kernel);
        let core = Source::from_vec("vmcore", core.into_inner());
        (Session::from_sources(kernel, core).unwrap(), vnet)
    }

    fn construction(self, format: Format) -> (Sysinits, Construction) {
        let (session, vnet) = self.open(format);
        let sysinits = Sysinits::read(session.target(), &session.unloaded()).unwrap();
        let vnet = session.select(&Selector::Address(vnet)).unwrap().stacks[0].vnet().unwrap();
        let construction = Construction::of(&session.workers(), &sysinits, vnet);
        (sysinits, construction)
    }

    /// That the thread is seen to be in the constructor at which it stopped.
    fn runs(self, format: Format) {
        let (kernel, within) = (self.kernel, self.half.within.address);
        let (sysinits, found) = self.construction(format);
        assert_eq!((found.phase, found.function), (Phase::Building, Some(within)), "{kernel}");
        assert_eq!(found.possible, [], "{kernel}");
        let progress = found.courses[0].progress.iter().zip(&sysinits.constructors);
        for (progress, sysinit) in progress {
            let running = sysinit.address == within;
            assert_eq!(*progress == Progress::Running, running, "{kernel}: {sysinit:?}");
        }
    }
}

fn path(kernel: &str) -> String {
    format!("{}/fixtures/kernel/{kernel}", env!("CARGO_MANIFEST_DIR"))
}

fn name(runtime: &Runtime, function: u64) -> String {
    runtime.kernel().symbol_at(VirtAddr::new(function)).unwrap().0.name.to_owned()
}

fn rename(kernel: &mut [u8], name: &str) {
    let whole = format!("\0{RENAMED}\0");
    let mut new = format!("\0{name}").into_bytes();
    new.resize(whole.len(), 0);
    let places: Vec<usize> = memchr::memmem::find_iter(kernel, &whole).collect();
    assert!(!places.is_empty());
    for place in places {
        kernel[place..place + new.len()].copy_from_slice(&new);
    }
}

/// A breakpoint at the first instruction of a constructor, and an image by the hypervisor.
#[test]
fn a_function_that_has_only_just_been_called_is_seen_in_the_processors_registers() {
    for kernel in KERNELS {
        let mut scene = Scene::new(kernel);
        scene.runs_on(1);
        let counter = scene.half.within.function;
        let back = scene.inside("vnet_alloc");
        let frame = scene.frame_of_vnet_alloc(0x100);
        let stack = scene.place(0xa0);
        if matches!(scene.arch(), Arch::Amd64 | Arch::I386) {
            scene.word(stack, back);
        }
        // An earlier constructor has left its return address.
        let stale = scene.earlier().function.get() + 4;
        scene.word(scene.place(0xc0), stale);
        let [stack, frame, link] = [stack, frame, back].map(VirtAddr::new);
        let powerpc = matches!(scene.arch(), Arch::Powerpc64 | Arch::Powerpc64le);
        let stack = if powerpc { frame } else { stack };
        let processor = Processor { counter, stack, frame, link, ..Processor::default() };
        scene.runtime.kernel_mut().machine_mut().set_processor(1, processor);
        scene.runs(Format::Qemu);
    }
}

/// The hypervisor numbers its processors in another order than the kernel.
#[test]
fn the_processor_of_a_thread_is_told_by_its_stack_pointer() {
    let mut scene = Scene::new("classic-clang-dwarf4");
    scene.runs_on(1);
    let counter = scene.half.within.function;
    let frame = scene.frame_of_vnet_alloc(0x100);
    let (stack, back) = (scene.place(0xa0), scene.inside("vnet_alloc"));
    scene.word(stack, back);
    let [stack, frame] = [stack, frame].map(VirtAddr::new);
    let elsewhere = Processor { counter: VirtAddr::new(back), ..Processor::default() };
    let machine = scene.runtime.kernel_mut().machine_mut();
    machine.set_processor(1, elsewhere);
    machine.set_processor(0, Processor { counter, stack, frame, ..Processor::default() });
    scene.runs(Format::Qemu);
}

/// The registers that a trap saved, wherever an architecture puts them.
struct Trap {
    counter: u64,
    stack: u64,
    frame: u64,
    link: u64,
}

impl Scene {
    /// Makes the dumping thread dump from within a trap.
    fn dumps_in_a_trap(&mut self, trap: &Trap) {
        let word = self.word_size();
        self.entry = match self.arch() {
            Arch::Arm64 => "handle_el1h_sync",
            Arch::Riscv64 => "cpu_exception_handler_supervisor",
            _ => "calltrap",
        };
        let type_id = self.runtime.kernel().types().find("struct trapframe").unwrap();
        let size = self.runtime.kernel().types().size_of(type_id).unwrap();
        // panic's frame, and that of the function that the entry point called.
        let (panicked, called) = (self.stack + 0x400, self.stack + 0x500);
        let (at, caller) = match self.arch() {
            Arch::Arm64 => (called + 0x40, called + 0x40 + size),
            Arch::Riscv64 => (called, called + 0x400),
            _ => (called + 2 * word, trap.frame),
        };
        let (panic, entry) = (self.inside("panic"), self.inside(RENAMED));
        self.frame(panicked, called, panic);
        self.frame(called, caller, entry);
        let frame = Object::new(VirtAddr::new(at), type_id);
        let members: &[(&str, u64)] = match self.arch() {
            Arch::Amd64 => {
                &[("tf_rip", trap.counter), ("tf_rsp", trap.stack), ("tf_rbp", trap.frame)]
            }
            Arch::I386 => &[("tf_eip", trap.counter), ("tf_ebp", trap.frame)],
            Arch::Arm64 => &[
                ("tf_elr", trap.counter),
                ("tf_sp", trap.stack),
                ("tf_x[29]", trap.frame),
                ("tf_lr", trap.link),
            ],
            _ => &[
                ("tf_sepc", trap.counter),
                ("tf_sp", trap.stack),
                ("tf_s[0]", trap.frame),
                ("tf_ra", trap.link),
            ],
        };
        for (member, value) in members {
            self.set(frame, member, *value);
        }
        if self.arch() == Arch::I386 {
            // The stack goes on where a trap from user space has its stack pointer.
            let place = self.runtime.kernel().member(frame, "tf_esp").unwrap().address.get();
            self.word(place, trap.link);
        }
        self.runtime.kernel_mut().set_symbol("dumptid", TID).unwrap();
        let pcb = self.runtime.kernel().variable("dumppcb").unwrap();
        let (counter, stack, frame) = match (self.arch(), self.kernel) {
            (Arch::Amd64, _) => ("pcb_rip", "pcb_rsp", "pcb_rbp"),
            (Arch::I386, _) => ("pcb_eip", "pcb_esp", "pcb_ebp"),
            (Arch::Arm64, "arm64") => ("pcb_x[30]", "pcb_sp", "pcb_x[29]"),
            (Arch::Arm64, _) => ("pcb_x[11]", "pcb_sp", "pcb_x[10]"),
            _ => ("pcb_ra", "pcb_sp", "pcb_s[0]"),
        };
        let counter_value = self.inside("panic");
        self.set(pcb, counter, counter_value);
        self.set(pcb, stack, panicked - 2 * word);
        self.set(pcb, frame, panicked);
    }

    /// A trap `offset` bytes into the constructor; its frame is there, or is not yet.
    fn trap(&mut self, offset: u64, has_frame: bool) -> Trap {
        let link = self.inside("vnet_alloc");
        let outer = self.frame_of_vnet_alloc(0x400);
        let frame = match has_frame {
            true => {
                let frame = self.place(0x300);
                self.frame(frame, outer, link);
                frame
            }
            false => outer,
        };
        let stack = self.place(0x280);
        if self.arch() == Arch::Amd64 && !has_frame {
            self.word(stack, link);
        }
        Trap { counter: self.half.within.function.get() + offset, stack, frame, link }
    }
}

const WITH_TRAPS: [&str; 7] = [
    "classic-clang-dwarf4",
    "newer-clang-dwarf4",
    "i386",
    "i386-newer",
    "arm64",
    "arm64-newer",
    "riscv64",
];

#[test]
fn the_chain_of_frames_goes_on_behind_a_trap() {
    // The other architectures' constructors have but one instruction in these kernels.
    for kernel in &WITH_TRAPS[..4] {
        let mut scene = Scene::new(kernel);
        let trap = scene.trap(4, true);
        scene.dumps_in_a_trap(&trap);
        scene.runs(Format::MinidumpV2);
    }
}

#[test]
fn a_trap_at_the_entry_of_a_function_names_it() {
    for kernel in WITH_TRAPS {
        let mut scene = Scene::new(kernel);
        let trap = scene.trap(0, false);
        scene.dumps_in_a_trap(&trap);
        scene.runs(Format::MinidumpV2);
    }
}

/// The processor has run the byte of a breakpoint in the place of the first instruction.
#[test]
fn a_breakpoint_at_the_entry_names_the_function() {
    let mut scene = Scene::new("classic-clang-dwarf4");
    let mut trap = scene.trap(1, false);
    let alloc = scene.address_of("vnet_alloc");
    trap.link = scene.call_before(alloc, 12);
    scene.word(trap.stack, trap.link);
    scene.dumps_in_a_trap(&trap);
    scene.runs(Format::MinidumpV2);
}

/// A trap frame that leads to itself, and one of a trap from user space.
#[test]
fn trap_frames_that_make_no_sense_end_the_chain() {
    for counter in [0x40_1000, 0] {
        let mut scene = Scene::new("classic-clang-dwarf4");
        let trap = Trap { counter, stack: 0, frame: scene.stack + 0x500, link: 0 };
        scene.dumps_in_a_trap(&trap);
        let (_, found) = scene.construction(Format::MinidumpV2);
        assert_eq!((found.function, found.possible), (None, vec![]));
    }
    let mut scene = Scene::new("classic-clang-dwarf4");
    let counter = scene.inside("panic");
    let trap = Trap { counter, stack: 0, frame: scene.stack + 0x500, link: 0 };
    scene.dumps_in_a_trap(&trap);
    let (_, found) = scene.construction(Format::MinidumpV2);
    assert_eq!((found.function, found.possible), (None, vec![]));
}

#[test]
fn a_word_behind_a_call_is_possible_and_any_other_is_nothing() {
    for behind_call in [true, false] {
        let mut scene = Scene::new("newer-clang-dwarf4");
        // It runs, and nobody kept its registers.
        scene.runs_on(1);
        let (alloc, stale) = (scene.address_of("vnet_alloc"), scene.earlier());
        let alloc = scene.call_before(alloc, 12);
        let word = match behind_call {
            true => scene.call_before(stale.function.get(), 5),
            false => stale.function.get() + 4,
        };
        scene.word(scene.place(0x100), alloc);
        scene.word(scene.place(0x80), word);
        let (kernel_list, state) = (scene.constructors(), stale.subsystem);
        let (sysinits, found) = scene.construction(Format::MinidumpV2);
        assert_eq!(found.function, None);
        let possible = if behind_call { vec![stale.address] } else { vec![] };
        assert_eq!(found.possible, possible);
        assert!(
            found.evidence.contains("may be in vnet_alloc, judging by a word"),
            "{}",
            found.evidence
        );
        assert_eq!(sysinits.constructors.len(), kernel_list.len());
        for (sysinit, progress) in sysinits.constructors.iter().zip(&found.courses[0].progress) {
            let expected = match sysinit.subsystem_value().unwrap() {
                subsystem if subsystem < state => Progress::Done,
                subsystem if subsystem > state => Progress::ToCome,
                _ => Progress::Possible,
            };
            assert_eq!(*progress, expected, "{sysinit:?}");
        }
    }
}

#[test]
fn sysinit_says_running_only_of_what_is_certain() {
    let directory = tempfile::tempdir().unwrap();
    for certain in [true, false] {
        let mut scene = Scene::new("classic-clang-dwarf4");
        scene.runs_on(0);
        let function = scene.half.within.function;
        let shown = name(&scene.runtime, function.get());
        let alloc = scene.address_of("vnet_alloc");
        let alloc = scene.call_before(alloc, 12);
        let frame = VirtAddr::new(scene.frame_of_vnet_alloc(0x100));
        let stack = VirtAddr::new(scene.place(0xa0));
        match certain {
            true => {
                scene.word(stack.get(), alloc);
                let processor =
                    Processor { counter: function, stack, frame, ..Processor::default() };
                scene.runtime.kernel_mut().machine_mut().set_processor(0, processor);
            }
            false => {
                let word = scene.call_before(function.get(), 5);
                scene.word(stack.get(), word);
                scene.word(frame.get(), alloc);
            }
        }
        let core = Image::of(scene.runtime).unwrap().save(Format::Qemu, directory.path()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .args(["-N", &path("classic-clang-dwarf4"), "-M", core.to_str().unwrap()])
            .args(["sysinit", "--tid", &TID.to_string()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = match certain {
            true => format!("running: {shown}\n"),
            false => format!("possible: {shown} (judging by words on its stack)\n"),
        };
        assert!(text.contains(&expected), "{expected}\n{text}");
        assert_eq!(text.contains("running"), certain, "{text}");
    }
}
