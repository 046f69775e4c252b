//! Constructors, destructors, locks and event handlers, on machines whose memory is
//! written here word by word: every architecture, and memory that makes no sense.

#![cfg(feature = "image")]

mod construction;
mod locks_and_handlers;

use std::io::Cursor;
use std::path::Path;

use vnetkvm::addr::VirtAddr;
use vnetkvm::arch::Arch;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{ModuleFile, ProcessOptions, Runtime};
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::lock_word::{Holder, LockKind};
use vnetkvm::value::model::ErrorKind;
use vnetkvm::views::construction::{Construction, Direction, Phase, Progress};
use vnetkvm::views::eventhandlers::VnetHandlers;
use vnetkvm::views::locks::Locks;
use vnetkvm::views::recursions::Recursions;
use vnetkvm::vnet::{Sysinits, VnetSysinit};
use vnetkvm::walk::Problems;

const KERNELS: [&str; 10] = [
    "classic-clang-dwarf2",
    "classic-gcc-dwarf5",
    "newer-clang-dwarf4",
    "arm64",
    "arm64-newer",
    "i386",
    "armv7",
    "riscv64",
    "powerpc64",
    "powerpc64le",
];

/// What is registered: subsystem, order, function. Every kernel has these functions.
const CONSTRUCTORS: [(u64, u64, &str); 5] = [
    (0x300_0000, 0, "vnet_if_init"),
    (0x810_0000, 0, "vnet_pfil_init"),
    (0x840_0000, 0xfff_ffff, "vnet_route_init"),
    (0x840_0000, 0xfff_ffff, "vnet_loif_init"),
    (0xdc0_0000, 0xfff_fffe, "tcp_vnet_init"),
];
const DESTRUCTORS: [(u64, u64, &str); 3] = [
    (0x300_0000, 1, "vnet_loif_uninit"),
    (0x300_0000, 0xfff_ffff, "vnet_route_uninit"),
    (0x810_0000, 3, "vnet_pfil_uninit"),
];

const OLD_MAGIC: u64 = 0x3e0d_8f29;
const NEW_MAGIC: u64 = 0x5e4a_6f28;

/// A machine to write into.
struct Scene {
    kernel: &'static str,
    runtime: Runtime,
}

impl Scene {
    fn new(kernel: &'static str) -> Self {
        let source = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
        let options = MachineOptions { memory: 32 << 20, ..MachineOptions::default() };
        let loaded = LoadedKernel::load(Kernel::open(source, None).unwrap(), options).unwrap();
        Self { kernel, runtime: Runtime::boot(loaded, &[0]).unwrap() }
    }

    /// The same with both lists.
    fn with_lists(kernel: &'static str) -> Self {
        let mut scene = Self::new(kernel);
        scene.register("vnet_constructors", &CONSTRUCTORS);
        scene.register("vnet_destructors", &DESTRUCTORS);
        scene
    }

    fn loaded(&mut self) -> &mut LoadedKernel {
        self.runtime.kernel_mut()
    }

    fn address_of(&mut self, name: &str) -> u64 {
        self.loaded().address_of(name).unwrap_or_else(|| panic!("no {name}")).get()
    }

    /// A return address in the function, which may be as short as its last instruction.
    fn inside(&mut self, function: &str) -> u64 {
        let size = self.loaded().kernel().symbol(function).unwrap().size;
        self.address_of(function) + size.min(4)
    }

    fn arch(&self) -> Arch {
        self.runtime.kernel().machine().arch()
    }

    fn word(&mut self, at: u64, value: u64) {
        self.loaded().machine_mut().set_pointer(VirtAddr::new(at), VirtAddr::new(value)).unwrap();
    }

    /// Makes the list hold these, whatever was on it before; their addresses.
    fn register(&mut self, list: &str, entries: &[(u64, u64, &str)]) -> Vec<u64> {
        let head = self.loaded().variable(list).unwrap();
        self.loaded().set(head, "tqh_first", 0).unwrap();
        let mut place = self.loaded().member(head, "tqh_first").unwrap();
        let mut addresses = Vec::new();
        for (subsystem, order, function) in entries {
            let function = self.address_of(function);
            let loaded = self.loaded();
            let entry = loaded.malloc("sysinit", "struct vnet_sysinit").unwrap();
            loaded.set(entry, "subsystem", *subsystem).unwrap();
            loaded.set(entry, "order", *order).unwrap();
            loaded.set(entry, "func", function).unwrap();
            loaded.set(entry, "link.tqe_prev", place.address.get()).unwrap();
            loaded.store(place, entry.address.get()).unwrap();
            place = loaded.member(entry, "link.tqe_next").unwrap();
            addresses.push(entry.address.get());
        }
        self.loaded().set(head, "tqh_last", place.address.get()).unwrap();
        addresses
    }

    /// A vnet on no list; one that was linked once still has its links.
    fn unlisted(&mut self, state: u64, was_linked: bool) -> VirtAddr {
        let vnet0 = self.runtime.vnet0().unwrap().0.get();
        let head = self.address_of("vnet_head");
        let start = self.address_of("__start_set_vnet");
        let loaded = self.loaded();
        let vnet = loaded.malloc("vnet", "struct vnet").unwrap();
        let block = loaded.machine_mut().malloc("vnet_data", 4096).unwrap().get();
        let newer = loaded.has(vnet, "vnet_shutdown");
        loaded.set(vnet, "vnet_magic_n", if newer { NEW_MAGIC } else { OLD_MAGIC }).unwrap();
        loaded.set(vnet, "vnet_state", state).unwrap();
        loaded.set(vnet, "vnet_data_mem", block).unwrap();
        loaded.set(vnet, "vnet_data_base", block.wrapping_sub(start)).unwrap();
        if was_linked {
            loaded.set(vnet, "vnet_le.le_next", vnet0).unwrap();
            loaded.set(vnet, "vnet_le.le_prev", head).unwrap();
        }
        vnet.address
    }

