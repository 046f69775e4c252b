//! Constructors, destructors, locks and event handlers, on machines whose memory is
//! written here word by word: every architecture, and memory that makes no sense.

#![cfg(feature = "image")]

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
use vnetkvm::value::model::ErrorKind;
use vnetkvm::views::construction::{Construction, Direction, Phase, Progress};
use vnetkvm::views::eventhandlers::VnetHandlers;
use vnetkvm::views::locks::Locks;
use vnetkvm::views::recursions::Recursions;
use vnetkvm::vnet::locks::{Holder, LockKind};
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
    let construction = Construction::of(session.target(), &sysinits, vnet);
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

#[test]
fn both_lists_stand_in_the_order_in_which_they_run() {
    for kernel in KERNELS {
        let session = Scene::with_lists(kernel).open();
        let sysinits = Sysinits::read(session.target(), &session.unloaded()).unwrap();
        assert_eq!(
            functions(&sysinits.constructors),
            CONSTRUCTORS.map(|entry| entry.2),
            "{kernel}"
        );
        let mut backwards = DESTRUCTORS.map(|entry| entry.2);
        backwards.reverse();
        assert_eq!(functions(&sysinits.destructors), backwards, "{kernel}");
        let label = |n: usize| {
            let sysinit = &sysinits.constructors[n];
            let (subsystem, order) =
                (sysinit.subsystem.clone().unwrap(), sysinit.order.clone().unwrap());
            (subsystem.label.to_string(), order.label.to_string(), order.value)
        };
        assert_eq!(label(1), ("SI_SUB_PROTO_PFIL".into(), "SI_ORDER_FIRST".into(), 0));
        assert_eq!(label(4), ("SI_SUB_VNET_DONE".into(), "SI_ORDER_ANY-1".into(), 0xfff_fffe));
        assert!(sysinits.iter().all(|sysinit| sysinit.module.as_deref() == Some("kernel")));
        assert!(sysinits.problems.is_empty(), "{kernel}: {:?}", sysinits.problems);
    }
}

#[test]
fn the_stack_of_a_sleeping_thread_names_the_constructor() {
    for kernel in KERNELS {
        let mut scene = Scene::with_lists(kernel);
        let vnet = scene.unlisted(0x840_0000, false);
        let thread = scene.thread(100_700, vnet);
        scene.calls(thread, None, &["panic", "vnet_loif_init", "vnet_alloc", "mi_startup"]);
        let (sysinits, building) = construction(&scene.open(), vnet);
        assert_eq!(building.phase, Phase::Building, "{kernel}: {building:?}");
        assert_eq!(building.thread.as_ref().unwrap().tid, Some(100_700));
        assert!(building.function.is_some(), "{kernel}: {building:?}");
        // Both are of one subsystem: the stack alone tells that the first one is over.
        assert_eq!(
            with(&sysinits, &building, Progress::Done),
            ["vnet_if_init", "vnet_pfil_init", "vnet_route_init"]
        );
        assert_eq!(with(&sysinits, &building, Progress::Running), ["vnet_loif_init"]);
        assert_eq!(with(&sysinits, &building, Progress::ToCome), ["tcp_vnet_init"]);
    }
}

#[test]
fn the_stack_of_the_thread_that_panicked_names_the_destructor() {
    for kernel in KERNELS {
        let mut scene = Scene::with_lists(kernel);
        let vnet = scene.unlisted(0x300_0000, true);
        let thread = scene.thread(100_701, vnet);
        scene.loaded().set_symbol("dumptid", 100_701).unwrap();
        let dumppcb = scene.loaded().variable("dumppcb").unwrap();
        scene.calls(
            thread,
            Some(dumppcb),
            &["panic", "vnet_loif_uninit", "vnet_destroy", "mi_startup"],
        );
        let (sysinits, dying) = construction(&scene.open(), vnet);
        assert_eq!(dying.phase, Phase::TearingDown, "{kernel}: {dying:?}");
        assert_eq!(
            with(&sysinits, &dying, Progress::Done),
            ["vnet_pfil_uninit", "vnet_route_uninit"]
        );
        assert_eq!(with(&sysinits, &dying, Progress::Running), ["vnet_loif_uninit"]);
    }
}

