//! The whole reader over the built-in demonstration image. What is expected
//! here stands in `fixtures/scenarios/demo.toml`, which only the builder reads.

#![cfg(feature = "image")]

use vnetkvm::error::{Error, ExprError, ReadError, TargetError, TypeError, VnetError};
use vnetkvm::image;
use vnetkvm::session::{Selector, Session};
use vnetkvm::value::model::ErrorKind;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::Stack;

fn demo() -> Session {
    let demo = image::demo().expect("the demonstration builds");
    Session::from_sources(demo.kernel, demo.core).expect("it opens")
}

fn print(session: &Session, vnet: usize, expression: &str) -> Value {
    let vnet = session.select(&Selector::Index(vnet)).unwrap().stacks[0];
    session.print(vnet, expression, &Limits::default()).unwrap().value
}

fn failure(session: &Session, expression: &str) -> ExprError {
    let vnet = session.select(&Selector::Index(1)).unwrap().stacks[0];
    match session.print(vnet, expression, &Limits::default()).unwrap_err() {
        Error::Expr { source, .. } => source,
        other => panic!("{other}"),
    }
}

/// What has no vnet says so, and is not taken for a kernel without VIMAGE.
#[test]
fn without_a_vnet_only_plain_globals_are_read() {
    let session = demo();
    let print = |text| session.print(Stack::Unchosen, text, &Limits::default());
    assert!(print("&allprison").is_ok());
    assert!(matches!(
        print("V_ip_defttl"),
        Err(Error::Expr { source: ExprError::NoVnet { .. }, .. })
    ));
    let ttl = &session.variables(&["ip_defttl".into()]).unwrap()[0];
    let (_, value) = session.value(Stack::Unchosen, ttl, &Limits::default());
    let Value::Error(error) = value else { panic!("{value:?}") };
    assert_eq!(&*error.message, "no vnet was chosen");
}

#[test]
fn vnets_are_counted_in_order_of_creation() {
    let session = demo();
    let vnets = &session.vnets().unwrap().all;
    assert!(session.vnets().unwrap().problems.is_empty());
    let jails: Vec<Vec<&str>> = vnets
        .iter()
        .map(|vnet| vnet.jails.iter().flatten().map(|jail| &*jail.name).collect())
        .collect();
    // The vnet of "build" was destroyed; "php" lives in its parent's.
    assert_eq!(jails, [vec!["0"], vec!["web01", "web01.php"], vec!["db01"]]);
    assert_eq!(
        vnets.iter().map(|vnet| vnet.index).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2)]
    );
    assert_eq!(vnets.iter().map(|vnet| vnet.default).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(
        vnets.iter().map(|vnet| vnet.ifcnt).collect::<Vec<_>>(),
        [Some(4), Some(2), Some(2)]
    );
    assert!(vnets.iter().all(|vnet| vnet.problems.is_empty()));
    let meaning = |vnet: usize| &*vnets[vnet].state.as_ref().unwrap().meaning;
    assert_eq!((meaning(0), meaning(1)), ("up (never set for vnet0)", "up"));
    assert_eq!(vnets[1].state.as_ref().unwrap().name.as_deref(), Some("SI_SUB_VNET_DONE"));
}

#[test]
fn every_vnet_has_its_own_values() {
    let session = demo();
    for (vnet, ttl, pcbs) in [(0, 64, 7), (1, 42, 3), (2, 128, 2)] {
        assert_eq!(print(&session, vnet, "V_ip_defttl"), Value::Int(ttl));
        assert_eq!(print(&session, vnet, "tcbinfo.ipi_count"), Value::Int(pcbs));
    }
    // No memory holds it: the debug information tells its value.
    assert_eq!(print(&session, 0, "feat_folded"), Value::Int(1234));
    assert_eq!(print(&session, 0, "V_ifnet.cstqh_first->if_xname"), Value::Text("lo0".into()));
    let second = "V_ifnet.cstqh_first->if_link.cstqe_next";
    assert_eq!(print(&session, 2, &format!("{second}->if_mtu")), Value::Int(9000));
}

