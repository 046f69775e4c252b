//! The VNET runtime against the kernel's rules, on kernels of both generations:
//! every expectation here is a fact about FreeBSD, read out of simulated memory
//! through the kernel's own types.

#![cfg(feature = "image")]

use std::collections::BTreeMap;

use vnetkvm::addr::VirtAddr;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{
    InterfaceOptions, JailOptions, ProcessOptions, Runtime, Scope, Vnet,
};
use vnetkvm::image::{ImageError, Literal};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const CLASSIC: &str = "classic-clang-dwarf4";
const NEWER: &str = "newer-clang-dwarf4";
const PLAIN: &str = "plain-clang-dwarf4";
const KERNELS: [&str; 2] = [CLASSIC, NEWER];

fn boot(name: &str, cpus: &[u32]) -> Runtime {
    let source = Source::open(format!("fixtures/kernel/{name}")).unwrap();
    let kernel = Kernel::open(source, None).unwrap();
    let loaded = LoadedKernel::load(kernel, MachineOptions::default()).unwrap();
    Runtime::boot(loaded, cpus).unwrap()
}

fn vnet_member(runtime: &Runtime, vnet: Vnet, member: &str) -> u64 {
    runtime.kernel().get(runtime.vnet_object(vnet).unwrap(), member).unwrap()
}

fn global(runtime: &Runtime, path: &str) -> u64 {
    let object = runtime.find(Scope::Kernel, path).unwrap();
    runtime.kernel().load_uint(object).unwrap()
}

fn in_vnet(runtime: &Runtime, vnet: Vnet, path: &str) -> u64 {
    let object = runtime.find(Scope::Vnet(vnet), path).unwrap();
    runtime.kernel().load_uint(object).unwrap()
}

fn bytes(runtime: &Runtime, at: VirtAddr, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    runtime.kernel().machine().read(at, &mut bytes).unwrap();
    bytes
}

fn set_size(runtime: &Runtime) -> (VirtAddr, u64) {
    let set = runtime.kernel().kernel().set_vnet().unwrap();
    (set.start, set.end.get() - set.start.get())
}

fn refused(result: Result<impl std::fmt::Debug, ImageError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn vnet0_exists_after_boot_and_keeps_state_0() {
    for (kernel, magic) in [(CLASSIC, 0x3e0d_8f29), (NEWER, 0x5e4a_6f28)] {
        let runtime = boot(kernel, &[0]);
        let vnet0 = runtime.vnet0().unwrap();
        assert_eq!(runtime.vnets().unwrap(), [vnet0]);
        assert_eq!(global(&runtime, "vnet0"), vnet0.0.get());
        assert_eq!(global(&runtime, "vnet_head.lh_first"), vnet0.0.get());
        assert_eq!(global(&runtime, "prison0.pr_vnet"), vnet0.0.get());
        assert_eq!(global(&runtime, "prison0.pr_flags") & 0x10, 0x10, "PR_VNET");
        assert_eq!(vnet_member(&runtime, vnet0, "vnet_magic_n"), magic);
        assert_eq!(vnet_member(&runtime, vnet0, "vnet_state"), 0);
    }
}

#[test]
fn a_new_vnet_goes_to_the_head_of_the_list_in_state_done() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        let vnet0 = runtime.vnet0().unwrap();
        let first = runtime.vnet_alloc().unwrap();
        let second = runtime.vnet_alloc().unwrap();
        assert_eq!(runtime.vnets().unwrap(), [vnet0, first, second], "in order of creation");
        assert_eq!(global(&runtime, "vnet_head.lh_first"), second.0.get(), "newest first");
        assert_eq!(vnet_member(&runtime, second, "vnet_le.le_next"), first.0.get());
        assert_eq!(vnet_member(&runtime, vnet0, "vnet_le.le_next"), 0);
        assert_eq!(vnet_member(&runtime, first, "vnet_state"), 0x0dc0_0000, "SI_SUB_VNET_DONE");
    }
}