#[test]
fn a_running_thread_has_its_registers_in_its_processor() {
    for kernel in ["classic-clang-dwarf2", "newer-clang-dwarf4", "i386"] {
        let mut scene = Scene::with_lists(kernel);
        let vnet = scene.unlisted(0x810_0000, false);
        let thread = scene.thread(100_702, vnet);
        scene.loaded().set(thread, "td_oncpu", 1).unwrap();
        let all = scene.loaded().variable("stoppcbs").unwrap();
        let size = {
            let pcb = scene.loaded().malloc("pcb", "struct pcb").unwrap();
            scene.loaded().types().size_of(pcb.type_id).unwrap()
        };
        let pcb_type = scene.loaded().types().find("struct pcb").unwrap();
        let first = match scene.loaded().elements(all).unwrap() {
            Some(_) => all.address,
            None => {
                let first = scene.loaded().machine_mut().malloc("pcbs", 4 * size).unwrap();
                scene.loaded().store(all, first.get()).unwrap();
                first
            }
        };
        let pcb = Object::new(first.wrapping_add(size), pcb_type);
        scene.calls(thread, Some(pcb), &["vnet_pfil_init", "vnet_alloc"]);
        let (sysinits, building) = construction(&scene.open(), vnet);
        assert_eq!(with(&sysinits, &building, Progress::Running), ["vnet_pfil_init"], "{kernel}");
    }
}

#[test]
fn without_a_stack_it_is_one_of_several() {
    let mut scene = Scene::with_lists("newer-clang-dwarf4");
    let building = scene.unlisted(0x840_0000, false);
    let dying = scene.unlisted(0x300_0000, true);
    let unnamed = scene.unlisted(0x850_0000, false);
    let fresh = scene.unlisted(0, false);
    let session = scene.open();
    let (sysinits, found) = construction(&session, building);
    assert_eq!((found.phase, found.function), (Phase::Building, None));
    assert_eq!(with(&sysinits, &found, Progress::Possible), ["vnet_route_init", "vnet_loif_init"]);
    assert_eq!(with(&sysinits, &found, Progress::ToCome), ["tcp_vnet_init"]);
    let (_, found) = construction(&session, dying);
    assert_eq!(found.phase, Phase::TearingDown);
    assert_eq!(with(&sysinits, &found, Progress::Done), ["vnet_pfil_uninit"]);
    assert_eq!(
        with(&sysinits, &found, Progress::Possible),
        ["vnet_route_uninit", "vnet_loif_uninit"]
    );
    // Its functions have been unregistered since: the state still tells where it was.
    let (_, found) = construction(&session, unnamed);
    assert_eq!(with(&sysinits, &found, Progress::Done).len(), 4);
    assert_eq!(with(&sysinits, &found, Progress::ToCome), ["tcp_vnet_init"]);
    let (_, found) = construction(&session, fresh);
    assert_eq!(with(&sysinits, &found, Progress::ToCome).len(), 5);
}

#[test]
fn vnets_on_the_list_are_up() {
    let mut scene = Scene::with_lists("classic-clang-dwarf2");
    let vnet0 = scene.runtime.vnet0().unwrap().0;
    let other = scene.runtime.vnet_alloc().unwrap().0;
    let session = scene.open();
    for vnet in [vnet0, other] {
        let (sysinits, found) = construction(&session, vnet);
        assert_eq!(found.phase, Phase::Up);
        assert_eq!(found.courses[0].direction, Direction::Up);
        assert_eq!(with(&sysinits, &found, Progress::Done).len(), 5);
    }
}

