//! Freed objects, missing pages, circles, limits and files that say little.

use super::*;

#[test]
fn freed_objects_and_missing_pages_are_said() {
    let kernel = "classic-clang-dwarf4";
    let options = MachineOptions { trash_freed: true, ..MachineOptions::default() };
    let loaded = LoadedKernel::load(Kernel::open(open(kernel), None).unwrap(), options).unwrap();
    let mut runtime = Runtime::boot(loaded, &[0]).unwrap();
    runtime.create_jail(&JailOptions::new("web01")).unwrap();
    let scope = runtime.jail_scope("web01").unwrap();
    let machine = |runtime: &mut Runtime, size| {
        runtime.kernel_mut().machine_mut().malloc("whatis", size).unwrap()
    };
    // Nothing leads to the first; a pointer of the jail's stack to the second.
    let (lost, stale) = (machine(&mut runtime, 256), machine(&mut runtime, 256));
    let pointer = runtime.find(scope, "ifnet").unwrap();
    let pointer = runtime.kernel().member(pointer, "cstqh_first").unwrap();
    runtime.kernel_mut().store(pointer, stale.get()).unwrap();
    for at in [lost, stale] {
        runtime.kernel_mut().machine_mut().fill(at, 256, 0xdead_c0de).unwrap();
    }
    let missing = runtime.find(scope, "tcbinfo").unwrap().address;
    let page = runtime.kernel().machine().physical(missing).unwrap();
    let mut image = Image::of(runtime).unwrap();
    image.leave_out(page);
    let mut dump = Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut dump).unwrap();
    let dump = Source::from_vec("vmcore", dump.into_inner());
    let session = Session::from_sources(open(kernel), dump).unwrap();
    let whatis = session.whatis(1).unwrap();
    let physical = image.runtime().kernel().machine().physical(lost).unwrap();
    assert_eq!(
        line(&whatis, lost.wrapping_add(8)),
        format!("freed memory: 0xdeadc0de (direct map, physical {})", physical.wrapping_add(8))
    );
    assert_eq!(
        line(&whatis, stale),
        "*V_ifnet.cstqh_first, struct ifnet, vnet 1 (jail web01); freed memory: 0xdeadc0de"
    );
    assert_eq!(
        line(&whatis, missing),
        "V_tcbinfo, vnet 1 (jail web01); the page is not in the dump"
    );
    let unmapped = VirtAddr::new(0xffff_fe7f_0000_0000);
    assert_eq!(line(&whatis, unmapped), "nothing known: not mapped");
    assert_eq!(line(&whatis, VirtAddr::new(8)), "nothing known: not a kernel address");
}

/// A vnet that is not what it should be, and everything in it.
#[test]
fn what_is_wrong_with_a_vnet_is_said() {
    let kernel = "classic-clang-dwarf4";
    let mut machine = Machine::new(kernel);
    let vnet = machine.runtime.kernel().object(machine.vnet, "struct vnet").unwrap();
    let magic = machine.runtime.kernel().member(vnet, "vnet_magic_n").unwrap();
    machine.runtime.kernel_mut().store(magic, 0x1234).unwrap();
    let (vnet, interface) = (machine.vnet, machine.interface);
    let session = session(kernel, machine.runtime);
    let whatis = session.whatis(0).unwrap();
    let owner = "vnet 2 (jail db02), not a vnet: its magic is 0x1234";
    assert_eq!(line(&whatis, vnet), format!("struct vnet, {owner}"));
    assert_eq!(line(&whatis, interface), format!("struct ifnet, interface epair0b, {owner}"));

    let mut said = BTreeSet::new();
    for scenario in ["trouble", "machinery", "jails-newer"] {
        let scenario = Scenario::open(format!("fixtures/scenarios/{scenario}.toml")).unwrap();
        let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
        image.save_kernel(directory.path()).unwrap();
        let kernel = Some(directory.path().join("kernel"));
        let session = Session::open(&Options { kernel, core, ..Options::default() }).unwrap();
        let whatis = session.whatis(0).unwrap();
        for vnet in session.vnets().unwrap().all.iter().filter(|vnet| !vnet.is_listed()) {
            let found = whatis.describe(vnet.address);
            let json = serde_json::to_value(&found).unwrap();
            let condition = json["vnet"]["condition"].as_str().unwrap().to_owned();
            said.insert((condition, found.to_string()));
        }
    }
    for (condition, text) in [
        ("destroyed", "0xfffff80000621400, destroyed: its magic is 0xdeadbeef"),
        ("being-destroyed", "0xfffff80000621300 (jail build), being destroyed"),
        ("under-construction", "0xfffff80000621200, under construction"),
        ("freed", "0xfffff800006261c0 (jail stale), freed; freed memory: 0xdeadc0de"),
    ] {
        let wanted = (condition.to_owned(), format!("struct vnet, unlisted vnet {text}"));
        assert!(said.contains(&wanted), "{wanted:?} is not in {said:#?}");
    }
}