#[test]
fn the_data_block_is_a_copy_of_the_set_with_an_uninitialised_tail() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        let vnet = runtime.vnet_alloc().unwrap();
        let (start, size) = set_size(&runtime);
        let block = VirtAddr::new(vnet_member(&runtime, vnet, "vnet_data_mem"));
        let base = vnet_member(&runtime, vnet, "vnet_data_base");
        assert_eq!(base, block.get().wrapping_sub(start.get()), "wraps around");
        assert_eq!(block.page_offset(4096), 0);
        assert!(block.get() >= 0xffff_fe00_0000_0000, "in the kernel map");
        assert!(vnet.0.get() < 0xffff_fc00_0000_0000, "struct vnet in the direct map");

        let allocations = runtime.kernel().machine().allocations();
        let (_, data) = allocations.into_iter().find(|(at, _)| *at == block).unwrap();
        assert_eq!((data.kind, data.size), ("vnet_data", size.next_multiple_of(4096)));
        let tail = bytes(&runtime, block.wrapping_add(size), 4096 - size % 4096);
        assert!(tail.windows(4).any(|four| four == 0xdead_c0de_u32.to_le_bytes()));

        // All but what constructors initialise, the list of interfaces and the IPv4 statistics,
        // is the master's.
        let (master, copy) = (bytes(&runtime, start, size), bytes(&runtime, block, size));
        let statistics = runtime.find(Scope::Kernel, "ipstat").unwrap();
        let first = (statistics.address.get() - start.get()) as usize;
        let last = first + runtime.kernel().types().size_of(statistics.type_id).unwrap() as usize;
        let differ = |i: &usize| master[*i] != copy[*i] && !(first..last).contains(i);
        let differ = (0..size as usize).filter(differ).count();
        assert!(differ <= 8, "{differ} bytes differ from the master");
        let head = runtime.find(Scope::Vnet(vnet), "ifnet").unwrap();
        assert_eq!(runtime.kernel().get(head, "cstqh_last").unwrap(), head.address.get());
    }
}

#[test]
fn a_destroyed_vnet_is_unlinked_poisoned_and_its_block_unmapped() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        let (first, second) = (runtime.vnet_alloc().unwrap(), runtime.vnet_alloc().unwrap());
        let third = runtime.vnet_alloc().unwrap();
        let block = VirtAddr::new(vnet_member(&runtime, second, "vnet_data_mem"));
        runtime.vnet_destroy(second).unwrap();
        assert_eq!(runtime.vnets().unwrap(), [runtime.vnet0().unwrap(), first, third]);
        assert_eq!(vnet_member(&runtime, second, "vnet_magic_n"), 0xdead_beef);
        assert_eq!(vnet_member(&runtime, second, "vnet_data_mem"), 0);
        assert_eq!(vnet_member(&runtime, second, "vnet_data_base"), 0);
        assert_eq!(vnet_member(&runtime, second, "vnet_le.le_next"), first.0.get(), "stale");
        assert!(runtime.kernel().machine().physical(block).is_none());
        if kernel == NEWER {
            assert_eq!(vnet_member(&runtime, second, "vnet_shutdown"), 1);
            assert_eq!(vnet_member(&runtime, first, "vnet_shutdown"), 0);
        }
        assert!(matches!(runtime.vnet_destroy(second), Err(ImageError::NotOnList(_))));
    }
}

#[test]
fn what_the_kernel_would_panic_on_is_refused() {
    let mut runtime = boot(CLASSIC, &[0]);
    let vnet0 = runtime.vnet0().unwrap();
    assert!(refused(runtime.vnet_destroy(vnet0)).contains("vnet0"));
    let vnet = runtime.vnet_alloc().unwrap();
    let object = runtime.vnet_object(vnet).unwrap();
    runtime.kernel_mut().set(object, "vnet_sockcnt", 1).unwrap();
    assert!(refused(runtime.vnet_destroy(vnet)).contains("sockets"));
}