#[test]
fn counters_are_sums_over_the_cpus() {
    let session = demo();
    let sum = |vnet, text| match print(&session, vnet, text) {
        Value::Counter { sum, .. } => sum,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(sum(0, "V_ipstat[0]"), 81234 + 70112);
    assert_eq!(sum(1, "V_ipstat[0]"), 65);
    assert_eq!(sum(2, "V_ipstat[0]"), 4);
}

#[test]
fn vnets_are_chosen_in_every_way() {
    let session = demo();
    let index = |selector: Selector| {
        session.select(&selector).unwrap().stacks[0]
            .vnet()
            .unwrap()
            .index
            .expect("it is on the list")
    };
    let address = session.vnets().unwrap().all[2].address;
    assert_eq!(index(Selector::Address(address)), 2);
    assert_eq!(index(Selector::Jail("db01".into())), 2);
    assert_eq!(index(Selector::Jail("4".into())), 1);
    assert_eq!(index(Selector::Pid(812)), 2);
    // nginx panicked inside the network stack of web01.
    assert_eq!(index(Selector::Default), 1);
    for (missing, told) in [
        (Selector::Index(3), "no vnet has the number 3"),
        (Selector::Pid(77), "there is no process 77 in the dump"),
    ] {
        assert_eq!(session.select(&missing).unwrap_err().to_string(), told);
    }
    let error = session.select(&Selector::Jail("web1".into())).unwrap_err();
    assert_eq!(error.to_string(), "there is no jail web1");
    assert!(error.is_no_match());
    assert!(
        matches!(&error, Error::Vnet(VnetError::NoSuchJail { near, .. }) if near[0] == "web01"),
        "{error:?}"
    );
}

#[test]
fn every_variable_can_be_read_in_every_vnet() {
    let session = demo();
    let variables = session.variables(&[]).unwrap();
    assert_eq!(variables.len(), 672);
    assert!(variables.iter().all(|variable| variable.type_id.is_some()));
    for vnet in session.select(&Selector::All).unwrap().stacks {
        for variable in &variables {
            match session.value(vnet, variable, &Limits::default()).1 {
                // A counter that no constructor has allocated, and a pointer that came from
                // freed memory.
                Value::Error(error) => {
                    let wild = &*variable.name == "feat_wild";
                    let kind = if wild { ErrorKind::Freed } else { ErrorKind::Unallocated };
                    assert_eq!(error.kind, kind, "{}", variable.name);
                }
                value => {
                    assert!(!matches!(value, Value::Bytes(_)) || variable.name.contains("feat"))
                }
            }
        }
    }
}

#[test]
fn expressions_reach_what_c_reaches() {
    let session = demo();
    assert_eq!(print(&session, 1, "sizeof(struct vnet)"), Value::Int(48));
    assert_eq!(print(&session, 1, "V_ip_defttl * 2 + 1"), Value::Int(85));
    assert_eq!(print(&session, 1, "*&V_ip_defttl"), Value::Int(42));
    assert_eq!(print(&session, 1, "vnet_entry_ip_defttl"), Value::Int(64));
    assert_eq!(print(&session, 1, "((struct vnet *)vnet0)->vnet_ifcnt"), Value::Int(4));
    assert_eq!(print(&session, 1, "prison0.pr_hostname"), Value::Text("gw.example.org".into()));
    let Value::Pointer(pointer) = print(&session, 1, "tcp_input") else {
        panic!("a function is a pointer");
    };
    assert_eq!((&*pointer.symbol().unwrap().name, pointer.function), ("tcp_input", true));
}

#[test]
fn failures_say_what_to_try() {
    let session = demo();
    let error = failure(&session, "V_ip_deftll");
    assert!(error.is_no_match() && error.to_string().contains("V_ip_deftll"), "{error}");
    let ExprError::NoSuchName { near, .. } = error else { panic!("{error:?}") };
    assert!(near.iter().any(|name| name == "ip_defttl"), "{near:?}");
    let error = failure(&session, "tcbinfo.ipi_cuont");
    assert!(error.to_string().contains("has no member ipi_cuont"), "{error}");
    let ExprError::Read(ReadError::Type(TypeError::NoMember { candidates, .. })) = error else {
        panic!("{error:?}")
    };
    assert_eq!(candidates[0], "ipi_count");
    let error = failure(&session, "*V_ip_defttl");
    assert_eq!(error.to_string(), "* does not apply to a value of type int");
    let error = failure(&session, "((struct ifnet *)0xfffff80012345678)->if_vnet->vnet_le.le_next");
    assert!(matches!(error, ExprError::Read(ReadError::Fault(_))), "{error:?}");
    assert!(error.to_string().contains("0xfffff800"), "{error}");
    let error = failure(&session, "ipv4_hashtbl");
    assert!(matches!(error, ExprError::Vnet(VnetError::Ambiguous { .. })), "{error:?}");
}

/// The two kernels have the same version string, and it lies elsewhere.
#[test]
fn a_kernel_of_another_build_is_refused() {
    let fixture = |name: &str| format!("{}/fixtures/kernel/{name}", env!("CARGO_MANIFEST_DIR"));
    let kernel = vnetkvm::source::Source::open(fixture("classic-gcc-dwarf4")).unwrap();
    let session = Session::from_sources(kernel, image::demo().unwrap().core).unwrap();
    let error = session.vnets().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("and the dump has no text at its address"), "{cause}");
    assert!(cause.contains("pieces of .rodata differ"), "every reason is told: {cause}");
    assert!(!error.is_no_match());
    assert!(matches!(error, Error::Target(TargetError::OtherKernel { .. })), "{error:?}");
}

