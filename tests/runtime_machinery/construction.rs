//! What runs when a stack is made or destroyed, and what one that was left half way looks like.

use super::*;

#[test]
fn boot_registers_what_the_kernel_file_declares_in_order() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        let vnet0 = runtime.vnet0().unwrap();
        for kind in [Constructor, Destructor] {
            let all = runtime.sysinits(kind).unwrap();
            assert!(all.len() >= 9, "{kernel}: {} {kind:?}s", all.len());
            assert!(all.is_sorted_by_key(key), "{kernel} {kind:?}");
        }
        let constructors = names(&runtime, Constructor);
        assert!(constructors.contains(&"vnet_if_init".to_owned()), "{constructors:?}");
        // vnet0 comes first, then each constructor runs on it as it is registered: no state.
        let trace = runtime.take_trace();
        assert_eq!(trace[..2], [Event::Allocated(vnet0), Event::Linked(vnet0)]);
        let calls = called(&trace, Constructor);
        assert_eq!(calls.len(), constructors.len());
        assert!(calls.iter().all(|(_, vnet)| *vnet == Some(vnet0)));
        assert!(!trace.iter().any(|event| matches!(event, Event::State { .. })));
        assert_eq!(of_vnet(&runtime, vnet0, "vnet_state"), 0);
    }
}

#[test]
fn a_new_stack_runs_constructors_forward_and_a_dying_one_destructors_in_reverse() {
    for kernel in [CLASSIC, NEWER, "powerpc64", "i386"] {
        let mut runtime = boot(kernel);
        let constructors = runtime.sysinits(Constructor).unwrap();
        let mut destructors = runtime.sysinits(Destructor).unwrap();
        destructors.reverse();
        runtime.take_trace();
        let vnet = runtime.vnet_alloc().unwrap();
        let mut expected = vec![Event::Allocated(vnet)];
        let call = |runtime: &Runtime, kind, entry: &Sysinit| {
            let function = function_name(runtime, entry.function);
            let state = Event::State { vnet, state: entry.subsystem };
            [state, Event::Called { kind, function, vnet: Some(vnet) }]
        };
        for entry in &constructors {
            expected.extend(call(&runtime, Constructor, entry));
        }
        expected.push(Event::State { vnet, state: 0x0dc0_0000 });
        expected.push(Event::Linked(vnet));
        assert_eq!(runtime.take_trace(), expected, "{kernel}");

        runtime.vnet_destroy(vnet).unwrap();
        let mut expected = vec![Event::Unlinked(vnet)];
        if runtime.kernel().has(runtime.vnet_object(vnet).unwrap(), "vnet_shutdown") {
            expected.push(Event::Shutdown(vnet));
        }
        for entry in &destructors {
            expected.extend(call(&runtime, Destructor, entry));
        }
        expected.push(Event::Poisoned(vnet));
        assert_eq!(runtime.take_trace(), expected, "{kernel}");
    }
}

