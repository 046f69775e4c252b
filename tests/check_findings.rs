//! What checks find in kernels that are damaged in other ways than their own sick scenarios, and
//! what they hold back while a thread is changing something.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::answers;
use vnetkvm::answers::checks::Checked;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::{JailOptions, ProcessOptions, Runtime};
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;

const KERNEL: &str = "fixtures/kernel/classic-clang-dwarf4";

/// A machine with the jails one and two, each with a stack of its own.
fn machine() -> Runtime {
    let options = MachineOptions { memory: 32 << 20, ..MachineOptions::default() };
    let kernel = Kernel::open(Source::open(KERNEL).unwrap(), None).unwrap();
    let mut runtime = Runtime::boot(LoadedKernel::load(kernel, options).unwrap(), &[0]).unwrap();
    for name in ["one", "two"] {
        runtime.create_jail(&JailOptions::new(name)).unwrap();
    }
    let writer = ProcessOptions { tid: Some(100_050), ..ProcessOptions::new("writer") };
    runtime.create_process(&writer).unwrap();
    runtime
}

/// What the checks of these names find: the verdict and the message of each finding that is not
/// ok.
fn found(runtime: Runtime, names: &[&str]) -> Vec<(&'static str, String)> {
    let mut dump = Cursor::new(Vec::new());
    Image::of(runtime).unwrap().write(Format::Full, &mut dump).unwrap();
    let dump = Source::from_vec("vmcore", dump.into_inner());
    let session = Session::from_sources(Source::open(KERNEL).unwrap(), dump).unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let verdicts = answers::checks(&session, &Selector::Default, &names).unwrap();
    let found = verdicts.findings.to_vec();
    let line = |it: Checked| (it.verdict.name(), it.message.to_string());
    found.into_iter().map(line).filter(|(verdict, _)| *verdict != "ok").collect()
}

fn set(runtime: &mut Runtime, jail: &str, member: &str, to: VirtAddr) -> VirtAddr {
    let vnet = runtime.jail_vnet(jail).unwrap().unwrap();
    let vnet = runtime.vnet_object(vnet).unwrap();
    runtime.kernel_mut().set_pointer(vnet, member, to).unwrap();
    vnet.address
}

#[test]
fn a_list_that_a_thread_is_changing_shows_no_fault() {
    for locked in [false, true] {
        let mut runtime = machine();
        let at = set(&mut runtime, "one", "vnet_le.le_prev", VirtAddr::new(0x1234));
        if locked {
            let writer = runtime.thread("writer").unwrap().address;
            for lock in ["vnet_rwlock", "vnet_sxlock"] {
                runtime.hold_exclusive(lock, writer).unwrap();
            }
        }
        let found = found(runtime, &["vnet-list"]);
        let [(verdict, message)] = &found[..] else { panic!("{found:?}") };
        let what = format!("the list of vnets: the vnet at {at} follows the link at 0x1234");
        assert!(message.starts_with(&what), "{message}");
        let held_back = "; but thread 100050 of process 1 (writer) is changing the list";
        assert_eq!((*verdict == "unknown", message.ends_with(held_back)), (locked, locked));
    }
}

#[test]
fn a_list_in_a_circle_and_a_wild_pointer_are_faults() {
    for (next, what) in [(None, "it has a cycle"), (Some(0x1234_5678), "breaks off at 0x12345678")]
    {
        let mut runtime = machine();
        let two = runtime.jail_vnet("two").unwrap().unwrap().0;
        set(&mut runtime, "one", "vnet_le.le_next", next.map_or(two, VirtAddr::new));
        let found = found(runtime, &["vnet-list", "vnet-zero"]);
        assert!(found.iter().any(|(it, why)| *it == "fault" && why.contains(what)), "{found:?}");
        // vnet0 is behind the break.
        let zero = found.last().unwrap();
        assert_eq!(zero.0, "unknown", "{found:?}");
    }
}

#[test]
fn locks_have_owners_that_exist() {
    let mut runtime = machine();
    let vnet_head = runtime.kernel().address_of("vnet_head").unwrap();
    let owner = VirtAddr::new(vnet_head.get() & !0x1f);
    runtime.hold_exclusive("vnet_rwlock", owner).unwrap();
    let sx = runtime.kernel().variable("vnet_sxlock").unwrap();
    runtime.kernel_mut().set(sx, "sx_lock", 4).unwrap();
    let sysinit = runtime.kernel().variable("vnet_sysinit_sxlock").unwrap();
    runtime.kernel_mut().set(sysinit, "sx_lock", 1 | (5000 << 5)).unwrap();
    let wanted = [
        format!("vnet_rwlock is held by {owner}, which is no thread: not a listed thread"),
        "vnet_sxlock has a word that no lock can have: 0x4".to_owned(),
        "vnet_sysinit_sxlock is shared by 5000: there are 2 threads".to_owned(),
    ];
    let wanted: Vec<_> = wanted.into_iter().map(|why| ("fault", why)).collect();
    assert_eq!(found(runtime, &["locks"]), wanted);

    // A lock that a thread holds is no fault.
    let mut runtime = machine();
    let writer = runtime.thread("writer").unwrap().address;
    runtime.hold_exclusive("vnet_rwlock", writer).unwrap();
    runtime.hold_shared("vnet_sysinit_sxlock").unwrap();
    assert_eq!(found(runtime, &["locks"]), []);
}

#[test]
fn two_vnets_cannot_share_a_block() {
    let mut runtime = machine();
    let one = runtime.vnet_object(runtime.jail_vnet("one").unwrap().unwrap()).unwrap();
    for member in ["vnet_data_mem", "vnet_data_base"] {
        let value = runtime.kernel().get(one, member).unwrap();
        set(&mut runtime, "two", member, VirtAddr::new(value));
    }
    let wanted = ("fault", "its block overlaps that of vnet 1".to_owned());
    assert_eq!(found(runtime, &["vnet-block", "vnet-data-base"]), [wanted]);
}

#[test]
fn a_freed_vnet_on_the_list_is_one() {
    let mut runtime = machine();
    let one = runtime.vnet_object(runtime.jail_vnet("one").unwrap().unwrap()).unwrap();
    let size = runtime.kernel().types().size_of(one.type_id).unwrap();
    runtime.kernel_mut().machine_mut().trash(one.address, size).unwrap();
    let found = found(runtime, &["vnet-list", "vnet-magic", "vnet-state"]);
    let freed =
        format!("the list of vnets: the vnet at {} is freed memory (0xdeadc0de)", one.address);
    let wanted = [freed, "it is freed memory".to_owned()].map(|why| ("fault", why));
    assert_eq!(found, wanted);
}