#[test]
fn module_space_is_placed_copied_and_freed() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        let before = runtime.vnet_alloc().unwrap();
        let arena = runtime.find(Scope::Kernel, "modspace").unwrap();
        let gif = runtime.place_module("if_gif", &[7; 0x50]).unwrap();
        let bridge = runtime.place_module("if_bridge", &[9; 0x5c]).unwrap();
        assert_eq!(gif, arena.address, "first fit, from the front");
        assert_eq!(bridge, arena.address.wrapping_add(0x50));
        let after = runtime.vnet_alloc().unwrap();
        for vnet in runtime.vnets().unwrap() {
            let copy = runtime.in_vnet(vnet, bridge).unwrap();
            assert_eq!(bytes(&runtime, copy, 0x5c), [9; 0x5c], "vnet at {}", vnet.0);
        }
        assert_ne!(runtime.in_vnet(before, gif).unwrap(), runtime.in_vnet(after, gif).unwrap());

        let space = *runtime.module_space().unwrap();
        let size = 8 * 4096;
        let end = arena.address.wrapping_add(0xb0);
        let machine = runtime.kernel().machine();
        assert_eq!(space.free_list(machine).unwrap(), [(end, size - 0xb0)]);
        let entry = VirtAddr::new(global(&runtime, "vnet_data_free_head.tqh_first"));
        let entry = runtime.kernel().object(entry, "struct vnet_data_free").unwrap();
        assert_eq!(runtime.kernel().get(entry, "vnd_start").unwrap(), end.get());
        runtime.remove_module("if_gif").unwrap();
        let machine = runtime.kernel().machine();
        assert_eq!(space.free_list(machine).unwrap(), [(gif, 0x50), (end, size - 0xb0)]);
        assert!(refused(runtime.remove_module("if_gif")).contains("if_gif"));
        assert!(refused(runtime.place_module("huge", &vec![0; 40_000])).contains("ENOSPC"));
    }
}

#[test]
fn newer_kernels_keep_pristine_values() {
    let mut runtime = boot(NEWER, &[0]);
    let (start, _) = set_size(&runtime);
    let initial = VirtAddr::new(global(&runtime, "vnet_init_var"));
    let at = |master: VirtAddr| initial.wrapping_add(master.get() - start.get());
    let ttl = runtime.find(Scope::Kernel, "ip_defttl").unwrap();
    runtime.set(Scope::Kernel, "ip_defttl", &Literal::Int(33)).unwrap();
    assert_eq!(bytes(&runtime, at(ttl.address), 4), 64_u32.to_le_bytes());
    let arena = runtime.find(Scope::Kernel, "modspace").unwrap().address;
    assert_ne!(bytes(&runtime, at(arena), 8), [5; 8], "not initialised without a module");
    runtime.place_module("m", &[5; 8]).unwrap();
    assert_eq!(bytes(&runtime, at(arena), 8), [5; 8]);
}

#[test]
fn jails_are_on_both_lists_and_share_their_parents_stack() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        let jail = |name: &str, jid| JailOptions { jid: Some(jid), ..JailOptions::new(name) };
        runtime.create_jail(&jail("late", 9)).unwrap();
        runtime.create_jail(&jail("early", 3)).unwrap();
        let shared = JailOptions { parent: Some("late".into()), vnet: false, ..jail("inner", 5) };
        assert_eq!(runtime.create_jail(&shared).unwrap(), "late.inner");
        let again = refused(runtime.create_jail(&jail("late.inner", 6)));
        assert!(again.contains("late.inner"), "{again}");

        let (late, inner) =
            (runtime.prison("late").unwrap(), runtime.prison("late.inner").unwrap());
        let early = runtime.prison("early").unwrap();
        let get = |object: Object, path| runtime.kernel().get(object, path).unwrap();
        assert_eq!(global(&runtime, "allprison.tqh_first"), early.address.get(), "sorted by id");
        assert_eq!(get(early, "pr_list.tqe_next"), inner.address.get());
        assert_eq!(get(inner, "pr_list.tqe_next"), late.address.get());
        assert_eq!(get(late, "pr_list.tqe_next"), 0);
        assert_eq!(get(inner, "pr_vnet"), get(late, "pr_vnet"));
        assert_ne!(get(early, "pr_vnet"), get(late, "pr_vnet"));
        let flags = |prison| get(prison, "pr_flags") & 0x13;
        assert_eq!((flags(late), flags(inner)), (0x11, 0x1), "persistent, vnet");
        // Each holds itself, and the child its parent.
        assert_eq!((get(late, "pr_ref"), get(late, "pr_uref"), get(inner, "pr_ref")), (2, 2, 1));
        assert_eq!(get(inner, "pr_parent"), late.address.get());
        assert_eq!(get(late, "pr_children.lh_first"), inner.address.get());
        assert_eq!((get(late, "pr_childcount"), global(&runtime, "prison0.pr_childcount")), (1, 3));
        let name = runtime.kernel().member(inner, "pr_name").unwrap().address;
        assert!(bytes(&runtime, name, 256).starts_with(b"late.inner\0"));
        if kernel == NEWER {
            assert_eq!(get(late, "pr_state"), 1, "PRISON_STATE_ALIVE");
        }
        assert!(refused(runtime.destroy_jail("late")).contains("child jails"));
        runtime.destroy_jail("late.inner").unwrap();
        runtime.destroy_jail("late").unwrap();
        assert_eq!(runtime.vnets().unwrap().len(), 2);
        assert_eq!(global(&runtime, "prison0.pr_childcount"), 1);
    }
}