/// The kernel is read once for several dumps, and nothing that was read of one counts for another.
#[test]
fn another_dump_of_the_same_kernel_has_its_own_answers() {
    let demo = demo();
    assert_eq!(demo.vnets().unwrap().all.len(), 3);
    let scenario =
        "memory = \"16M\"\n[[step]]\ndo = \"jail\"\nname = \"a\"\nvalues = { ip_defttl = 77 }";
    let kernel = vnetkvm::kernel::Kernel::open(image::demo().unwrap().kernel, None).unwrap();
    let built = image::build(&image::Scenario::parse(scenario).unwrap(), kernel).unwrap();
    let mut file = std::io::Cursor::new(Vec::new());
    built.write(image::Format::Full, &mut file).unwrap();
    let other = vnetkvm::source::Source::from_vec("other", file.into_inner());
    let other = demo.with_dump(other).unwrap();
    assert_eq!(other.vnets().unwrap().all.len(), 2);
    assert_eq!(print(&other, 1, "V_ip_defttl").as_u64(), Some(77));
    assert_eq!(print(&demo, 1, "V_ip_defttl").as_u64(), Some(42));
    let none = vnetkvm::source::Source::from_vec("none", vec![1; 100]);
    assert!(matches!(demo.with_dump(none).unwrap_err(), Error::Dump { .. }));
}