/// Objects that lead to each other, and a list that is a circle.
#[test]
fn a_circle_of_pointers_ends() {
    let kernel = "classic-clang-dwarf4";
    let mut machine = Machine::new(kernel);
    let runtime = &mut machine.runtime;
    let ifnet = runtime.kernel().object(machine.interface, "struct ifnet").unwrap();
    let next = runtime.kernel().member(ifnet, "if_link.cstqe_next").unwrap();
    runtime.kernel_mut().store(next, machine.interface.get()).unwrap();
    let address = runtime.kernel().get(ifnet, "if_addrhead.cstqh_first").unwrap();
    let address = runtime.kernel().object(VirtAddr::new(address), "struct ifaddr").unwrap();
    let next = runtime.kernel().member(address, "ifa_link.cstqe_next").unwrap();
    runtime.kernel_mut().store(next, address.address.get()).unwrap();
    let session = session(kernel, machine.runtime);
    let whatis = session.whatis(1000).unwrap();
    assert_eq!(
        line(&whatis, address.address),
        "*V_ifnet.cstqh_first->if_addrhead.cstqh_first, struct ifaddr, vnet 2 (jail db02)"
    );
    assert!(!whatis.problems.is_empty());
}

/// What the budget cuts off is a problem, and the rest is named.
#[test]
fn a_small_budget_cuts_the_walk_of_the_heap() {
    let kernel = "classic-clang-dwarf4";
    let machine = Machine::new(kernel);
    let (vnet, session) = (machine.vnet, session(kernel, machine.runtime));
    let whole = Allowance { work: 1 << 30, bytes: 1 << 30 };
    session.whatis(3).unwrap();
    session.budget().renew(whole);
    session.whatis(3).unwrap();
    let enough = session.budget().work_done();
    session.budget().renew(Allowance { work: enough - 50, ..whole });
    let whatis = session.whatis(3).unwrap();
    let cut = whatis.problems.iter().any(|problem| &*problem.what == "the objects on the heap");
    assert!(cut, "{:?}", whatis.problems);
    assert_eq!(line(&whatis, vnet), "struct vnet, vnet 2 (jail db02)");
}

#[test]
fn any_number_is_answered() {
    let mut random = StdRandom(0x9e37_79b9_7f4a_7c15);
    for (kernel, _) in KERNELS {
        let machine = Machine::new(kernel);
        let bases = [machine.vnet, machine.interface, machine.stack, machine.prison];
        let session = session(kernel, machine.runtime);
        let whatis = session.whatis(2).unwrap();
        for number in 0..10_000_usize {
            let near = bases[number % bases.len()].get().wrapping_add(random.next() % 0x4000);
            let address = if number % 2 == 0 { random.next() } else { near };
            let found = whatis.describe(VirtAddr::new(session.core().arch.wrap(address)));
            assert!(!found.to_string().is_empty());
        }
    }
}

/// Numbers that look random and are the same in every run.
struct StdRandom(u64);

impl StdRandom {
    fn next(&mut self) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Without types, names of symbols are known; without VIMAGE, variables are symbols.
#[test]
fn what_is_known_without_types_or_vimage_is_said() {
    let runtime = boot("plain-clang-dwarf4");
    let tcbinfo = runtime.kernel().address_of("tcbinfo").unwrap();
    let plain = session("plain-clang-dwarf4", runtime);
    let whatis = plain.whatis(2).unwrap();
    assert_eq!(line(&whatis, tcbinfo.wrapping_add(40)), "tcbinfo.ipi_count");

    let mut runtime = boot("small-zlib-dwarf5");
    runtime.create_jail(&JailOptions::new("web01")).unwrap();
    let scope = runtime.jail_scope("web01").unwrap();
    let Scope::Vnet(vnet) = scope else { unreachable!() };
    let place = runtime.find(scope, "ip_defttl").unwrap().address;
    let (prison0, vnet) =
        (runtime.kernel().address_of("prison0"), runtime.vnet_object(vnet).unwrap().address);
    let mut dump = Cursor::new(Vec::new());
    Image::of(runtime).unwrap().write(Format::MinidumpV2, &mut dump).unwrap();
    let stripped = without_debug_information(open("small-zlib-dwarf5"));
    let dump = Source::from_vec("vmcore", dump.into_inner());
    let session = Session::from_sources(stripped, dump).unwrap();
    assert!(session.types().is_err());
    let whatis = session.whatis(2).unwrap();
    assert_eq!(line(&whatis, place.wrapping_add(1)), "V_ip_defttl+0x1, vnet 1");
    assert_eq!(line(&whatis, prison0.unwrap().wrapping_add(16)), "prison0+0x10");
    assert_eq!(line(&whatis, vnet), "struct vnet, vnet 1");
}

/// The kernel's file with its debug sections renamed, so that nobody finds them.
fn without_debug_information(kernel: Source) -> Source {
    let mut bytes = kernel.bytes().to_vec();
    for name in ["\0.debug_info\0", "\0.debug_abbrev\0"] {
        let finder = memchr::memmem::find(&bytes, name.as_bytes()).unwrap();
        bytes[finder + 1] = b'_';
    }
    Source::from_vec("kernel", bytes)
}
