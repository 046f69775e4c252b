//! The VNET machinery of the runtime against the kernel's rules: what runs when, what a stack
//! that was left half way looks like, who holds which lock.

#![cfg(feature = "image")]

mod construction;

use proptest::prelude::*;
use vnetkvm::addr::VirtAddr;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{
    Event, HandlerOptions, Holder, JailOptions, Place, ProcessOptions, Runtime, Scope, Stop,
    Sysinit, SysinitKind, SysinitOptions, Vnet, Waiter,
};
use vnetkvm::image::{ImageError, Literal};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const CLASSIC: &str = "classic-clang-dwarf4";
const NEWER: &str = "newer-clang-dwarf4";
const PLAIN: &str = "plain-clang-dwarf4";
const VNET_DEBUG: &str = "small-vnet-debug-dwarf4";
/// One of each architecture and shape.
const KERNELS: [&str; 10] = [
    CLASSIC,
    NEWER,
    "i386",
    "i386-newer",
    "armv7",
    "arm64",
    "arm64-newer",
    "riscv64",
    "powerpc64",
    "powerpc64le",
];

use SysinitKind::{Constructor, Destructor};

fn boot(name: &str) -> Runtime {
    let source = Source::open(format!("fixtures/kernel/{name}")).unwrap();
    let kernel = Kernel::open(source, None).unwrap();
    let loaded = LoadedKernel::load(kernel, MachineOptions::default()).unwrap();
    Runtime::boot(loaded, &[0, 2]).unwrap()
}

fn get(runtime: &Runtime, object: Object, path: &str) -> u64 {
    runtime.kernel().get(object, path).unwrap()
}

fn of_vnet(runtime: &Runtime, vnet: Vnet, member: &str) -> u64 {
    get(runtime, runtime.vnet_object(vnet).unwrap(), member)
}

fn global(runtime: &Runtime, path: &str) -> u64 {
    let object = runtime.find(Scope::Kernel, path).unwrap();
    runtime.kernel().load_uint(object).unwrap()
}

fn refused(result: Result<impl std::fmt::Debug, ImageError>) -> String {
    result.unwrap_err().to_string()
}

fn function_name(runtime: &Runtime, function: VirtAddr) -> String {
    runtime.kernel().symbol_at(function).unwrap().0.name.to_owned()
}

/// The function that a call returns to. The call may be its last instruction.
fn caller_name(runtime: &Runtime, back: VirtAddr) -> String {
    function_name(runtime, VirtAddr::new(back.get() - 1))
}

fn names(runtime: &Runtime, kind: SysinitKind) -> Vec<String> {
    let all = runtime.sysinits(kind).unwrap();
    all.iter().map(|entry| function_name(runtime, entry.function)).collect()
}

fn key(entry: &Sysinit) -> (u64, u64) {
    (entry.subsystem, entry.order)
}

fn options(name: &str, subsystem: &str, order: &str, function: &str) -> SysinitOptions {
    SysinitOptions {
        name: name.into(),
        subsystem: subsystem.into(),
        order: order.into(),
        function: function.into(),
        argument: 7,
    }
}

fn called(trace: &[Event], wanted: SysinitKind) -> Vec<(String, Option<Vnet>)> {
    let calls = trace.iter().filter_map(|event| match event {
        Event::Called { kind, function, vnet } if *kind == wanted => {
            Some((function.clone(), *vnet))
        }
        _ => None,
    });
    calls.collect()
}