/// The same sources compiled again: another build-id, and nothing else to tell it by.
#[test]
fn another_build_id_of_the_same_version_is_said() {
    let open = |name: &str| {
        vnetkvm::source::Source::open(format!("fixtures/kernel/classic-clang-dwarf{name}")).unwrap()
    };
    let session = Session::from_sources(open("5"), image::demo().unwrap().core).unwrap();
    let ids = ["4", "5"].map(|name| {
        let kernel = vnetkvm::kernel::Kernel::open(open(name), None).unwrap();
        kernel.build_id().unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    let doubt = session.warnings().join("\n");
    assert!(ids.iter().all(|id| doubt.contains(id)), "{doubt}");
    assert_eq!(session.vnets().unwrap().all.len(), 3, "and the question is answered");
}

/// A kernel that ran wild over its constants is still that kernel: its build-id says so.
#[test]
fn overwritten_constants_are_not_another_kernels() {
    let demo = image::demo().unwrap();
    let kernel = vnetkvm::kernel::Kernel::open(demo.kernel.clone(), None).unwrap();
    let constants = kernel.section_range(".rodata").unwrap();
    let size = constants.end.offset_from(constants.start).unwrap();
    let constants = kernel.initial_bytes(constants.start, size).unwrap();
    let mut core = demo.core.bytes().to_vec();
    for text in [kernel.version().unwrap().as_bytes(), &constants] {
        let at = memchr::memmem::find(&core, text).unwrap();
        core[at..at + text.len()].fill(0xa5);
    }
    let core = vnetkvm::source::Source::from_vec("core", core);
    let session = Session::from_sources(demo.kernel, core).unwrap();
    let verdict = session.target().kernel_match().to_string();
    assert!(verdict.starts_with("yes: same build-id; overwritten since: "), "{verdict}");
    assert_eq!(session.vnets().unwrap().all.len(), 3);
}

/// Dumps made for tests of debuggers have zeros in the place of most pages.
#[test]
fn zeros_do_not_tell_whose_dump_it_is() {
    let demo = image::demo().unwrap();
    let mut core = demo.core.bytes().to_vec();
    let kernel = vnetkvm::kernel::Kernel::open(demo.kernel.clone(), None).unwrap();
    let section = |name: &str| {
        let range = kernel.section_range(name).unwrap();
        let size = range.end.offset_from(range.start).unwrap();
        kernel.initial_bytes(range.start, size).unwrap()
    };
    let (constants, code) = (section(".rodata"), section(".text"));
    let (version, build_id) = (kernel.version().unwrap(), kernel.build_id().unwrap());
    for text in [version.as_bytes(), b"12.1-RELEASE-p10", build_id, &constants, &code] {
        while let Some(at) = memchr::memmem::find(&core, text) {
            core[at..at + text.len()].fill(0);
        }
    }
    let core = vnetkvm::source::Source::from_vec("core", core);
    let session = Session::from_sources(demo.kernel, core).unwrap();
    assert_eq!(session.vnets().unwrap().all.len(), 3);
    let doubt = session.warnings();
    assert!(doubt.iter().any(|warning| warning.contains("is unknown")), "{doubt:?}");
}

/// A block that is not where the base says would give another's values.
#[test]
fn a_damaged_base_is_no_value() {
    let demo = image::demo().unwrap();
    let whole = Session::from_sources(demo.kernel, demo.core).unwrap();
    let vnet = &whole.vnets().unwrap().all[1];
    let pair = |base: u64| [vnet.data_mem.get().to_le_bytes(), base.to_le_bytes()].concat();
    let demo = image::demo().unwrap();
    let mut core = demo.core.bytes().to_vec();
    let at = memchr::memmem::find(&core, &pair(vnet.data_base.get())).unwrap();
    core[at..at + 16].copy_from_slice(&pair(0x1234));
    let core = vnetkvm::source::Source::from_vec("core", core);
    let damaged = Session::from_sources(demo.kernel, core).unwrap();
    let vnet = damaged.select(&Selector::Index(1)).unwrap().stacks[0];
    assert!(vnet.vnet().unwrap().problems[0].contains("does not match its data_mem"));
    let variables = damaged.variables(&["ip_defttl".into()]).unwrap();
    let (_, value) = damaged.value(vnet, &variables[0], &Limits::default());
    assert!(
        matches!(&value, Value::Error(error) if error.message.contains("damaged")),
        "{value:?}"
    );
    let error = failure(&damaged, "ip_defttl");
    assert!(error.to_string().contains("has no copy in this vnet"), "{error}");
}