#[test]
fn late_registration_runs_on_listed_stacks_and_leaves_their_state() {
    let mut runtime = boot(CLASSIC);
    let (vnet0, old) = (runtime.vnet0().unwrap(), runtime.vnet_alloc().unwrap());
    runtime.take_trace();
    let late = options("late", "SI_SUB_PROTO_IF", "SI_ORDER_FIRST", "ip_input");
    runtime.vnet_sysinit(Constructor, &late).unwrap();
    runtime.vnet_sysinit(Destructor, &late).unwrap();
    let both = [("ip_input".to_owned(), Some(old)), ("ip_input".to_owned(), Some(vnet0))];
    assert_eq!(called(&runtime.take_trace(), Constructor), both, "newest first");
    assert_eq!(of_vnet(&runtime, vnet0, "vnet_state"), 0);
    assert_eq!(of_vnet(&runtime, old, "vnet_state"), 0x0dc0_0000);
    // vnet_loif_init of the kernel has the same place and came first.
    let all = names(&runtime, Constructor);
    let place = all.iter().position(|name| name == "ip_input").unwrap();
    assert_eq!(all[place - 1], "vnet_loif_init");

    runtime.take_trace();
    runtime.vnet_deregister(Constructor, "late").unwrap();
    assert_eq!(runtime.take_trace(), [], "deregistering a constructor runs nothing");
    runtime.vnet_deregister(Destructor, "late").unwrap();
    assert_eq!(called(&runtime.take_trace(), Destructor), both);
    assert!(!names(&runtime, Destructor).contains(&"ip_input".to_owned()));
    assert!(refused(runtime.vnet_deregister(Destructor, "late")).contains("late"));

    let early = options("early", "SI_SUB_VNET", "SI_ORDER_ANY", "ip_input");
    assert!(refused(runtime.vnet_sysinit(Constructor, &early)).contains("vnet sysinit too early"));
    let nowhere = options("nowhere", "SI_SUB_NOWHERE", "SI_ORDER_ANY", "ip_input");
    assert!(refused(runtime.vnet_sysinit(Constructor, &nowhere)).contains("SI_SUB_NOWHERE"));
    let nothing = options("nothing", "SI_SUB_PROTO_IF", "SI_ORDER_ANY", "no_such_function");
    assert!(refused(runtime.vnet_sysinit(Constructor, &nothing)).contains("no_such_function"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sorted by subsystem and order, stable: the list is what a stable sort makes of the order
    /// of registration, whatever was taken away in between.
    #[test]
    fn any_order_of_registration_sorts_stably(
        entries in prop::collection::vec((0..3u64, 0..3u64, any::<bool>()), 1..14)
    ) {
        let mut runtime = boot("i386");
        let functions = ["ip_input", "ip_init", "udp_input"];
        let own = |runtime: &Runtime| -> Vec<(u64, u64, u64)> {
            let all = runtime.sysinits(Destructor).unwrap();
            let all = all.into_iter().filter(|entry| entry.subsystem >= 0x0f00_0000);
            all.map(|entry| (entry.subsystem, entry.order, entry.argument.get())).collect()
        };
        let mut model = Vec::new();
        for (number, (subsystem, order, keep)) in entries.into_iter().enumerate() {
            let (subsystem, number) = (0x0f00_0000 + subsystem, number as u64);
            let name = format!("entry{number}");
            let options = SysinitOptions {
                name: name.clone(),
                subsystem: subsystem.to_string(),
                order: order.to_string(),
                function: functions[number as usize % 3].into(),
                argument: number,
            };
            runtime.vnet_sysinit(Destructor, &options).unwrap();
            if keep {
                model.push((subsystem, order, number));
            } else {
                runtime.vnet_deregister(Destructor, &name).unwrap();
            }
        }
        model.sort_by_key(|(subsystem, order, _)| (*subsystem, *order));
        prop_assert_eq!(own(&runtime), model);
    }
}

#[test]
fn a_stack_that_hangs_in_construction_is_on_no_list() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        let thread = runtime.create_process(&ProcessOptions::new("jail")).unwrap();
        let stop = Stop::parse("vnet_loif_init");
        // Small kernels of other architectures have fewer functions.
        let half = runtime.create_jail_until(&JailOptions::new("half"), &stop, thread).unwrap();
        let vnet = half.vnet;
        assert!(!runtime.vnets().unwrap().contains(&vnet), "{kernel}");
        assert_eq!(of_vnet(&runtime, vnet, "vnet_state"), 0x0840_0000, "SI_SUB_PROTO_IF");
        assert_eq!(get(&runtime, thread, "td_vnet"), vnet.0.get());
        let prison = runtime.prison("half").unwrap();
        assert_eq!(get(&runtime, prison, "pr_vnet"), 0);
        assert_eq!(global(&runtime, "allprison.tqh_first"), prison.address.get());
        if runtime.kernel().has(prison, "pr_state") {
            assert_eq!(get(&runtime, prison, "pr_state"), 0, "PRISON_STATE_INVALID");
        }
        assert_eq!(runtime.holder("vnet_sysinit_sxlock").unwrap(), Holder::Shared(1));
        // What ran before has run, what comes later has not.
        let ipstat = runtime.find(Scope::Vnet(vnet), "ipstat[0]").unwrap();
        assert_ne!(runtime.kernel().load_uint(ipstat).unwrap(), 0);
        let calls = called(&runtime.take_trace(), Constructor);
        assert_eq!(calls.last().unwrap(), &("vnet_loif_init".to_owned(), Some(vnet)));
    }
}

