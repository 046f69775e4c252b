//! Vnets that are not on the list: what leads to them, and what they look like.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::answers;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::{self, JailOptions, ProcessOptions, Runtime};
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::vnet::{Condition, Vnet};

const KERNELS: [&str; 3] = ["classic-clang-dwarf4", "newer-clang-dwarf4", "i386"];

fn open(name: &str) -> Source {
    Source::open(format!("fixtures/kernel/{name}")).unwrap()
}

/// A machine with the jails one, two and three, each with a vnet and a process that
/// works in it.
fn machine(kernel: &str) -> Runtime {
    let loaded =
        LoadedKernel::load(Kernel::open(open(kernel), None).unwrap(), MachineOptions::default())
            .unwrap();
    let mut runtime = Runtime::boot(loaded, &[0]).unwrap();
    for name in ["one", "two", "three"] {
        runtime.create_jail(&JailOptions::new(name)).unwrap();
        let worker = ProcessOptions {
            jail: Some(name.into()),
            in_network_stack: true,
            ..ProcessOptions::new(format!("worker-{name}"))
        };
        runtime.create_process(&worker).unwrap();
    }
    runtime
}

fn vnet_of(runtime: &Runtime, jail: &str) -> runtime::Vnet {
    runtime.jail_vnet(jail).unwrap().unwrap()
}

fn session(kernel: &str, runtime: Runtime) -> Session {
    session_of(kernel, &Image::of(runtime).unwrap(), Format::MinidumpV2)
}

fn session_of(kernel: &str, image: &Image, format: Format) -> Session {
    let mut dump = Cursor::new(Vec::new());
    image.write(format, &mut dump).unwrap();
    Session::from_sources(open(kernel), Source::from_vec("vmcore", dump.into_inner())).unwrap()
}

fn unlisted(session: &Session) -> Vec<(&Vnet, Condition)> {
    let vnets = session.vnets().unwrap().all.iter();
    vnets.filter_map(|vnet| vnet.condition.map(|condition| (vnet, condition))).collect()
}

fn witnesses(vnet: &Vnet) -> String {
    vnet.found_by.join("; ")
}

#[test]
fn what_a_broken_list_no_longer_leads_to_is_found() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let (one, two) = (vnet_of(&runtime, "one"), vnet_of(&runtime, "two"));
        let three = runtime.vnet_object(vnet_of(&runtime, "three")).unwrap();
        let nowhere = VirtAddr::new(0x10_0000);
        runtime.kernel_mut().set_pointer(three, "vnet_le.le_next", nowhere).unwrap();
        let session = session(kernel, runtime);
        let found = unlisted(&session);
        let address = |vnet: runtime::Vnet| vnet.0;
        let expected = [address(one), address(two)];
        assert!(expected.iter().all(|at| found.iter().any(|(vnet, _)| vnet.address == *at)));
        for (vnet, condition) in found.iter().filter(|(vnet, _)| !vnet.default) {
            assert_eq!(*condition, Condition::Stray, "{kernel}: {vnet:?}");
            assert!(witnesses(vnet).contains("pr_vnet of jail"), "{kernel}: {vnet:?}");
            assert!(witnesses(vnet).contains("td_vnet of thread"), "{kernel}: {vnet:?}");
        }
        let shown = session.select(&Selector::All).unwrap();
        assert_eq!(shown.stacks.len(), 4, "{kernel}: all four are shown");
        assert!(problems(&session)[0].contains("breaks off at 0x100000"), "{kernel}");
    }
}

#[test]
fn links_tell_construction_from_destruction() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let [one, two, three] = ["one", "two", "three"]
            .map(|name| runtime.vnet_object(vnet_of(&runtime, name)).unwrap());
        let link = |runtime: &Runtime, object, path| {
            VirtAddr::new(runtime.kernel().get(object, path).unwrap())
        };
        // LIST_REMOVE of two: its neighbours know each other, and its own links are stale.
        let after = runtime.kernel().member(three, "vnet_le.le_next").unwrap().address;
        let loaded = runtime.kernel_mut();
        loaded.set_pointer(three, "vnet_le.le_next", one.address).unwrap();
        loaded.set_pointer(one, "vnet_le.le_prev", after).unwrap();
        // three was never linked.
        let head = link(&runtime, three, "vnet_le.le_prev");
        let loaded = runtime.kernel_mut();
        loaded.machine_mut().set_pointer(head, one.address).unwrap();
        loaded.set_pointer(one, "vnet_le.le_prev", head).unwrap();
        loaded.set_pointer(three, "vnet_le.le_next", VirtAddr::default()).unwrap();
        loaded.set_pointer(three, "vnet_le.le_prev", VirtAddr::default()).unwrap();
        let session = session(kernel, runtime);
        assert_eq!(problems(&session), [""; 0], "{kernel}");
        let mut found = unlisted(&session);
        found.sort_by_key(|(vnet, _)| vnet.address != two.address);
        let [(second, destroyed), (third, built)] = found[..] else { panic!("{kernel}") };
        assert_eq!((second.address, destroyed), (two.address, Condition::BeingDestroyed));
        assert_eq!((third.address, built), (three.address, Condition::UnderConstruction));
    }
}