#[test]
fn a_thread_in_the_network_stack_has_its_jails_curvnet() {
    let mut runtime = boot(CLASSIC, &[0, 1]);
    runtime.create_jail(&JailOptions::new("web")).unwrap();
    let jail = Some("web".to_owned());
    let idle = ProcessOptions { jail: jail.clone(), ..ProcessOptions::new("idle") };
    let idle = runtime.create_process(&idle).unwrap();
    let busy = ProcessOptions {
        jail,
        in_network_stack: true,
        dumping: true,
        ..ProcessOptions::new("nginx")
    };
    let busy = runtime.create_process(&busy).unwrap();
    let get = |object: Object, path| runtime.kernel().get(object, path).unwrap();
    let web = runtime.jail_vnet("web").unwrap().unwrap();
    assert_eq!((get(idle, "td_vnet"), get(busy, "td_vnet")), (0, web.0.get()));
    assert_eq!(global(&runtime, "dumptid"), get(busy, "td_tid"));
    let process =
        runtime.kernel().object(VirtAddr::new(get(busy, "td_proc")), "struct proc").unwrap();
    assert_eq!(global(&runtime, "allproc.lh_first"), process.address.get(), "newest first");
    assert_eq!(get(process, "p_threads.tqh_first"), busy.address.get());
    let cred =
        runtime.kernel().object(VirtAddr::new(get(process, "p_ucred")), "struct ucred").unwrap();
    assert_eq!(get(cred, "cr_prison"), runtime.prison("web").unwrap().address.get());
    assert!(refused(runtime.destroy_jail("web")).contains("processes"));
}

#[test]
fn counters_are_pointers_in_old_kernels_and_offsets_in_new_ones() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0, 2, 3]);
        let vnet = runtime.vnet_alloc().unwrap();
        let members = BTreeMap::from([("ips_total".to_owned(), vec![60, 5, 1])]);
        runtime.set_statistics(Scope::Vnet(vnet), "ipstat", None, &members).unwrap();
        let value = in_vnet(&runtime, vnet, "ipstat[0]");
        let first = match kernel {
            NEWER => value.wrapping_add(global(&runtime, "__pcpu")),
            _ => value,
        };
        let machine = runtime.kernel().machine();
        let slots: Vec<_> =
            (0..4).map(|cpu| machine.uint(VirtAddr::new(first + cpu * 4096), 8).unwrap()).collect();
        assert_eq!(slots, [60, 0, 5, 1], "slot n belongs to CPU n, whether it exists or not");
        assert_ne!(in_vnet(&runtime, vnet, "ipstat[28]"), 0, "the constructor allocates all");
        assert_eq!((global(&runtime, "mp_ncpus"), global(&runtime, "mp_maxid")), (3, 3));
        assert_eq!(global(&runtime, "all_cpus.__bits[0]"), 0b1101);
    }
}