#[test]
fn a_stack_that_hangs_in_destruction_is_unlinked_and_its_prison_too() {
    for kernel in [CLASSIC, NEWER, "powerpc64"] {
        let mut runtime = boot(kernel);
        runtime.create_jail(&JailOptions::new("dying")).unwrap();
        let vnet = runtime.jail_vnet("dying").unwrap().unwrap();
        let thread = runtime.create_process(&ProcessOptions::new("jail")).unwrap();
        let stop = Stop::parse("SI_SUB_INIT_IF");
        let half = runtime.destroy_jail_until("dying", &stop, thread).unwrap();
        assert_eq!(half.kind, Destructor);
        assert!(!runtime.vnets().unwrap().contains(&vnet), "{kernel}");
        assert_eq!(global(&runtime, "allprison.tqh_first"), 0);
        assert_eq!(of_vnet(&runtime, vnet, "vnet_state"), 0x0300_0000);
        assert_ne!(of_vnet(&runtime, vnet, "vnet_magic_n"), 0xdead_beef);
        assert_ne!(of_vnet(&runtime, vnet, "vnet_data_mem"), 0);
        let prison = runtime.prison("dying").unwrap();
        assert_eq!(get(&runtime, prison, "pr_vnet"), vnet.0.get(), "still points at it");
        assert!(refused(runtime.destroy_jail("dying")).contains("being removed"));
        let unknown = Stop::parse("vnet_nothing_uninit");
        runtime.create_jail(&JailOptions::new("other")).unwrap();
        let error = runtime.destroy_jail_until("other", &unknown, thread);
        assert!(refused(error).contains("vnet_nothing_uninit"));
    }
}

/// Follows the frames from the registers of a pcb, by the calling convention's own rules.
fn backtrace(runtime: &Runtime, kernel: &str, pcb: Object) -> Vec<String> {
    let (frame, counter, caller, back) = match kernel {
        CLASSIC | NEWER => ("pcb_rbp", "pcb_rip", 0, 8),
        "i386" => ("pcb_ebp", "pcb_eip", 0, 4),
        "arm64" => ("pcb_x[29]", "pcb_pc", 0, 8),
        "arm64-newer" => ("pcb_x[10]", "pcb_x[11]", 0, 8),
        "riscv64" => ("pcb_s[0]", "pcb_ra", -16, -8),
        "armv7" => ("pcb_regs.sf_r11", "pcb_regs.sf_pc", 0, 4),
        // The link register is kept in the caller's frame.
        "powerpc64" | "powerpc64le" => ("pcb_sp", "pcb_lr", 0, 16),
        other => panic!("{other}"),
    };
    let machine = runtime.kernel().machine();
    let at = |frame: u64, offset: i64| VirtAddr::new(frame.wrapping_add_signed(offset));
    let mut found = vec![caller_name(runtime, VirtAddr::new(get(runtime, pcb, counter)))];
    let mut frame = get(runtime, pcb, frame);
    while frame != 0 && found.len() < 20 {
        let older = machine.pointer(at(frame, caller)).unwrap().get();
        let holder = if kernel.starts_with("powerpc") { older } else { frame };
        let back = match holder {
            0 => VirtAddr::new(0),
            holder => machine.pointer(at(holder, back)).unwrap(),
        };
        if !back.is_null() {
            found.push(caller_name(runtime, back));
        }
        frame = older;
    }
    found
}

#[test]
fn the_hanging_thread_s_stack_names_the_function() {
    for kernel in KERNELS.into_iter().filter(|kernel| *kernel != "i386-newer") {
        let mut runtime = boot(kernel);
        let thread = runtime.create_process(&ProcessOptions::new("jail")).unwrap();
        let stop = Stop::parse("vnet_loif_init");
        runtime.create_jail_until(&JailOptions::new("half"), &stop, thread).unwrap();
        let pcb = VirtAddr::new(get(&runtime, thread, "td_pcb"));
        let pcb = runtime.kernel().object(pcb, "struct pcb").unwrap();
        let calls = backtrace(&runtime, kernel, pcb);
        assert!(has_run(&calls, &["vnet_loif_init", "vnet_alloc"]), "{kernel}: {calls:?}");

        runtime.create_jail(&JailOptions::new("dying")).unwrap();
        let dumper = ProcessOptions { dumping: true, ..ProcessOptions::new("remover") };
        let dumper = runtime.create_process(&dumper).unwrap();
        let stop = Stop::parse("vnet_loif_uninit");
        runtime.destroy_jail_until("dying", &stop, dumper).unwrap();
        let pcb = runtime.find(Scope::Kernel, "dumppcb").unwrap();
        let calls = backtrace(&runtime, kernel, pcb);
        let run = ["panic", "vnet_loif_uninit", "vnet_destroy"];
        assert!(has_run(&calls, &run), "{kernel}: {calls:?}");
    }
}

/// Whether the calls have these one after the other.
fn has_run(calls: &[String], run: &[&str]) -> bool {
    calls.windows(run.len()).any(|calls| calls == run)
}
