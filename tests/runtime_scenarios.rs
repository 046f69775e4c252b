//! The machinery's steps in TOML: that they do what they say, and that what a kernel would not
//! do is an error which names the step.

#![cfg(feature = "image")]

use std::error::Error;

use vnetkvm::image::runtime::{Event, Holder, Runtime, Scope, SysinitKind};
use vnetkvm::image::{Image, ImageError, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

fn on(kernel: &str, steps: &str) -> Result<Image, ImageError> {
    let source = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    build(&Scenario::parse(steps)?, Kernel::open(source, None).unwrap())
}

fn number(runtime: &Runtime, scope: Scope, path: &str) -> u64 {
    runtime.kernel().load_uint(runtime.find(scope, path).unwrap()).unwrap()
}

fn machinery(name: &str) -> Image {
    let scenario = Scenario::open(format!("fixtures/scenarios/{name}.toml")).unwrap();
    build(&scenario, scenario.open_kernel().unwrap()).unwrap()
}

#[test]
fn the_machinery_scenarios_show_all_of_it() {
    for name in ["machinery", "machinery-newer"] {
        let image = machinery(name);
        let runtime = image.runtime();
        let vnet = |jail: &str| runtime.jail_vnet(jail).unwrap().unwrap();
        let listed = runtime.vnets().unwrap();
        assert_eq!(listed, [runtime.vnet0().unwrap(), vnet("web")], "{name}");
        let state = |jail: &str| {
            let object = runtime.vnet_object(vnet(jail)).unwrap();
            runtime.kernel().get(object, "vnet_state").unwrap()
        };
        assert_eq!((state("web"), state("dying")), (0x0dc0_0000, 0x0300_0000));
        assert!((0x0880_0000..0x0881_0000).contains(&state("half")));

        let (web, host) = (runtime.jail_scope("web").unwrap(), runtime.host());
        // lo0 is still there: its destructor is where the machine panicked. epair1b is home.
        let count = |jail: &str| {
            let object = runtime.vnet_object(vnet(jail)).unwrap();
            runtime.kernel().get(object, "vnet_ifcnt").unwrap()
        };
        assert_eq!((count("dying"), count("web")), (1, 2));
        let sum =
            |scope, name: &str| runtime.fetch_counter(runtime.counters(scope, name).unwrap()[0]);
        assert_eq!(sum(web, "ipstat").unwrap(), 66);
        assert_eq!(sum(web, "tcpstat").unwrap(), 0, "its constructor came late");
        assert_eq!(sum(web, "feat_sysctl_counter").unwrap(), 42);
        assert!(sum(web, "arpstat").is_err() && sum(web, "icmpstat").is_err());
        assert!(sum(host, "icmpstat").is_ok(), "stale, but a pointer");

        let owner = runtime.thread("ifconfig").unwrap().address;
        assert_eq!(runtime.holder("vnet_sxlock").unwrap(), Holder::Exclusive(owner));
        assert_eq!(runtime.holder("vnet_rwlock").unwrap(), Holder::Shared(3));
        let hanging = Holder::Shared(2);
        assert_eq!(runtime.holder("vnet_sysinit_sxlock").unwrap(), hanging, "half and dying");

        let late = runtime.sysctl_read(runtime.thread("ifconfig").unwrap(), "net.inet.ip.late");
        assert_eq!(late.unwrap(), 42_u32.to_le_bytes());
        assert_eq!(number(runtime, web, "ipforwarding"), 1, "set by a process inside");
        let object = runtime.vnet_object(vnet("web")).unwrap();
        assert_eq!(runtime.kernel().get(object, "vnet_sockcnt").unwrap(), 3);
    }
}

#[test]
fn events_reach_every_stack_and_recursions_are_logged() {
    let steps = r#"
        [[step]]
        do = "jail"
        name = "web"
        [[step]]
        do = "event-handler"
        event = "vm_lowmem"
        function = "ip_init"
        global = true
        tag = "mine"
        [[step]]
        do = "process"
        name = "pagedaemon"
        [[step]]
        do = "event"
        event = "vm_lowmem"
        process = "pagedaemon"
        [[step]]
        do = "remove-event-handler"
        tag = "mine"
        [[step]]
        do = "event"
        event = "vm_lowmem"
        process = "pagedaemon"
        [[step]]
        do = "curvnet"
        process = "pagedaemon"
        function = "outer"
        [[step]]
        do = "curvnet"
        process = "pagedaemon"
        jail = "web"
        function = "inner"
        line = 12
        [[step]]
        do = "restore-curvnet"
        process = "pagedaemon"
    "#;
    let image = on("small-vnet-debug-dwarf4", steps).unwrap();
    let runtime = image.runtime();
    let handled = runtime.trace().iter().filter(|event| matches!(event, Event::Handler { .. }));
    assert_eq!(handled.count(), 2, "once for each stack, and not after it was removed");
    let [logged] = &runtime.vnet_recursions().unwrap()[..] else { panic!() };
    assert_eq!(logged.where_line, 12);
    let thread = runtime.thread("pagedaemon").unwrap();
    assert_eq!(runtime.curvnet(thread).unwrap(), runtime.vnet0().unwrap().0);
}

#[test]
fn sysinits_come_and_go_and_without_vimage_run_once() {
    let steps = r#"
        [[step]]
        do = "sysinit"
        name = "mine"
        subsystem = "SI_SUB_PSEUDO"
        function = "ip_init"
        [[step]]
        do = "sysuninit"
        name = "mine"
        subsystem = "0x7000000"
        order = "5"
        function = "udp_input"
    "#;
    let image = on("i386", steps).unwrap();
    let entries = image.runtime().sysinits(SysinitKind::Destructor).unwrap();
    assert!(entries.iter().any(|entry| (entry.subsystem, entry.order) == (0x0700_0000, 5)));

    let image = on("plain-clang-dwarf4", steps).unwrap();
    let called = |event: &&Event| matches!(event, Event::Called { vnet: None, .. });
    assert_eq!(image.runtime().trace().iter().filter(called).count(), 1);
    assert_eq!(image.runtime().sysinits(SysinitKind::Constructor).unwrap(), []);
}

#[test]
fn what_a_kernel_would_not_do_names_the_step() {
    const KERNEL: &str = "small-types-gcc-dwarf4";
    let jail = "[[step]]\ndo = \"jail\"\nname = \"web\"\n";
    for (step, wanted) in [
        ("do = \"jail\"\nname = \"x\"\nstop = \"no_such_init\"", "no_such_init"),
        ("do = \"jail\"\nname = \"x\"\nvnet = false\nstop = \"vnet_if_init\"", "gets no stack"),
        ("do = \"destroy\"\njail = \"web\"\nstop = \"SI_SUB_NOWHERE\"", "SI_SUB_NOWHERE"),
        ("do = \"lock\"\nlock = \"vnet_sxlock\"", "neither readers nor an owner"),
        ("do = \"lock\"\nlock = \"no_lock\"\nreaders = 1", "no_lock"),
        ("do = \"lock\"\nlock = \"vnet_rwlock\"\nowner = \"nobody\"", "nobody"),
        ("do = \"counters\"\nname = \"ip_defttl\"\nmake = \"early\"", "counter_u64_t"),
        ("do = \"counters\"\nname = \"udpstat\"\nmake = \"freed\"", "never allocated"),
        ("do = \"counters\"\nname = \"ipstat\"\nadd = 1", "use statistics"),
        ("do = \"remove-event-handler\"\ntag = \"none\"", "tag none"),
        ("do = \"restore-curvnet\"\nprocess = \"none\"", "has not set"),
        ("do = \"move\"\ninterface = \"em0\"", "em0"),
        ("do = \"remove-sysinit\"\nname = \"none\"", "none"),
        ("do = \"sysinit\"\nname = \"x\"\nsubsystem = \"1\"\nfunction = \"ip_init\"", "too early"),
        (
            "do = \"sysctl\"\nname = \"net.x\"\nkind = \"opaque\"\nvariable = \"ip_defttl\"",
            "format",
        ),
        ("do = \"socket\"\nprocess = \"none\"\nkind = \"tcp\"", "none"),
    ] {
        let error = on(KERNEL, &format!("{jail}[[step]]\n{step}\n")).unwrap_err();
        assert!(error.to_string().starts_with("step 2 ("), "{error}");
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(wanted), "{step}: {cause}");
    }
}