#[test]
fn a_pointer_to_a_freed_vnet_is_told_from_one_to_nothing() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let two = runtime.vnet_object(vnet_of(&runtime, "two")).unwrap();
        let prison = runtime.prison("one").unwrap();
        runtime.vnet_destroy(vnet_of(&runtime, "two")).unwrap();
        runtime.kernel_mut().set_pointer(prison, "pr_vnet", prison.address).unwrap();
        let session = session(kernel, runtime);
        let found = unlisted(&session);
        let [(vnet, condition)] = found[..] else { panic!("{kernel}: {found:?}") };
        assert_eq!((vnet.address, condition), (two.address, Condition::Freed), "{kernel}");
        let problems = problems(&session);
        let expected = format!("leads to {}, which is not a vnet", prison.address);
        assert!(problems.iter().any(|problem| problem.contains(&expected)), "{problems:?}");
        // Its variables are gone with it.
        assert_eq!(session.select(&Selector::All).unwrap().stacks.len(), 3, "{kernel}");
    }
}

#[test]
fn a_scan_finds_what_nothing_points_at() {
    for kernel in KERNELS.into_iter().chain(["i386-pae", "arm64", "armv7", "riscv64", "powerpc64"])
    {
        let mut runtime = machine(kernel);
        let lost = runtime.vnet_alloc().unwrap();
        let lost = runtime.vnet_object(lost).unwrap();
        let freed = runtime.vnet_alloc().unwrap();
        runtime.vnet_destroy(freed).unwrap();
        // Off the list, as LIST_REMOVE of its first element leaves it.
        let loaded = runtime.kernel_mut();
        let next = VirtAddr::new(loaded.get(lost, "vnet_le.le_next").unwrap());
        let head = VirtAddr::new(loaded.get(lost, "vnet_le.le_prev").unwrap());
        let second = loaded.object(next, "struct vnet").unwrap();
        loaded.machine_mut().set_pointer(head, next).unwrap();
        loaded.set_pointer(second, "vnet_le.le_prev", head).unwrap();
        let image = Image::of(runtime).unwrap();
        for format in [Format::MinidumpV2, Format::Full] {
            let session = session_of(kernel, &image, format);
            assert_eq!(unlisted(&session), [], "{kernel}: nothing leads to them");
            let scanned = session.scan().unwrap().all;
            assert_eq!(scanned.iter().filter(|vnet| vnet.is_listed()).count(), 4, "{kernel}");
            let mut found: Vec<_> = scanned.iter().filter(|vnet| !vnet.is_listed()).collect();
            found.sort_by_key(|vnet| vnet.address != lost.address);
            let [first, second] = found[..] else { panic!("{kernel} {format:?}: {found:?}") };
            assert_eq!(first.address, lost.address, "{kernel}");
            assert_eq!(first.condition, Some(Condition::BeingDestroyed), "{kernel}");
            assert_eq!(second.address, freed.0, "{kernel}");
            assert_eq!(second.condition, Some(Condition::Freed), "{kernel}");
        }
    }
}

#[test]
fn a_scan_tells_how_much_it_has_searched() {
    let kernel = KERNELS[0];
    let image = Image::of(machine(kernel)).unwrap();
    let session = session_of(kernel, &image, Format::Full);
    let (mut told, total) = (Vec::new(), session.memory().held());
    let scanned = session.scan_with(&mut |progress| told.push((progress.done, progress.total)));
    // The direct map has all memory, and the kernel map some of it again.
    assert!(scanned.unwrap().searched.unwrap() > total);
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(total, total)));
}