#[test]
fn statistics_live_as_long_as_their_constructor_and_destructor_say() {
    for kernel in [CLASSIC, NEWER, "i386", "powerpc64"] {
        let mut runtime = boot(kernel);
        let vnet = runtime.vnet_alloc().unwrap();
        let first =
            |runtime: &Runtime, scope, name: &str| runtime.counters(scope, name).unwrap()[0];
        let (ip, tcp) = (
            first(&runtime, Scope::Vnet(vnet), "ipstat"),
            first(&runtime, Scope::Vnet(vnet), "tcpstat"),
        );
        assert_eq!(runtime.fetch_counter(ip).unwrap(), 0);
        assert_eq!(runtime.kernel().load_uint(tcp).unwrap(), 0, "NULL before its constructor");
        assert!(refused(runtime.fetch_counter(tcp)).contains("never allocated"));

        let own = options("tcpstat", "SI_SUB_INIT_IF", "SI_ORDER_FIRST", "tcp_vnet_init");
        runtime.vnet_pcpustat_sysinit("tcpstat", &own).unwrap();
        let scope = Scope::Vnet(vnet);
        let add = |runtime: &mut Runtime, values: &[u64]| {
            runtime.vnet_pcpustat_add(scope, "tcpstat", "struct tcpstat", "tcps_connects", values)
        };
        add(&mut runtime, &[3, 4]).unwrap();
        add(&mut runtime, &[u64::MAX, 1]).unwrap();
        let connects = runtime.counters(scope, "tcpstat").unwrap();
        let sums: Vec<_> = connects.iter().map(|c| runtime.fetch_counter(*c).unwrap()).collect();
        assert_eq!(sums.iter().filter(|sum| **sum == 7).count(), 1, "modulo 2^64");
        assert!(refused(add(&mut runtime, &[1, 2, 3])).contains("3 values for 2 CPUs"));

        let before = runtime.kernel().load_uint(tcp).unwrap();
        runtime.vnet_pcpustat_free(scope, "tcpstat").unwrap();
        assert_eq!(runtime.kernel().load_uint(tcp).unwrap(), before, "stale");
        runtime.set_early_counter(tcp).unwrap();
        assert!(refused(runtime.fetch_counter(tcp)).contains("never allocated"));
    }
}

#[test]
fn locks_say_who_holds_them() {
    for kernel in [CLASSIC, "i386", "powerpc64"] {
        let mut runtime = boot(kernel);
        let thread = runtime.create_process(&ProcessOptions::new("holder")).unwrap().address;
        let word = |runtime: &Runtime| global(runtime, "vnet_sxlock.sx_lock");
        assert_eq!(word(&runtime), 1);
        assert!(refused(runtime.vnet_foreach()).contains("neither"));
        runtime.vnet_list_rlock().unwrap();
        runtime.vnet_list_rlock().unwrap();
        assert_eq!(word(&runtime), 2 << 5 | 1);
        assert_eq!(runtime.vnet_foreach().unwrap().len(), 1);
        assert!(refused(runtime.vnet_list_wlock(thread)).contains("2 readers"));
        runtime.wait_for("vnet_sxlock", Waiter::Exclusive).unwrap();
        assert_eq!(word(&runtime), 2 << 5 | 1 | 4);
        runtime.vnet_list_runlock().unwrap();
        runtime.vnet_list_runlock().unwrap();
        assert_eq!(word(&runtime), 1);
        assert!(refused(runtime.vnet_list_runlock()).contains("vnet_sxlock"));

        runtime.vnet_list_wlock(thread).unwrap();
        assert_eq!(word(&runtime), thread.get());
        assert_eq!(global(&runtime, "vnet_rwlock.rw_lock"), thread.get());
        runtime.wait_for("vnet_sxlock", Waiter::Shared).unwrap();
        assert_eq!(runtime.holder("vnet_sxlock").unwrap(), Holder::Exclusive(thread));
        assert_eq!(word(&runtime), thread.get() | 2);
        assert!(refused(runtime.vnet_list_rlock()).contains("exclusively"));
        runtime.vnet_list_wunlock(thread).unwrap();
        assert_eq!(runtime.holder("vnet_sxlock").unwrap(), Holder::Nobody);

        runtime.hold_exclusive("vnet_data_free_lock", thread).unwrap();
        runtime.recurse("vnet_data_free_lock").unwrap();
        assert_eq!(global(&runtime, "vnet_data_free_lock.sx_lock"), thread.get() | 16);
        assert!(refused(runtime.destroy_lock("vnet_data_free_lock")).contains("is held"));
        runtime.release_exclusive("vnet_data_free_lock", thread).unwrap();
        runtime.destroy_lock("vnet_data_free_lock").unwrap();
        assert_eq!(global(&runtime, "vnet_data_free_lock.sx_lock"), 6);
        assert!(refused(runtime.hold_shared("vnet_data_free_lock")).contains("is destroyed"));
        assert!(refused(runtime.recurse("vnet_sxlock")).contains("nobody holds"));

        // 10.x and 11.x count readers one bit lower.
        runtime.set(Scope::Kernel, "osreldate", &Literal::Int(1_004_000)).unwrap();
        runtime.vnet_list_rlock_nosleep().unwrap();
        assert_eq!(global(&runtime, "vnet_rwlock.rw_lock"), 1 << 4 | 1);
        runtime.vnet_list_runlock_nosleep().unwrap();
        runtime.hold_exclusive("vnet_rwlock", thread).unwrap();
        assert!(refused(runtime.recurse("vnet_rwlock")).contains("does not tell"));
    }
}