#[test]
fn interfaces_come_home_when_their_stack_dies() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        runtime.create_jail(&JailOptions::new("web")).unwrap();
        let web = runtime.jail_vnet("web").unwrap().unwrap();
        let vnet0 = runtime.vnet0().unwrap();
        let jail = Some("web".to_owned());
        let addresses = vec!["172.16.0.2/24".to_owned(), "fd00::2/64".to_owned()];
        let borrowed =
            InterfaceOptions { jail: jail.clone(), addresses, ..InterfaceOptions::new("epair0b") };
        let borrowed = runtime.create_interface(&borrowed).unwrap();
        let own = InterfaceOptions { home: jail, ..InterfaceOptions::new("lo0") };
        let own = runtime.create_interface(&own).unwrap();

        let get = |runtime: &Runtime, object, path| runtime.kernel().get(object, path).unwrap();
        assert_eq!(get(&runtime, borrowed, "if_vnet"), web.0.get());
        assert_eq!(get(&runtime, borrowed, "if_home_vnet"), vnet0.0.get());
        assert_eq!(get(&runtime, own, "if_home_vnet"), web.0.get());
        assert_eq!(in_vnet(&runtime, web, "ifnet.cstqh_first"), borrowed.address.get());
        assert_eq!(get(&runtime, borrowed, "if_link.cstqe_next"), own.address.get());
        assert_eq!(vnet_member(&runtime, web, "vnet_ifcnt"), 2);

        let first = VirtAddr::new(get(&runtime, borrowed, "if_addrhead.cstqh_first"));
        let first = runtime.kernel().object(first, "struct ifaddr").unwrap();
        let sockaddr = VirtAddr::new(get(&runtime, first, "ifa_addr"));
        assert_eq!(bytes(&runtime, sockaddr, 8), [16, 2, 0, 0, 172, 16, 0, 2]);
        let netmask = VirtAddr::new(get(&runtime, first, "ifa_netmask"));
        assert_eq!(bytes(&runtime, netmask, 8), [7, 2, 0, 0, 255, 255, 255, 0]);

        runtime.destroy_jail("web").unwrap();
        assert_eq!(get(&runtime, borrowed, "if_vnet"), vnet0.0.get());
        assert_eq!(in_vnet(&runtime, vnet0, "ifnet.cstqh_first"), borrowed.address.get());
        assert_eq!(vnet_member(&runtime, vnet0, "vnet_ifcnt"), 1);
        assert_eq!(vnet_member(&runtime, web, "vnet_ifcnt"), 0);
        let live = runtime.kernel().machine().allocations().filter(|(_, a)| a.kind == "ifnet");
        assert!(live.into_iter().all(|(at, _)| at != own.address), "its own are freed");
    }
}

#[test]
fn a_full_name_says_whose_child_a_jail_is() {
    let mut runtime = boot(CLASSIC, &[0]);
    let mut create = |name: &str, parent: Option<&str>| {
        let parent = parent.map(String::from);
        runtime.create_jail(&JailOptions { parent, ..JailOptions::new(name) })
    };
    create("outer", None).unwrap();
    for (name, parent, full) in [
        ("outer.own", Some("outer"), "outer.own"),
        ("outer.own.more", None, "outer.own.more"),
        ("own.last", Some("outer"), "outer.own.last"),
        ("outer", Some("outer"), "outer.outer"),
        ("outermost", Some("0"), "outermost"),
    ] {
        assert_eq!(create(name, parent).unwrap(), full);
    }
    assert!(refused(create("nobody.inner", None)).contains("no jail named nobody"));
    let get = |name, path| runtime.kernel().get(runtime.prison(name).unwrap(), path).unwrap();
    let address = |name| runtime.prison(name).unwrap().address.get();
    assert_eq!(get("outer.own", "pr_parent"), address("outer"));
    assert_eq!(get("outer.own.more", "pr_parent"), address("outer.own"));
    assert_eq!(get("outer.own.last", "pr_parent"), address("outer.own"));
    assert_eq!(get("outer", "pr_childcount"), 4);
}

#[test]
fn the_table_of_interfaces_grows() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        let mut ifnets = Vec::new();
        for number in 1..=200 {
            let name = format!("tap{number}");
            ifnets.push(runtime.create_interface(&InterfaceOptions::new(name)).unwrap());
        }
        let host = runtime.host();
        let number = |name| {
            let variable = runtime.find(host, name).or_else(|_| runtime.find(Scope::Kernel, name));
            runtime.kernel().load_uint(variable.unwrap()).unwrap()
        };
        let (table, entry) = (number("ifindex_table"), if kernel == NEWER { 16 } else { 8 });
        for (index, ifnet) in (1..).zip(&ifnets) {
            let at = VirtAddr::new(table + index * entry);
            assert_eq!(runtime.kernel().machine().pointer(at).unwrap(), ifnet.address, "{index}");
            assert_eq!(runtime.kernel().get(*ifnet, "if_index").unwrap(), index);
        }
        assert_eq!(number("if_index"), 200);
        if kernel == CLASSIC {
            assert_eq!(number("if_indexlim"), 256, "doubled from 8");
        }
    }
}

