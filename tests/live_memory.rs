//! A machine that runs: only memory is read of its device, and lists that change meanwhile are read
//! again.

#![cfg(feature = "image")]

mod live_machine;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use live_machine::{Machine, NEWER, is_within_a_page, write};
use vnetkvm::addr::{FileOffset, PhysAddr, VirtAddr};
use vnetkvm::answers;
use vnetkvm::dump::{Format, MemorySegment};
use vnetkvm::error::{Error, FaultKind, Stage, TargetError};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::target::{KernelMatch, Target, live_core};
use vnetkvm::types::Types;
use vnetkvm::value::{Limits, Object, Value};
use vnetkvm::walk::Why;

const SCENARIO: &str = r#"
kernel = "newer"
memory = "64M"
[machine]
load_address = "20M"
[[step]]
do = "jail"
name = "web"
values = { ip_defttl = 42 }
[[step]]
do = "jail"
name = "db"
"#;

const MEGABYTE: u64 = 1 << 20;

fn machine() -> Machine {
    Machine::new(NEWER, SCENARIO)
}

fn why(session: Result<Session, Error>) -> String {
    match session.unwrap_err() {
        Error::Target(why) => why.to_string(),
        other => panic!("{other}"),
    }
}

fn ttl(session: &Session) -> Value {
    let vnet = session.select(&Selector::Jail("web".into())).unwrap().stacks[0];
    session.print(vnet, "V_ip_defttl", &Limits::default()).unwrap().value
}

#[test]
fn nothing_is_read_but_what_the_kernel_lists_and_where_a_loader_puts_it() {
    let mut machine = machine();
    // The device has more than it lists: that could be registers.
    machine.ram.push((64 * MEGABYTE, vec![0; 64 << 20]));
    let listed = [(0x1000, 0x9_f000), (MEGABYTE, 64 * MEGABYTE)];
    machine.says(&listed);
    let (session, log) = machine.session();
    assert_eq!(session.core().format, Format::Live);
    assert_eq!(session.vnets().unwrap().all.len(), 3);
    assert_eq!(session.jails().unwrap().count(), Ok(3));
    assert_eq!(ttl(&session), Value::Int(42));
    drop(session.scan().unwrap());
    let info = serde_json::to_value(answers::info(&session)).unwrap();
    let ranges = &info["info"]["core"]["live"]["ranges"];
    assert_eq!(ranges[0]["end"], "0x9f000", "{ranges}");
    assert_eq!((&ranges[1]["start"], &ranges[1]["end"]), (&"0x100000".into(), &"0x4000000".into()));
    assert_eq!(info["info"]["core"]["pages"], 0x9e + 63 * 256);

    let log = log.lock().unwrap();
    assert!(log.iter().all(|read| is_within_a_page(*read)), "{log:x?}");
    let list = machine.list.get();
    let found = log.iter().position(|(at, _)| *at == list / 4096 * 4096).unwrap();
    // Until then: at each place of the image its own address, and at the right one pieces of it.
    let kernphys = session.kernel().symbol("kernphys").unwrap().address.get();
    for (at, _) in &log[..found] {
        let in_image = (20 * MEGABYTE..24 * MEGABYTE).contains(at);
        let of_a_place = at % (2 * MEGABYTE) == kernphys / 4096 * 4096 % (2 * MEGABYTE);
        assert!(in_image || of_a_place, "{at:#x} was read before the kernel was found");
    }
    assert!(found < 30, "{found} reads");
    for (at, _) in &log[found..] {
        assert!(listed.iter().any(|(start, end)| (start..end).contains(&at)), "{at:#x} was read");
    }
}

/// On machines of every architecture, by the place of the kernel or by the list alone.
#[test]
fn kernels_are_found_where_their_loaders_put_them() {
    let places = [
        ("classic-clang-dwarf4", None),
        ("i386-newer", None),
        ("i386-pae", None),
        ("powerpc64", None),
        ("arm64-newer", Some(2 * MEGABYTE)),
        ("riscv64", Some(2 * MEGABYTE)),
        ("armv7", Some(2 * MEGABYTE)),
    ];
    for (name, above) in places {
        let mut machine = Machine::new(name, "kernel = \"any\"\nmemory = \"32M\"\n");
        if name == "i386-pae" {
            // Its physical addresses are wider than its pointers.
            machine.word = 8;
            let end = machine.ram.last().map(|(at, bytes)| at + bytes.len() as u64).unwrap();
            machine.says(&[(machine.ram[0].0, end)]);
        }
        let (device, _) = machine.device();
        let source = Arc::new(Source::from_device("mem", device));
        let kernel = Arc::new(Kernel::open(machine.kernel_source(), None).unwrap());
        let kernel_phys = above.map(|above| PhysAddr::new(machine.ram[0].0 + above));
        let core = live_core(&kernel, &source, &[], kernel_phys)
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        let types = Types::load(&kernel);
        let target = Target::open_at(kernel, core, types, kernel_phys)
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(matches!(target.kernel_match(), KernelMatch::Same(_)), "{name}");
        assert!(target.memory().is_live(), "{name}");
    }
}