#[test]
fn global_event_handlers_run_once_for_each_stack() {
    for kernel in [CLASSIC, NEWER, "arm64"] {
        let mut runtime = boot(kernel);
        let (vnet0, vnet) = (runtime.vnet0().unwrap(), runtime.vnet_alloc().unwrap());
        let thread = runtime.create_process(&ProcessOptions::new("pagedaemon")).unwrap();
        let handler = |function: &str, priority| HandlerOptions {
            event: "vm_lowmem".into(),
            function: function.into(),
            argument: 9,
            priority,
        };
        let global = |runtime: &mut Runtime, vnet, function, priority| {
            let curvnet = Scope::Vnet(vnet);
            runtime
                .vnet_global_eventhandler_register(curvnet, &handler(function, priority))
                .unwrap()
        };
        let tag = global(&mut runtime, vnet0, "ip_init", 500).unwrap();
        assert_eq!(global(&mut runtime, vnet, "ip_init", 500), None, "curvnet is not vnet0");
        runtime.eventhandler_register(&handler("ip_input", 100)).unwrap();
        runtime.eventhandler_register(&handler("udp_input", 500)).unwrap();
        let dead = runtime.eventhandler_register(&handler("udp_init", 0)).unwrap();
        runtime.eventhandler_kill("vm_lowmem", dead).unwrap();

        let entry = runtime.kernel().object(tag, "struct eventhandler_entry_generic").unwrap();
        let iterator = VirtAddr::new(get(&runtime, entry, "func"));
        assert_eq!(function_name(&runtime, iterator), "vnet_global_eventhandler_iterator_func");
        let real = VirtAddr::new(get(&runtime, entry, "ee.ee_arg"));
        let real = runtime.kernel().object(real, "struct eventhandler_entry_vimage").unwrap();
        assert_eq!(get(&runtime, real, "ee_arg"), 9);

        runtime.take_trace();
        runtime.eventhandler_invoke("vm_lowmem", thread).unwrap();
        let event = |function: &str, vnet| Event::Handler {
            event: "vm_lowmem".into(),
            function: function.into(),
            vnet,
        };
        let expected = [
            event("ip_input", None),
            event("ip_init", Some(vnet)),
            event("ip_init", Some(vnet0)),
            event("udp_input", None),
        ];
        assert_eq!(runtime.take_trace(), expected, "{kernel}");
        assert_eq!(runtime.holder("vnet_sxlock").unwrap(), Holder::Nobody);
        assert_eq!(runtime.curvnet(thread).unwrap().get(), 0);
        runtime.eventhandler_deregister("vm_lowmem", tag).unwrap();
        runtime.eventhandler_invoke("vm_lowmem", thread).unwrap();
        assert_eq!(runtime.take_trace(), [expected[0].clone(), expected[3].clone()]);
    }
}

const HERE: Place<'static> = Place { file: "net/if.c", line: 10, function: "if_ioctl" };
const THERE: Place<'static> = Place { file: "net/if.c", line: 20, function: "if_vmove" };