#[test]
fn interfaces_have_the_lowest_free_number_of_their_stack() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel, &[0]);
        runtime.create_jail(&JailOptions::new("web")).unwrap();
        let (host, web) = (runtime.host(), runtime.jail_scope("web").unwrap());
        let mut create =
            |name: &str| runtime.create_interface(&InterfaceOptions::new(name)).unwrap();
        let (first, second) = (create("em0"), create("em1"));
        let index = |runtime: &Runtime, ifnet| runtime.kernel().get(ifnet, "if_index").unwrap();
        assert_eq!((index(&runtime, first), index(&runtime, second)), (1, 2));
        runtime.if_vmove(first, web).unwrap();
        let third = runtime.create_interface(&InterfaceOptions::new("em2")).unwrap();
        if kernel == NEWER {
            assert_eq!((index(&runtime, first), index(&runtime, third)), (1, 3), "one for all");
            continue;
        }
        assert_eq!((index(&runtime, first), index(&runtime, third)), (1, 1), "each its own");
        let entry = |runtime: &Runtime, scope, index: u64| {
            let table = runtime.find(scope, "ifindex_table").unwrap();
            let table = runtime.kernel().load_uint(table).unwrap();
            runtime.kernel().machine().pointer(VirtAddr::new(table + index * 8)).unwrap()
        };
        assert_eq!(entry(&runtime, web, 1), first.address);
        assert_eq!(entry(&runtime, host, 1), third.address);
        runtime.if_vmove(second, web).unwrap();
        assert!(entry(&runtime, host, 2).is_null(), "given back");
        let last = runtime.find(host, "if_index").unwrap();
        assert_eq!(runtime.kernel().load_uint(last).unwrap(), 1);
    }
}

#[test]
fn values_follow_their_types() {
    let mut runtime = boot(CLASSIC, &[0]);
    let host = runtime.host();
    let text = |value: &str| Literal::Text(value.into());
    let ok = [
        ("V_ip_defttl", Literal::Int(128)),
        ("tcbinfo.ipi_count", Literal::Int(5)),
        ("tcbinfo.ipi_hashbase", text("&vnet_head+8")),
        ("ip_defttl@raw_ip.c", text("0x40")),
    ];
    for (path, value) in ok {
        runtime.set(host, path, &value).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let get = |path| in_vnet(&runtime, runtime.vnet0().unwrap(), path);
    assert_eq!((get("ip_defttl"), get("tcbinfo.ipi_count")), (64, 5));
    let head = runtime.kernel().kernel().symbol("vnet_head").unwrap().address;
    assert_eq!(get("tcbinfo.ipi_hashbase"), head.get() + 8);

    let wrong = [
        ("no_such_variable", Literal::Int(1), "no virtualized variable"),
        ("tcbinfo.ipi_cuont", Literal::Int(1), "ipi_cuont"),
        ("ip_defttl", Literal::Int(1 << 40), "does not fit in 32 bits"),
        ("ip_defttl", text("many"), "is no number"),
        ("tcbinfo", Literal::Int(1), "cannot hold a number"),
        ("tcbinfo.ipi_hashbase", text("&nothing"), "no symbol nothing"),
        ("ipstat[1000]", Literal::Int(1), "no element 1000"),
        ("ipv4_hashtbl", Literal::Int(0), "several files"),
    ];
    for (path, value, message) in wrong {
        let error = refused(runtime.set(host, path, &value));
        assert!(error.contains(message), "{path}: {error}");
    }
}

#[test]
fn a_kernel_without_vimage_has_one_stack() {
    let mut runtime = boot(PLAIN, &[0]);
    assert_eq!((runtime.vnet0(), runtime.host()), (None, Scope::Kernel));
    assert!(refused(runtime.vnet_alloc()).contains("VIMAGE"));
    runtime.create_jail(&JailOptions::new("web")).unwrap();
    let interface = InterfaceOptions { jail: Some("web".into()), ..InterfaceOptions::new("em0") };
    let interface = runtime.create_interface(&interface).unwrap();
    assert_eq!(global(&runtime, "ifnet.cstqh_first"), interface.address.get());
    runtime.set(Scope::Kernel, "ip_defttl", &Literal::Int(99)).unwrap();
    assert_eq!(global(&runtime, "ip_defttl"), 99);
}