    /// A process whose thread works in `vnet`.
    fn thread(&mut self, tid: u64, vnet: VirtAddr) -> Object {
        let options = ProcessOptions { tid: Some(tid), ..ProcessOptions::new("jail") };
        let thread = self.runtime.create_process(&options).unwrap();
        self.loaded().set(thread, "td_vnet", vnet.get()).unwrap();
        thread
    }

    /// Gives the thread a stack with these calls, innermost first, and its registers in
    /// `pcb`, or in one of its own.
    fn calls(&mut self, thread: Object, pcb: Option<Object>, functions: &[&str]) -> VirtAddr {
        let inside: Vec<u64> = functions.iter().map(|name| self.inside(name)).collect();
        let counter = self.address_of(functions[0]);
        self.stack(thread, pcb, counter, &inside)
    }

    /// The same by addresses: the program counter, and where each call returns to.
    fn stack(
        &mut self,
        thread: Object,
        pcb: Option<Object>,
        counter_value: u64,
        inside: &[u64],
    ) -> VirtAddr {
        const PAGES: u64 = 2;
        let arch = self.arch();
        let word = arch.pointer_size();
        let page = self.runtime.kernel().machine().page_size();
        let loaded = self.loaded();
        let base = loaded.machine_mut().malloc("kstack", PAGES * page).unwrap();
        loaded.set(thread, "td_kstack", base.get()).unwrap();
        loaded.set(thread, "td_kstack_pages", PAGES).unwrap();
        let top = base.get() + PAGES * page - 0x200;
        let frames: Vec<u64> = (0..inside.len() as u64)
            .map(|depth| top - (inside.len() as u64 - depth) * 0x40)
            .collect();
        for index in 0..frames.len() {
            let frame = frames[index];
            let caller = frames.get(index + 1).copied().unwrap_or(0);
            let back = inside.get(index + 1).copied().unwrap_or(0);
            match arch {
                Arch::Riscv64 => {
                    self.word(frame - 16, caller);
                    self.word(frame - 8, back);
                }
                Arch::Powerpc64 | Arch::Powerpc64le => {
                    self.word(frame, caller);
                    if caller != 0 {
                        self.word(caller + 16, back);
                    }
                }
                _ => {
                    self.word(frame, caller);
                    self.word(frame + word, back);
                }
            }
        }
        let pcb = pcb.unwrap_or_else(|| {
            let pcb = self.loaded().malloc("pcb", "struct pcb").unwrap();
            self.loaded().set(thread, "td_pcb", pcb.address.get()).unwrap();
            pcb
        });
        let (counter, stack, frame) = match arch {
            Arch::Amd64 => ("pcb_rip", "pcb_rsp", "pcb_rbp"),
            Arch::I386 => ("pcb_eip", "pcb_esp", "pcb_ebp"),
            Arch::Arm64 if self.kernel == "arm64" => ("pcb_x[30]", "pcb_sp", "pcb_x[29]"),
            Arch::Arm64 => ("pcb_x[11]", "pcb_sp", "pcb_x[10]"),
            Arch::Arm => ("pcb_regs.sf_pc", "pcb_regs.sf_sp", "pcb_regs.sf_r11"),
            Arch::Riscv64 => ("pcb_ra", "pcb_sp", "pcb_s[0]"),
            Arch::Powerpc64 | Arch::Powerpc64le => ("pcb_lr", "pcb_sp", "pcb_sp"),
        };
        let loaded = self.loaded();
        loaded.set(pcb, counter, counter_value).unwrap();
        loaded.set(pcb, frame, frames[0]).unwrap();
        let pointer = if stack == frame { frames[0] } else { frames[0] - 2 * word };
        loaded.set(pcb, stack, pointer).unwrap();
        base
    }

    fn open(self) -> Session {
        let image = Image::of(self.runtime).unwrap();
        let mut core = Cursor::new(Vec::new());
        image.write(Format::MinidumpV2, &mut core).unwrap();
        let kernel = Source::open(format!("fixtures/kernel/{}", self.kernel)).unwrap();
        Session::from_sources(kernel, Source::from_vec("vmcore", core.into_inner())).unwrap()
    }
}

fn construction(session: &Session, vnet: VirtAddr) -> (Sysinits, Construction) {
    let sysinits = Sysinits::read(session.target(), &session.unloaded()).unwrap();
    let vnet = session.select(&Selector::Address(vnet)).unwrap().stacks[0].vnet().unwrap();
    let construction = Construction::of(&session.workers(), &sysinits, vnet);
    (sysinits, construction)
}

fn functions(list: &[VnetSysinit]) -> Vec<String> {
    let name = |sysinit: &VnetSysinit| {
        sysinit.function.as_ref().unwrap().symbol().unwrap().name.to_string()
    };
    list.iter().map(name).collect()
}

/// What of the list is in this progress.
fn with(sysinits: &Sysinits, construction: &Construction, wanted: Progress) -> Vec<String> {
    let [course] = &construction.courses[..] else { panic!("{construction:?}") };
    let names = functions(course.direction.of(sysinits)).into_iter().zip(&course.progress);
    names.filter(|(_, progress)| **progress == wanted).map(|(name, _)| name).collect()
}

fn told(problems: &Problems) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}