#[test]
fn curvnet_nests_and_vnet_debug_logs_it_once() {
    for kernel in [CLASSIC, VNET_DEBUG] {
        let mut runtime = boot(kernel);
        let (vnet0, vnet) = (runtime.vnet0().unwrap().0, runtime.vnet_alloc().unwrap().0);
        let thread = runtime.create_process(&ProcessOptions::new("ifconfig")).unwrap();
        for _ in 0..2 {
            let outer = runtime.curvnet_set(thread, vnet0, HERE).unwrap();
            let inner = runtime.curvnet_set(thread, vnet, THERE).unwrap();
            let quiet = runtime.curvnet_set_quiet(thread, vnet0, HERE).unwrap();
            assert_eq!(runtime.curvnet(thread).unwrap(), vnet0);
            runtime.curvnet_restore(quiet, HERE).unwrap();
            assert_eq!(runtime.curvnet(thread).unwrap(), vnet);
            runtime.curvnet_restore(inner, THERE).unwrap();
            runtime.curvnet_restore(outer, HERE).unwrap();
            assert_eq!(runtime.curvnet(thread).unwrap().get(), 0);
        }
        let logged = runtime.vnet_recursions().unwrap();
        let debug = kernel == VNET_DEBUG;
        assert_eq!(logged.len(), usize::from(debug), "each place once");
        if let [logged] = &logged[..] {
            let text = |at| runtime.kernel().text(at).unwrap();
            assert_eq!(
                (text(logged.prev_fn), text(logged.where_fn)),
                ("if_ioctl".into(), "if_vmove".into())
            );
            assert_eq!((logged.where_line, logged.old_vnet, logged.new_vnet), (20, vnet0, vnet));
        }
        assert_eq!(get(&runtime, thread, "td_vnet_lpush"), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Each place is logged once, and once more if old and new stack are the same there.
    #[test]
    fn any_nesting_of_curvnets_is_logged_by_place(
        nesting in prop::collection::vec((0..3_usize, 0..3_u32, 0..2_usize, any::<bool>()), 1..24)
    ) {
        let mut runtime = boot(VNET_DEBUG);
        let vnets = [runtime.vnet0().unwrap().0, runtime.vnet_alloc().unwrap().0];
        let thread = runtime.create_process(&ProcessOptions::new("ifconfig")).unwrap();
        let functions = ["if_ioctl", "if_vmove", "if_clone"];
        let (mut saved, mut model) = (Vec::new(), Vec::new());
        let mut outer: Option<(usize, usize)> = None;
        for (function, line, vnet, quiet) in nesting {
            let place = Place { file: "net/if.c", line, function: functions[function] };
            let set = if quiet { Runtime::curvnet_set_quiet } else { Runtime::curvnet_set };
            saved.push((set(&mut runtime, thread, vnets[vnet], place).unwrap(), place));
            if let Some((by, old)) = outer.filter(|_| !quiet) {
                let same = model.iter().any(|known: &(usize, usize, u32, usize, usize)| {
                    (known.0, known.1, known.2) == (by, function, line)
                        && (known.3 == known.4) == (old == vnet)
                });
                if !same {
                    model.push((by, function, line, old, vnet));
                }
            }
            outer = Some((function, vnet));
        }
        let logged = runtime.vnet_recursions().unwrap();
        let text = |at| runtime.kernel().text(at).unwrap();
        let logged: Vec<_> = logged.iter().rev().map(|entry| {
            let place = |vnet| vnets.iter().position(|known| *known == vnet).unwrap();
            let by = |at| functions.iter().position(|known| *known == text(at)).unwrap();
            let line = entry.where_line as u32;
            (by(entry.prev_fn), by(entry.where_fn), line, place(entry.old_vnet), place(entry.new_vnet))
        }).collect();
        prop_assert_eq!(logged, model);
        for (saved, place) in saved.into_iter().rev() {
            runtime.curvnet_restore(saved, place).unwrap();
        }
        prop_assert!(runtime.curvnet(thread).unwrap().is_null());
    }
}

#[test]
fn a_dead_or_missing_curvnet_fails_the_kernel_s_assertion() {
    let mut runtime = boot(CLASSIC);
    let vnet = runtime.vnet_alloc().unwrap();
    let thread = runtime.create_process(&ProcessOptions::new("ifconfig")).unwrap();
    let outer = runtime.curvnet_set(thread, vnet.0, HERE).unwrap();
    let inner = runtime.curvnet_set(thread, runtime.vnet0().unwrap().0, THERE).unwrap();
    runtime.vnet_destroy(vnet).unwrap();
    let error = refused(runtime.curvnet_restore(inner, THERE));
    assert!(error.contains("CURVNET_RESTORE at net/if.c:20 if_vmove() curvnet="), "{error}");
    let error = refused(runtime.curvnet_set(thread, vnet.0, HERE));
    assert!(error.contains("CURVNET_SET at net/if.c:10 if_ioctl() curvnet="), "{error}");
    assert!(refused(runtime.curvnet_set(thread, VirtAddr::new(0), HERE)).contains("vnet=0x0"));
    runtime.curvnet_restore(outer, HERE).unwrap();
    assert!(refused(runtime.curvnet_restore(outer, HERE)).contains("CURVNET_RESTORE"));
}

#[test]
fn everybody_belongs_to_the_stack_of_their_prison() {
    let mut runtime = boot(NEWER);
    runtime.create_jail(&JailOptions::new("web")).unwrap();
    let web = runtime.jail_vnet("web").unwrap();
    let inside = ProcessOptions { jail: Some("web".into()), ..ProcessOptions::new("nginx") };
    let thread = runtime.create_process(&inside).unwrap();
    let process = VirtAddr::new(get(&runtime, thread, "td_proc"));
    let process = runtime.kernel().object(process, "struct proc").unwrap();
    assert_eq!(runtime.td_to_vnet(thread).unwrap(), web);
    assert_eq!(runtime.p_to_vnet(process).unwrap(), web);
    assert!(!runtime.is_default_vnet(web));
    assert!(runtime.is_default_vnet(runtime.vnet0()));
    assert_eq!(runtime.curvnet(thread).unwrap().get(), 0, "curvnet is another matter");
}

#[test]
fn without_vimage_the_macros_shrink_to_plain_ones() {
    let mut runtime = boot(PLAIN);
    let thread = runtime.create_process(&ProcessOptions::new("ifconfig")).unwrap();
    assert_eq!(runtime.td_to_vnet(thread).unwrap(), None);
    assert!(runtime.is_default_vnet(None));
    let saved = runtime.curvnet_set(thread, VirtAddr::new(0), HERE).unwrap();
    runtime.curvnet_restore(saved, HERE).unwrap();
    runtime.vnet_list_rlock().unwrap();
    assert_eq!(runtime.vnet_foreach().unwrap(), [], "12.1");
    runtime.set(Scope::Kernel, "osreldate", &Literal::Int(1_500_012)).unwrap();
    assert_eq!(runtime.vnet_foreach().unwrap(), [Scope::Kernel]);
    runtime.vnet_list_runlock().unwrap();

    runtime.take_trace();
    let once = options("ipstat", "SI_SUB_INIT_IF", "SI_ORDER_FIRST", "ip_init");
    runtime.vnet_pcpustat_sysinit("ipstat", &once).unwrap();
    assert_eq!(called(runtime.trace(), Constructor), [("ip_init".to_owned(), None)], "a SYSINIT");
    let counter = runtime.counters(Scope::Kernel, "ipstat").unwrap()[0];
    assert_eq!(runtime.fetch_counter(counter).unwrap(), 0);

    let handler = HandlerOptions {
        event: "vm_lowmem".into(),
        function: "ip_init".into(),
        argument: 0,
        priority: 1,
    };
    let tag = runtime.vnet_global_eventhandler_register(Scope::Kernel, &handler).unwrap().unwrap();
    let entry = runtime.kernel().object(tag, "struct eventhandler_entry_generic").unwrap();
    let function = VirtAddr::new(get(&runtime, entry, "func"));
    assert_eq!(function_name(&runtime, function), "ip_init", "no iterator");
}