#[test]
fn what_is_no_memory_is_a_fault_and_the_device_is_not_asked() {
    let mut machine = machine();
    machine.says(&[(MEGABYTE, 50 * MEGABYTE), (51 * MEGABYTE, 64 * MEGABYTE)]);
    let (session, log) = machine.session();
    let before = log.lock().unwrap().len();
    let mut byte = [0];
    let fault = session.core().memory().read(PhysAddr::new(50 * MEGABYTE), &mut byte).unwrap_err();
    assert_eq!(fault.at, PhysAddr::new(50 * MEGABYTE));
    assert_eq!(log.lock().unwrap().len(), before);
    let direct = VirtAddr::new(0xffff_f800_0000_0000 + 50 * MEGABYTE);
    let fault = session.memory().u64(direct).unwrap_err();
    let stage = Stage::NotMemory(PhysAddr::new(50 * MEGABYTE));
    assert_eq!((&fault.kind, &fault.stage), (&FaultKind::NotDumped, &stage));
    assert_eq!(
        fault.to_string(),
        "0xfffff80003200000 cannot be read: the machine has no memory at 0x3200000"
    );
}

#[test]
fn a_page_that_the_device_refuses_is_a_fault_of_its_own() {
    let mut machine = machine();
    // The kernel lists memory beyond what the machine has.
    machine.says(&[(MEGABYTE, 128 * MEGABYTE)]);
    let (session, _) = machine.session();
    let mut bytes = [0; 8];
    let end = PhysAddr::new(64 * MEGABYTE - 4);
    assert!(session.core().memory().read(end, &mut bytes).is_err());
    let map = session.memory();
    let last = VirtAddr::new(0xffff_f800_0000_0000 + 64 * MEGABYTE - 8);
    assert!(map.u64(last).is_ok());
    assert_eq!(ttl(&session), Value::Int(42));
}

#[test]
fn a_map_says_where_memory_is_in_the_device() {
    let machine = machine();
    let moved = 0x1_0000_0000;
    let shifted: Vec<_> =
        machine.ram.iter().map(|(at, bytes)| (at + moved, bytes.clone())).collect();
    let shifted = Machine { ram: shifted, ..machine.clone() };
    let (device, _) = shifted.device();
    let source = Arc::new(Source::from_device("memory", device));
    let kernel = Kernel::open(machine.kernel_source(), None).unwrap();
    let segment = MemorySegment {
        phys: PhysAddr::new(0),
        len: 64 * MEGABYTE,
        offset: FileOffset::new(moved),
    };
    let core = live_core(&kernel, &source, &[segment], None).unwrap();
    assert_eq!(core.clues.image.unwrap().1, PhysAddr::new(20 * MEGABYTE));
    assert_eq!(core.memory().ranges().last().unwrap().end, PhysAddr::new(64 * MEGABYTE));
}

#[test]
fn a_kernel_that_is_not_found_is_told_with_the_places() {
    let machine = machine();
    let open = |machine: &Machine, kernel: Source, kernel_phys| {
        let (device, log) = machine.device();
        let kernel = Kernel::open(kernel, None).unwrap();
        let source = Arc::new(Source::from_device("mem", device));
        let core = live_core(&kernel, &source, &[], kernel_phys);
        let reads = log.lock().unwrap().len();
        (core, reads)
    };
    let nowhere = Machine { ram: vec![(0, vec![0; 8 << 20])], ..machine.clone() };
    let (core, reads) = open(&nowhere, machine.kernel_source(), None);
    assert_eq!(
        core.unwrap_err().to_string(),
        "the running kernel was not found in the memory device: nothing of it is at the \
         multiples of 2 MB from 0x200000 to 0x7fe00000"
    );
    assert!(reads <= 1023, "{reads}");
    let elsewhere = Some(PhysAddr::new(22 * MEGABYTE));
    let (core, reads) = open(&machine, machine.kernel_source(), elsewhere);
    assert_eq!((core.is_err(), reads), (true, 1));
    let (core, _) = open(&machine, machine.kernel_source(), Some(PhysAddr::new(20 * MEGABYTE)));
    assert!(core.is_ok());

    // This fixture kernel has no list.
    let silent = Source::open(format!("fixtures/kernel/{NEWER}")).unwrap();
    let (core, _) = open(&machine, silent, None);
    let missing = "it has neither dump_avail nor phys_avail".to_owned();
    assert_eq!(core.unwrap_err(), TargetError::NoMemoryList { why: missing });

    // Its memory begins anywhere.
    let arm = Source::open("fixtures/kernel/arm64").unwrap();
    let (core, reads) = open(&machine, arm, None);
    let looked = "a loader may put a kernel of aarch64 anywhere, so nothing was read".to_owned();
    assert_eq!((core.unwrap_err(), reads), (TargetError::NotLoaded { looked }, 0));
}