/// Two words that look like what vnet_destroy leaves may stand anywhere in the kernel's own
/// data, of which the direct map has a second view; and between the objects of the heap.
#[test]
fn a_scan_finds_vnets_only_where_the_kernel_allocates_them() {
    for kernel in ["newer-clang-dwarf4", "arm64-newer", "powerpc64"] {
        let mut runtime = machine(kernel);
        let loaded = runtime.kernel_mut();
        let size = loaded.types().size_of(loaded.types().find("struct vnet").unwrap()).unwrap();
        let magic = |loaded: &mut LoadedKernel, at: VirtAddr| {
            let vnet = loaded.object(at, "struct vnet").unwrap();
            loaded.set(vnet, "vnet_magic_n", 0xdead_beef).unwrap();
        };
        // In the image, aligned as a vnet is.
        let pmap = loaded.variable("kernel_pmap_store").unwrap();
        let inside = loaded.kernel().segments().any(|segment| {
            loaded.running(segment.virt) <= pmap.address
                && pmap.address < loaded.running(segment.virt).wrapping_add(segment.mem_size)
        });
        assert!(inside, "{kernel}");
        let aligned = VirtAddr::new(pmap.address.get().next_multiple_of(64));
        for step in 0..4 {
            magic(loaded, aligned.wrapping_add(step * 64));
        }
        // On the heap, but not where a vnet of that size begins.
        let heap = loaded.machine_mut().malloc("test", 256).unwrap();
        let step = 1 << (size.trailing_zeros() - 1);
        let odd = heap.get().next_multiple_of(64) + step;
        if step >= 8 {
            magic(loaded, VirtAddr::new(odd));
        }
        let image = Image::of(runtime).unwrap();
        for format in [Format::MinidumpV2, Format::Full] {
            let session = session_of(kernel, &image, format);
            let scanned = session.scan().unwrap().all;
            let found: Vec<_> = scanned.iter().filter(|vnet| !vnet.is_listed()).collect();
            assert!(found.is_empty(), "{kernel} {format:?}: {found:?}");
        }
    }
}

#[test]
fn a_scan_is_advised_where_a_vnet_may_come_or_go() {
    let reasons = |kernel, runtime| {
        let session = session(kernel, runtime);
        let vnets = answers::vnets(&session, None, false).unwrap();
        vnets.may_hide.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for kernel in KERNELS {
        assert_eq!(reasons(kernel, machine(kernel)), [""; 0], "{kernel}");
        for lock in ["vnet_rwlock", "vnet_sxlock", "vnet_sysinit_sxlock"] {
            let mut runtime = machine(kernel);
            let loaded = runtime.kernel_mut();
            let held = loaded.variable(lock).unwrap();
            let word = if lock == "vnet_rwlock" { "rw_lock" } else { "sx_lock" };
            loaded.set(held, word, 0x21).unwrap();
            assert_eq!(reasons(kernel, runtime), [format!("{lock} is held")], "{kernel}");
        }
        // It had not set a thing yet that leads to a vnet.
        for function in ["vnet_alloc", "vnet_destroy"] {
            let mut runtime = machine(kernel);
            let process = ProcessOptions { tid: Some(100_777), ..ProcessOptions::new("jail") };
            let thread = runtime.create_process(&process).unwrap();
            let loaded = runtime.kernel_mut();
            // Behind a call, of which these kernels have few.
            let call = loaded.address_of(function).unwrap().wrapping_add(4);
            loaded.machine_mut().write(call, &[0xe8, 0, 0, 0, 0]).unwrap();
            let back = call.wrapping_add(5);
            let stack = loaded.machine_mut().malloc("stack", 16 << 10).unwrap();
            loaded.set(thread, "td_kstack", stack.get()).unwrap();
            loaded.set(thread, "td_kstack_pages", 4).unwrap();
            loaded.machine_mut().set_pointer(stack.wrapping_add(0x3e80), back).unwrap();
            let told = reasons(kernel, runtime);
            let [reason] = &told[..] else { panic!("{kernel}: {told:?}") };
            assert!(reason.contains("100777"), "{reason}");
            assert!(reason.ends_with(&format!("may be in {function}")), "{reason}");
        }
    }
    let half = |name: &str| open(&format!("small-split/{name}"));
    let kernel = Kernel::open(half("kernel"), Some(half("kernel.debug"))).unwrap();
    let loaded = LoadedKernel::load(kernel, MachineOptions::default()).unwrap();
    let runtime = Runtime::boot(loaded, &[0]).unwrap();
    let told = reasons("small-nodebug", runtime);
    assert_eq!(told, ["without types, only the list leads to vnets"]);
}

/// What keeps vnets from being known, a sentence each.
fn problems(session: &Session) -> Vec<String> {
    session.vnets().unwrap().problems.iter().map(ToString::to_string).collect()
}