#[test]
fn lists_that_make_no_sense_are_shown_as_far_as_they_go() {
    let mut scene = Scene::with_lists("classic-clang-dwarf2");
    let entries = scene.register("vnet_constructors", &CONSTRUCTORS);
    let entry = |loaded: &mut LoadedKernel, n: usize| {
        loaded.object(VirtAddr::new(entries[n]), "struct vnet_sysinit").unwrap()
    };
    let loaded = scene.loaded();
    let (second, fourth, last) = (entry(loaded, 1), entry(loaded, 3), entry(loaded, 4));
    loaded.set(second, "func", 0x1234_5678).unwrap();
    loaded.set(second, "subsystem", 0xfff_ffff).unwrap();
    loaded.set(last, "link.tqe_next", fourth.address.get()).unwrap();
    let destructors = scene.loaded().variable("vnet_destructors").unwrap();
    scene.loaded().set(destructors, "tqh_first", 0xffff_ffff_dead_0000).unwrap();
    let session = scene.open();
    let sysinits = Sysinits::read(session.target(), &session.unloaded()).unwrap();
    // The destructors are found from the other end of their list.
    assert_eq!((sysinits.constructors.len(), sysinits.destructors.len()), (5, 3));
    let second = &sysinits.constructors[1];
    let why = second.function.as_ref().unwrap_err();
    assert_eq!((why.kind, second.module.as_ref()), (ErrorKind::Stale, None));
    let problems = told(&sysinits.problems);
    for expected in ["has a cycle", "should come before", "vnet_destructors: the list breaks off"] {
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
}

#[test]
fn stacks_that_make_no_sense_name_nothing() {
    let mut scene = Scene::with_lists("classic-clang-dwarf2");
    let vnet = scene.unlisted(0x840_0000, false);
    // A frame that leads to itself, a stack that is not there, one of absurd size.
    let first = scene.thread(100_710, vnet);
    let pcb = scene.loaded().malloc("pcb", "struct pcb").unwrap();
    let at = pcb.address.get();
    scene.word(at, at);
    scene.word(at + 8, 0x10);
    let frame = scene.loaded();
    frame.set(pcb, "pcb_rbp", at).unwrap();
    frame.set(first, "td_pcb", at).unwrap();
    frame.set(first, "td_kstack", 0xdead_beef_0000_0000).unwrap();
    frame.set(first, "td_kstack_pages", 0x7fff_ffff).unwrap();
    let second = scene.thread(100_711, vnet);
    scene.loaded().set(second, "td_oncpu", 0x7fff_0000).unwrap();
    scene.loaded().set(second, "td_pcb", 0xffff_ffff_ffff_fff0).unwrap();
    let (sysinits, found) = construction(&scene.open(), vnet);
    assert_eq!((found.phase, found.function, found.thread.as_ref()), (Phase::Building, None, None));
    assert_eq!(with(&sysinits, &found, Progress::Possible).len(), 2);
}

impl Scene {
    /// Makes the word of a lock this.
    fn lock(&mut self, name: &str, word: u64) {
        let lock = self.loaded().variable(name).unwrap();
        let member = if self.loaded().has(lock, "rw_lock") { "rw_lock" } else { "sx_lock" };
        self.loaded().set(lock, member, word).unwrap();
    }

    /// The function of the constructor that lies outside of the kernel.
    fn constructor_of_a_module(&mut self) -> u64 {
        let head = self.loaded().variable("vnet_constructors").unwrap();
        let mut next = self.loaded().get(head, "tqh_first").unwrap();
        loop {
            let entry = VirtAddr::new(next);
            let entry = self.loaded().object(entry, "struct vnet_sysinit").unwrap();
            let function = self.loaded().get(entry, "func").unwrap();
            if self.loaded().kernel().symbolize(VirtAddr::new(function)).is_none() {
                return function;
            }
            next = self.loaded().get(entry, "link.tqe_next").unwrap();
        }
    }

    /// Adds an event with these handlers: function, argument and priority, called for
    /// each vnet or once. The address of the list, and of each entry.
    fn event(&mut self, name: &str, handlers: &[(&str, u64, u64, bool)]) -> (u64, Vec<u64>) {
        let iterator = self.address_of("vnet_global_eventhandler_iterator_func");
        let head = self.loaded().variable("eventhandler_lists").unwrap();
        let loaded = self.loaded();
        let list = loaded.malloc("eventhandler", "struct eventhandler_list").unwrap();
        let text = loaded.malloc_text("eventhandler", name).unwrap();
        loaded.set(list, "el_name", text.get()).unwrap();
        let first = loaded.get(head, "tqh_first").unwrap();
        loaded.set(list, "el_link.tqe_next", first).unwrap();
        loaded.set(head, "tqh_first", list.address.get()).unwrap();
        // The event that was added first stays the last.
        if first == 0 {
            let end = loaded.member(list, "el_link.tqe_next").unwrap().address;
            loaded.set(head, "tqh_last", end.get()).unwrap();
        }
        let mut place = loaded.member(list, "el_entries.tqh_first").unwrap();
        let mut entries = Vec::new();
        for (function, argument, priority, global) in handlers {
            let function = self.address_of(function);
            let loaded = self.loaded();
            let generic =
                loaded.malloc("eventhandler", "struct eventhandler_entry_generic").unwrap();
            let entry = loaded.member(generic, "ee").unwrap();
            loaded.set(entry, "ee_priority", *priority).unwrap();
            let (function, argument) = match global {
                false => (function, *argument),
                true => {
                    let real =
                        loaded.malloc("eventhandler", "struct eventhandler_entry_vimage").unwrap();
                    loaded.set(real, "func", function).unwrap();
                    loaded.set(real, "ee_arg", *argument).unwrap();
                    (iterator, real.address.get())
                }
            };
            loaded.set(generic, "func", function).unwrap();
            loaded.set(entry, "ee_arg", argument).unwrap();
            loaded.store(place, entry.address.get()).unwrap();
            place = loaded.member(entry, "ee_link.tqe_next").unwrap();
            entries.push(entry.address.get());
        }
        self.loaded().set(list, "el_entries.tqh_last", place.address.get()).unwrap();
        (list.address.get(), entries)
    }
}

#[test]
fn locks_are_read_in_the_encoding_of_the_release() {
    for kernel in KERNELS {
        let mut scene = Scene::new(kernel);
        let vnet0 = scene.runtime.vnet0().unwrap().0;
        let thread = scene.thread(100_720, vnet0).address.get();
        let release = scene.loaded().variable("osreldate").unwrap();
        let release = scene.loaded().load_uint(release).unwrap();
        assert!(release >= 1_200_000, "{kernel}");
        scene.lock("vnet_rwlock", thread | 4);
        scene.lock("vnet_sxlock", thread);
        scene.lock("vnet_sysinit_sxlock", 0x41);
        scene.lock("vnet_data_free_lock", 6);
        let locks = Locks::read(scene.open().target()).unwrap().locks;
        let names: Vec<&str> = locks.iter().map(|view| view.lock.name).collect();
        assert_eq!(
            names,
            ["vnet_rwlock", "vnet_sxlock", "vnet_sysinit_sxlock", "vnet_data_free_lock"]
        );
        let states: Vec<_> = locks.iter().map(|view| view.lock.state.clone().unwrap()).collect();
        let held = Holder::Exclusive { thread: VirtAddr::new(thread) };
        assert_eq!((states[0].kind, states[0].holder), (LockKind::Rwlock, held), "{kernel}");
        assert_eq!((states[1].kind, states[1].holder), (LockKind::Sx, held), "{kernel}");
        assert!(states[0].exclusive_waiters && !states[0].shared_waiters);
        assert_eq!(states[2].holder, Holder::Shared { readers: 2 });
        assert_eq!(states[3].holder, Holder::Destroyed);
        assert_eq!(locks[0].owner.as_ref().unwrap().tid, Some(100_720));
        assert_eq!(&*locks[1].meaning, "the list of vnets may be inconsistent");
    }
}

#[test]
fn the_old_encoding_has_one_flag_less() {
    let mut scene = Scene::new("classic-clang-dwarf2");
    scene.loaded().set_symbol("osreldate", 1_004_000).unwrap();
    scene.lock("vnet_sxlock", 0x31);
    scene.lock("vnet_rwlock", 0xffff_f800_0000_0010);
    let locks = Locks::read(scene.open().target()).unwrap().locks;
    assert_eq!(locks[1].lock.state.as_ref().unwrap().holder, Holder::Shared { readers: 3 });
    // A writer that no list of threads has, and that has not got the other lock.
    let thread = VirtAddr::new(0xffff_f800_0000_0010);
    assert_eq!(locks[0].lock.state.as_ref().unwrap().holder, Holder::Exclusive { thread });
    assert_eq!(locks[0].owner, None);
    assert_eq!(
        &*locks[0].meaning,
        "the list of vnets is consistent; changing it also requires the other lock"
    );
}

#[test]
fn handlers_for_each_vnet_are_told_from_others() {
    for kernel in KERNELS {
        let mut scene = Scene::new(kernel);
        scene.event(
            "vm_lowmem",
            &[
                ("panic", 1, 0, false),
                ("tcp_init", 5, 10_000, true),
                ("tcp_input", 0, 20_000, true),
            ],
        );
        scene.event("maxsockets_change", &[("tcp_init", 0, 0xffff_ffff, true)]);
        scene.event("watchdog_list", &[("panic", 0, 0, false)]);
        let session = scene.open();
        let all = VnetHandlers::read(session.target(), &session.unloaded()).unwrap();
        assert!(all.problems.is_empty(), "{kernel}: {:?}", all.problems);
        assert_eq!(all.registered, 5);
        let told: Vec<_> = all
            .handlers
            .iter()
            .map(|handler| {
                let function =
                    handler.function.as_ref().unwrap().symbol().unwrap().name.to_string();
                let argument = handler.argument.as_ref().unwrap().address.get();
                (
                    handler.event.clone().unwrap().to_string(),
                    function,
                    argument,
                    handler.priority.clone().unwrap(),
                    handler.is_dead(),
                )
            })
            .collect();
        let row = |event: &str, function: &str, argument, priority, dead| {
            (event.to_owned(), function.to_owned(), argument, priority, dead)
        };
        assert_eq!(
            told,
            [
                row("maxsockets_change", "tcp_init", 0, -1, true),
                row("vm_lowmem", "tcp_init", 5, 10_000, false),
                row("vm_lowmem", "tcp_input", 0, 20_000, false),
            ],
            "{kernel}"
        );
    }
}

#[test]
fn handlers_that_make_no_sense_are_errors_in_their_places() {
    let mut scene = Scene::new("classic-clang-dwarf2");
    let (list, entries) =
        scene.event("vm_lowmem", &[("tcp_init", 0, 0, true), ("tcp_init", 0, 1, true)]);
    let loaded = scene.loaded();
    let entry = |loaded: &mut LoadedKernel, n: usize| {
        loaded.object(VirtAddr::new(entries[n]), "struct eventhandler_entry").unwrap()
    };
    // The first has lost the real handler, the second leads back to the first.
    let (first, second) = (entry(loaded, 0), entry(loaded, 1));
    loaded.set(first, "ee_arg", 0).unwrap();
    loaded.set(second, "ee_link.tqe_next", entries[0]).unwrap();
    let list = loaded.object(VirtAddr::new(list), "struct eventhandler_list").unwrap();
    loaded.set(list, "el_name", 0x10).unwrap();
    loaded.set(list, "el_link.tqe_next", list.address.get()).unwrap();
    let session = scene.open();
    let all = VnetHandlers::read(session.target(), &session.unloaded()).unwrap();
    assert_eq!(all.handlers.len(), 2);
    assert!(all.handlers[0].function.is_err() && all.handlers[1].function.is_ok());
    assert!(all.handlers.iter().all(|handler| handler.event.is_err()));
    let problems = told(&all.problems);
    assert!(problems.contains("eventhandler_lists: the list comes back to"), "{problems}");
    assert!(problems.contains("the handlers of the list at"), "{problems}");
}

#[test]
fn recursions_are_known_with_vnet_debug_alone() {
    assert!(
        Recursions::read(Scene::new("classic-clang-dwarf2").open().target()).unwrap().is_none()
    );
    let mut scene = Scene::new("small-vnet-debug-dwarf4");
    let vnet0 = scene.runtime.vnet0().unwrap().0.get();
    let head = scene.loaded().variable("vnet_recursions").unwrap();
    let loaded = scene.loaded();
    let entry = loaded.malloc("vnet", "struct vnet_recursion").unwrap();
    let text = loaded.malloc_text("text", "if_vmove").unwrap();
    loaded.set(entry, "where_fn", text.get()).unwrap();
    loaded.set(entry, "prev_fn", 0x20).unwrap();
    loaded.set(entry, "where_line", 1204).unwrap();
    loaded.set(entry, "new_vnet", vnet0).unwrap();
    loaded.set(entry, "vnr_le.sle_next", entry.address.get()).unwrap();
    loaded.set(head, "slh_first", entry.address.get()).unwrap();
    let recorded = Recursions::read(scene.open().target()).unwrap().unwrap();
    let [one] = &recorded.recursions[..] else { panic!("{recorded:?}") };
    assert_eq!(one.function.as_ref().unwrap().as_deref(), Some("if_vmove"));
    assert_eq!((one.line.clone(), one.old_vnet.clone()), (Ok(1204), Ok(None)));
    assert_eq!(one.new_vnet, Ok(Some(VirtAddr::new(vnet0))));
    assert!(one.previous.is_err());
    assert!(told(&recorded.problems).contains("has a cycle"));
}

/// A vnet is made while the constructor of a module hangs.
#[test]
fn functions_of_modules_are_named_by_the_modules_own_symbols() {
    for (kernel, directory) in
        [("classic-clang-dwarf2", "amd64"), ("i386", "i386"), ("arm64", "arm64")]
    {
        let mut scene = Scene::new(kernel);
        let file = format!("fixtures/kernel/modules/{directory}/if_gif.ko");
        scene.runtime.load_module(&ModuleFile::from_path(Path::new(&file)).unwrap()).unwrap();
        let vnet = scene.unlisted(0x700_0000, false);
        let thread = scene.thread(100_730, vnet);
        let function = scene.constructor_of_a_module();
        let (panic, alloc) = (scene.address_of("panic"), scene.inside("vnet_alloc"));
        scene.stack(thread, None, panic, &[panic, function + 1, alloc]);
        let (_, entries) = scene.event("vm_lowmem", &[("tcp_init", 0, 0, true)]);
        let loaded = scene.loaded();
        let entry = loaded.object(VirtAddr::new(entries[0]), "struct eventhandler_entry").unwrap();
        let real = VirtAddr::new(loaded.get(entry, "ee_arg").unwrap());
        let real = loaded.object(real, "struct eventhandler_entry_vimage").unwrap();
        loaded.set(real, "func", function).unwrap();
        let session = scene.open();
        let handlers = VnetHandlers::read(session.target(), &session.unloaded()).unwrap().handlers;
        let handler = handlers[0].function.as_ref().unwrap().symbol().unwrap();
        assert_eq!((&*handler.name, handler.offset), ("vnet_gif_init", 0));
        let (sysinits, found) = construction(&session, vnet);
        assert_eq!(with(&sysinits, &found, Progress::Running), ["vnet_gif_init"], "{kernel}");
        let running = found.function.unwrap();
        let gif = sysinits.iter().find(|sysinit| sysinit.address == running).unwrap();
        assert_eq!(gif.module.as_deref(), Some("if_gif.ko"));
    }
}

fn told(problems: &Problems) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}