#[test]
fn a_list_that_makes_no_sense_is_not_believed() {
    let mut machine = machine();
    for pieces in [&[(0x2000, 0x1000)][..], &[]] {
        machine.says(pieces);
        let (device, _) = machine.device();
        let source = Source::from_device("mem", device);
        assert_eq!(
            why(Session::from_sources(machine.kernel_source(), source)),
            "the kernel does not say where the machine has memory: dump_avail makes no sense"
        );
    }
}

#[test]
fn the_running_kernel_is_searched_for_if_none_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("old")).unwrap();
    let no_kernel = Options { core: "/dev/zero".into(), ..Options::default() };
    let debug_dirs = vec![directory.path().to_owned()];
    std::fs::write(directory.path().join("old/kernel"), machine().kernel).unwrap();
    let options = Options { debug_dirs, ..no_kernel };
    match Session::open(&options).unwrap_err() {
        Error::NoKernel { refused, .. } => assert!(refused >= 1, "it was tried, and is not there"),
        other => panic!("{other}"),
    }
}

/// Where the pointer to the next jail lies in the jail `web`, in physical memory.
fn next_of_web(machine: &Machine) -> u64 {
    let (session, _) = machine.session();
    let web = session.jails().unwrap().all().iter().find(|jail| &*jail.name == "web").unwrap();
    let type_id = session.target().global("prison0").unwrap().type_id;
    let prison = Object::new(session.target(), type_id, web.address);
    let next = prison.member("pr_list.tqe_next").unwrap().address;
    session.memory().translate(next).unwrap().get()
}

#[test]
fn a_list_that_changes_while_it_is_read_is_read_again() {
    let machine = machine();
    let next = next_of_web(&machine);
    let page = next / 4096 * 4096;
    let times = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&times);
    let original = {
        let (at, bytes) = machine
            .ram
            .iter()
            .find(|(at, bytes)| (*at..at + bytes.len() as u64).contains(&next))
            .unwrap();
        bytes[(next - at) as usize..][..8].to_vec()
    };
    // The first reads of the page find a pointer that leads nowhere.
    let (device, _) = machine.device_that(move |_, at, ram| {
        if at == page {
            match counted.fetch_add(1, Ordering::Relaxed) {
                0..2 => write(ram, next, &[0xff; 8]),
                _ => write(ram, next, &original),
            }
        }
    });
    let source = Source::from_device("mem", device);
    let session = Session::from_sources(machine.kernel_source(), source).unwrap();
    let jails = session.jails().unwrap();
    assert!(times.load(Ordering::Relaxed) > 2, "the page was read in between");
    assert_eq!(jails.count(), Ok(3), "{:?}", jails.problems);
}

#[test]
fn a_list_that_never_stands_still_is_torn() {
    let machine = machine();
    let next = next_of_web(&machine);
    let page = next / 4096 * 4096;
    let (device, log) = machine.device_that(move |number, at, ram| {
        if at == page {
            write(ram, next, &(0xffff_f8ff_0000_0000 + number as u64 * 8).to_le_bytes());
        }
    });
    let source = Source::from_device("mem", device);
    let session = Session::from_sources(machine.kernel_source(), source).unwrap();
    let before = log.lock().unwrap().len();
    let jails = session.jails().unwrap();
    let problem = jails.problems.iter().next().unwrap();
    assert!(matches!(problem.why, Why::Torn(_)), "{problem}");
    let said = problem.to_string();
    assert!(
        said.starts_with("allprison: the list changed each time it was read; the last time, "),
        "{said}"
    );
    assert!(jails.count().is_err(), "it is not known how many there are");
    assert!(log.lock().unwrap().len() - before < 5000, "the repeats are few");
    let json = serde_json::to_value(answers::jails(&session, &Selector::Default).unwrap()).unwrap();
    assert!(!json["jails"].is_null());
}

#[test]
fn a_list_that_is_broken_for_good_is_not_called_torn() {
    let mut machine = machine();
    let next = next_of_web(&machine);
    machine.write(next, &[0xff; 8]);
    let (session, _) = machine.session();
    let problem = session.jails().unwrap().problems.iter().next().cloned().unwrap();
    assert!(matches!(problem.why, Why::Unreadable { .. }), "{problem}");
}
