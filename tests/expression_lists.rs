//! Lists, trees, filters, conditions and the language's own functions in expressions. What is
//! expected stands in the scenarios, which only the builder reads.

#![cfg(feature = "image")]

#[path = "synth/types.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod types;

use std::path::Path;

use tempfile::TempDir;
use vnetkvm::error::{Error, ExprError, VnetError};
use vnetkvm::expr::Kept;
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Names, Options, Place, Printed, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::model::{ArrayValue, EnumValue};
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::Stack;

fn demo() -> Session {
    let demo = image::demo().unwrap();
    Session::from_sources(demo.kernel, demo.core).unwrap()
}

/// A session over an image of a scenario on a kernel, and the directory that it lies in.
fn session(scenario: &str, kernel: &str) -> (Session, TempDir) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let scenario = Scenario::open(fixtures.join("scenarios").join(scenario)).unwrap();
    let kernel = Source::open(fixtures.join("kernel").join(kernel)).unwrap();
    let image = image::build(&scenario, Kernel::open(kernel, None).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    image.save_kernel(directory.path()).unwrap();
    let core = image.save(Format::Full, directory.path()).unwrap();
    let kernel = Some(directory.path().join("kernel"));
    (Session::open(&Options { kernel, core, ..Options::default() }).unwrap(), directory)
}

fn stack(session: &Session, vnet: usize) -> Stack<'_> {
    session.select(&Selector::Index(vnet)).unwrap().stacks[0]
}

fn printed(session: &Session, vnet: usize, expression: &str) -> Printed {
    let found = session.print(stack(session, vnet), expression, &Limits::default());
    found.unwrap_or_else(|why| panic!("{expression}: {}", why.story()))
}

/// Values as JSON writes them.
fn json(session: &Session, vnet: usize, expression: &str) -> String {
    serde_json::to_string(&printed(session, vnet, expression).value).unwrap()
}

fn failure(session: &Session, expression: &str) -> (ExprError, Option<Box<str>>) {
    match session.print(stack(session, 1), expression, &Limits::default()) {
        Err(Error::Expr { source, caret, .. }) => (source, caret),
        other => panic!("{expression}: {other:?}"),
    }
}

#[test]
fn a_list_gives_its_elements() {
    let session = demo();
    for (vnet, expression, expected) in [
        (0, "V_ifnet[*].if_xname", r#"["lo0","vtnet0","epair0a","epair1a"]"#),
        (1, "V_ifnet[*].if_xname", r#"["lo0","epair0b"]"#),
        (1, "V_ifnet[*if_link].if_mtu", "[16384,1500]"),
        (1, "V_ifnet[*].if_addrhead[*].ifa_addr->sa_family", "[18,2,28,18,2,28]"),
        (1, "V_tcbinfo.ipi_listhead[*].inp_vflag & 3", "[1,1,3]"),
        (1, "allprison[*].pr_name", r#"["web01","db01","web01.php"]"#),
        (1, "vnet_head[*].vnet_ifcnt", "[2,2,4]"),
        (1, "vnet_head[*].V_ip_defttl", "[128,42,64]"),
        (1, "*(char (*)[2])V_ifnet[*].if_xname", "[[108,111],[101,112]]"),
        // A list that is a member of nothing, and one by a pointer to its head.
        (1, "(&V_ifnet)[*].if_index", "[1,2]"),
        (1, "-V_ifnet[*].if_index * 2", "[-2,-4]"),
    ] {
        assert_eq!(json(&session, vnet, expression), expected, "{expression}");
    }
    assert_eq!(&*printed(&session, 1, "V_ifnet[*].if_xname").type_name, "char [*][16]");
}

/// An interface is on one list, a thread on several, and a process's list has links of its own.
#[test]
fn the_link_is_found_among_several() {
    let session = demo();
    let threads = "[100005,100004,100003,100002,100001,100000]";
    assert_eq!(json(&session, 0, "allproc[*].p_threads[*].td_tid"), threads);
    assert_eq!(json(&session, 0, "allproc[*p_list].p_threads[*td_plist].td_tid"), threads);
    assert_eq!(json(&session, 0, "allproc[*][.p_comm == \"nginx\"].p_pid"), "[901]");
}

#[test]
fn trees_and_tables_give_their_elements() {
    let (routes, _files) = session("routes.toml", "classic-clang-dwarf4");
    let head = "((struct rib_head **)V_rt_tables)[2]";
    assert_eq!(json(&routes, 0, &format!("count({head}[*])")), "10");
    // A leaf's node begins its route.
    let flags = format!("uniq(((struct rtentry *)&{head}[*])->rt_flags & 1)");
    assert_eq!(json(&routes, 0, &flags), "[1]");
    assert_eq!(json(&routes, 0, "count(V_lltables[*].lle_head[0..31][*])"), "10");
    let (newer, _files) = session("newer.toml", "newer-clang-dwarf4");
    let oids = json(&newer, 0, "sysctl__children[*].oid_name");
    assert_eq!(
        serde_json::from_str::<Vec<serde_json::Value>>(&oids).unwrap().len(),
        3,
        "a red-black tree: {oids}"
    );
}

#[test]
fn slices_and_repetition() {
    let session = demo();
    assert_eq!(json(&session, 1, "V_ifnet.cstqh_first->if_xname[0..1]"), "[108,111]");
    assert_eq!(json(&session, 1, "V_ifnet.cstqh_first->if_xname[1..1]"), "[111]");
    // As in gdb, it is an array where the left side lies.
    let found = printed(&session, 1, "*V_ifnet.cstqh_first->if_xname@4");
    assert_eq!((&*found.type_name, found.value), ("char [4]", Value::Text("lo0".into())));
    assert_eq!(&*printed(&session, 1, "V_ip_defttl@2").type_name, "int [2]");
    assert!(matches!(failure(&session, "V_ip_defttl@0").0, ExprError::NoElements { count: 0 }));
    assert!(matches!(failure(&session, "3@2").0, ExprError::WrongOperand { .. }));
    assert!(matches!(
        failure(&session, "V_ifnet.cstqh_first->if_xname[3..2]").0,
        ExprError::BackwardSlice { from: 3, to: 2 }
    ));
}

#[test]
fn filters_choose_elements() {
    let session = demo();
    for (expression, expected) in [
        ("V_ifnet[*][.if_mtu > 2000].if_xname", r#"["lo0"]"#),
        ("V_ifnet[.if_mtu > 2000].if_xname", r#"["lo0"]"#),
        ("V_ifnet[*][.if_xname == \"epair0b\"].if_index", "[2]"),
        ("V_ifnet[*][.if_xname != \"epair0b\" && .if_flags & 1].if_index", "[1]"),
        ("V_ifnet[*].if_index[. >= 2]", "[2]"),
        ("V_ifnet[*][count(.if_addrhead[*]) == 3].if_index", "[1,2]"),
    ] {
        assert_eq!(json(&session, 1, expression), expected, "{expression}");
    }
    // A list is no condition. Whoever asks whether there is an element counts.
    let list = "V_ifnet[*][.if_addrhead[*]].if_index";
    assert!(matches!(failure(&session, list).0, ExprError::WrongOperand { .. }));
}

#[test]
fn totals_of_lists() {
    let session = demo();
    for (expression, expected) in [
        ("count(V_ifnet[*])", "2"),
        ("count(V_ifnet)", "2"),
        ("count(V_ifnet[*][.if_mtu == 1])", "0"),
        ("count(V_ifnet.cstqh_first->if_xname)", "16"),
        ("sum(V_ifnet[*].if_mtu)", "17884"),
        ("sum(V_ifnet[*][.if_mtu == 1].if_mtu)", "0"),
        ("min(V_ifnet[*].if_mtu)", "1500"),
        ("max(V_ifnet[*].if_mtu)", "16384"),
        ("uniq(V_ifnet[*].if_addrhead[*].ifa_addr->sa_family)", "[18,2,28]"),
        ("count(uniq(V_ifnet[*].if_vnet))", "1"),
    ] {
        assert_eq!(json(&session, 1, expression), expected, "{expression}");
    }
    assert!(matches!(
        failure(&session, "min(V_ifnet[*][.if_mtu == 1].if_mtu)").0,
        ExprError::NothingIn { function: "min" }
    ));
    assert!(matches!(failure(&session, "V_ifnet[*] + V_ifnet[*]").0, ExprError::TwoLists));
}

#[test]
fn comparisons_and_conditions_are_ints() {
    let session = demo();
    for (expression, expected) in [
        ("V_ip_defttl == 42", 1),
        ("V_ip_defttl != 42", 0),
        ("-1 < 1", 1),
        // Both become unsigned, as in C.
        ("-1 < 1U", 0),
        ("V_ip_defttl > 41 && V_ip_defttl <= 42", 1),
        ("0 && *(int *)0", 0),
        ("1 || *(int *)0", 1),
        ("!V_ip_defttl", 0),
        ("!0", 1),
        ("V_ip_defttl == 64 ? 1 : 2", 2),
        ("1 ? 2 : *(int *)0", 2),
        ("V_ifnet.cstqh_first != 0", 1),
        ("V_ifnet.cstqh_first->if_xname == \"lo0\"", 1),
        ("V_ifnet.cstqh_first->if_xname < \"lo1\"", 1),
        ("'a'", 97),
    ] {
        let found = printed(&session, 1, expression);
        assert_eq!((&*found.type_name, found.value), ("int", Value::Int(expected)), "{expression}");
    }
}

#[test]
fn vnets_jails_and_threads_are_values() {
    let session = demo();
    for (expression, expected) in [
        ("vnet(2).vnet_ifcnt", "2"),
        ("vnet(2).V_ip_defttl", "128"),
        ("vnet(2)->V_ifnet[*].if_xname", r#"["lo0","epair1b"]"#),
        ("jail(\"web01\").pr_id", "1"),
        ("jail(1)->pr_name", "\"web01\""),
        ("jail(\"web01\").pr_vnet->V_ip_defttl", "42"),
        ("curvnet->V_ip_defttl", "42"),
        ("curvnet == &vnet(1)", "1"),
        ("thread(100003).td_tid", "100003"),
        ("curthread->td_proc->p_comm", "\"nginx\""),
    ] {
        assert_eq!(json(&session, 1, expression), expected, "{expression}");
    }
    assert_eq!(&*printed(&session, 1, "curvnet").type_name, "struct vnet *");
    assert_eq!(&*printed(&session, 1, "vnet(0)").type_name, "struct vnet");
    assert!(matches!(
        failure(&session, "vnet(9).vnet_ifcnt").0,
        ExprError::Vnet(VnetError::NoSuchVnet(_))
    ));
    assert!(matches!(
        failure(&session, "thread(7)").0,
        ExprError::Vnet(VnetError::NoSuchThread(_))
    ));
    let (why, _) = failure(&session, "jail(\"wb01\")");
    assert_eq!(why.to_string(), "there is no jail wb01");
}

#[test]
fn a_cast_to_a_struct_that_is_larger_gives_a_warning() {
    let session = demo();
    let remarks_of = |expression: &str| printed(&session, 1, expression).remarks;
    let remarks = remarks_of("(struct ifnet)V_ifnet.cstqh_first->if_mtu");
    let [remark] = &remarks[..] else { panic!("{remarks:?}") };
    assert!(
        remark.starts_with("the cast to struct ifnet (") && remark.contains(" reads past the ")
    );
    assert!(remarks_of("(struct ifnet)*V_ifnet.cstqh_first").is_empty());
}

#[test]
fn types_offsets_and_constants() {
    let session = demo();
    let name = "V_ifnet.cstqh_first->if_xname";
    assert_eq!(json(&session, 1, &format!("sizeof(typeof({name}))")), "16");
    assert_eq!(json(&session, 1, &format!("*(typeof({name}) *)&{name}")), "\"lo0\"");
    assert_eq!(json(&session, 1, "sizeof(struct ifnet *[4])"), "32");
    assert_eq!(json(&session, 1, "sizeof(int (*)(void))"), "8");
    let offset = "offsetof(struct ifnet, if_xname)";
    let address = format!("(char *)&{name} - (char *)V_ifnet.cstqh_first == {offset}");
    assert_eq!(json(&session, 1, &address), "1");
    assert_eq!(
        json(&session, 1, "offsetof(struct ifnet, if_xname[3]) - offsetof(struct ifnet, if_xname)"),
        "3"
    );
    let around = "container_of(&V_ifnet.cstqh_first->if_link, struct ifnet, if_link)->if_xname";
    assert_eq!(json(&session, 1, around), "\"lo0\"");
    let state =
        Value::Enum(EnumValue { name: Some("SI_SUB_VNET_DONE".into()), value: 0x0dc0_0000 }.into());
    let found = printed(&session, 1, "SI_SUB_VNET_DONE");
    assert_eq!((&*found.type_name, found.value), ("enum sysinit_sub_id", state));
    assert_eq!(json(&session, 1, "vnet(1).vnet_state == SI_SUB_VNET_DONE"), "1");
    assert_eq!(json(&session, 1, "'net/if.c'::V_ifnet[*].if_index"), "[1,2]");
}

#[test]
fn kept_values_are_found_again() {
    let session = demo();
    let mut kept = Kept::default();
    fn place<'s>(session: &'s Session, kept: &'s Kept) -> Place<'s> {
        Place { stack: stack(session, 1), names: Names { cpu: None, kept: Some(kept) } }
    }
    for expression in ["V_ifnet.cstqh_first", "V_ifnet[*]"] {
        let value = session.evaluate(place(&session, &kept), expression).unwrap().to_keep();
        kept.push(value);
    }
    let mtu = session.evaluate(place(&session, &kept), "$1->if_mtu").unwrap().to_keep();
    kept.name("mtu", mtu);
    for (expression, expected) in [
        ("$1->if_xname", "\"lo0\""),
        ("$.if_index", "[1,2]"),
        ("$_[.if_index == 2].if_mtu", "[1500]"),
        ("$$->if_index", "1"),
        ("$$1->if_index", "1"),
        ("$mtu + 1", "16385"),
    ] {
        let found =
            session.print_at(place(&session, &kept), expression, &Limits::default()).unwrap();
        assert_eq!(serde_json::to_string(&found.value).unwrap(), expected, "{expression}");
    }
    assert_eq!((kept.names(), kept.len()), (vec!["mtu"], 2));
    for expression in ["$3", "$0", "$nosuch", "$$2"] {
        let found = session.print_at(place(&session, &kept), expression, &Limits::default());
        let Err(Error::Expr { source: ExprError::NothingKept { name, near }, .. }) = found else {
            panic!("{expression}: {found:?}")
        };
        assert_eq!((&*name, near), (expression, vec!["$mtu".to_owned()]));
    }
}

/// A mistake is shown where it is, with names that may be meant.
#[test]
fn errors_point_at_their_place() {
    let session = demo();
    for (expression, caret) in [
        ("V_ifnet[*].if_xnam == 3", "           ^^^^^^^"),
        ("3 + nosuch", "    ^^^^^^"),
        ("count(V_ifnet[*nolink])", "      ^^^^^^^^^^^^^^^^"),
        ("V_ip_defttl + jail(\"x\").pr_id", "              ^^^^^^^^^"),
        ("1 + * 2 + 3", "    ^^^"),
    ] {
        let (_, found) = failure(&session, expression);
        assert_eq!(*found.unwrap(), *format!("{expression}\n{caret}"));
    }
    assert_eq!(failure(&session, "nosuch").1, None);
    let (why, _) = failure(&session, "V_ifnet[*if_mtu]");
    // A number is an index.
    assert!(
        matches!(&why, ExprError::NotALink { member, links } if member == "if_mtu" && links == &["if_link"]),
        "{why:?}"
    );
}

/// As of an array, but the head is a struct.
#[test]
fn the_elements_of_a_list_have_numbers() {
    let session = demo();
    for (expression, expected) in [
        ("V_ifnet[0].if_xname", "\"lo0\""),
        ("V_ifnet[1].if_xname", "\"epair0b\""),
        ("V_ifnet[0..1].if_xname", "[\"lo0\",\"epair0b\"]"),
        ("V_ifnet[1..1].if_index", "[2]"),
        ("V_ifnet[*].if_addrhead[1].ifa_addr->sa_family", "[2,2]"),
        ("sizeof(V_ifnet[9].if_xname)", "16"),
    ] {
        assert_eq!(json(&session, 1, expression), expected, "{expression}");
    }
    assert_eq!(printed(&session, 1, "V_ifnet[0]").type_name.as_ref(), "struct ifnet");
    for expression in ["V_ifnet[2]", "V_ifnet[0..2]", "V_ifnet[-1]"] {
        let (why, _) = failure(&session, expression);
        assert!(matches!(why, ExprError::ShortList { count: 2, .. }), "{expression}: {why:?}");
    }
}

#[test]
fn a_name_that_is_written_another_way_is_suggested() {
    let session = demo();
    let first_near = |expression: &str| match failure(&session, expression).0 {
        ExprError::NoSuchName { near, .. } => near.into_iter().next(),
        other => panic!("{other:?}"),
    };
    assert_eq!(first_near("V_ifnet[*][if_mtu > 1500]").as_deref(), Some(".if_mtu"));
    assert_eq!(first_near("V_vnet_sxlock").as_deref(), Some("vnet_sxlock"));
    assert_ne!(first_near("if_mtu").as_deref(), Some(".if_mtu"));
    assert_eq!(first_near("jail(web01)").as_deref(), Some("\"web01\""));
    assert_eq!(first_near("V_ifnet[*][.if_xname == lo0]").as_deref(), Some("\"lo0\""));
    assert_ne!(first_near("V_ifnet[*][.if_mtu == lo0]").as_deref(), Some("\"lo0\""));
    let (why, _) = failure(&session, "vnet(1).ip_defttl");
    assert!(
        matches!(&why, ExprError::VariableNotMember(name) if **name == *"ip_defttl"),
        "{why:?}"
    );
    let (why, _) = failure(&session, "V_ifnet[*][.if_mtu = 1500]");
    assert!(why.to_string().contains("== compares"), "{why}");
}

/// What cannot be read is an error in its own place. A list that broke off has no count.
#[test]
fn damage_is_told_where_it_is() {
    let session = demo();
    let found = printed(&session, 1, "((struct ifnet *)16)[0..1].if_index");
    let Value::Array(ArrayValue { elements, .. }) = &found.value else { panic!() };
    assert_eq!(elements.iter().filter(|element| element.error().is_some()).count(), 2);
    assert!(matches!(
        failure(&session, "count(((struct ifnethead *)16)[0..1][*])").0,
        ExprError::Read(_)
    ));
    // Which of a process's links is meant is not known without the first process.
    let name_as_list = "count(*(typeof(allproc) *)V_ifnet.cstqh_first->if_xname)";
    assert!(matches!(failure(&session, name_as_list).0, ExprError::Read(_)));
    // Nobody knows whether the filter would choose it.
    let unknown = "(*((struct ifnet **)16)[0..1])[count(.if_addrhead[*]) > 0]";
    let Value::Array(ArrayValue { elements, .. }) = printed(&session, 1, unknown).value else {
        panic!()
    };
    assert_eq!(elements.iter().filter(|element| element.error().is_some()).count(), 2);
    let mixed = printed(&session, 1, "V_ifnet[*].if_index == 1 ? 1 : *(int *)16");
    let Value::Array(ArrayValue { elements, .. }) = &mixed.value else { panic!() };
    assert_eq!(elements.get(0).unwrap().as_i64(), Some(1));
    assert!(elements.get(1).unwrap().error().is_some());
}

#[test]
fn work_is_bounded() {
    let session = demo();
    for expression in [
        "V_ifnet.cstqh_first->if_xname[0..1000000000000]",
        "count(V_ifnet.cstqh_first->if_xname[0..18446744073709551615])",
        "sum((char *)0)[0..99999999999]",
    ] {
        let found = session.print(stack(&session, 1), expression, &Limits::default());
        let Err(Error::Expr { source, .. }) = found else { panic!("{expression}: {found:?}") };
        assert!(
            matches!(source, ExprError::Limit(_) | ExprError::WrongOperand { .. }),
            "{expression}: {source:?}"
        );
        session.budget().begin_question();
    }
}

/// A splay tree, whose links no kernel here has: 3 is the root, 1 and 4 its children, 2 is to the
/// right of 1.
#[test]
fn splay_trees_are_walked_in_order() {
    let mut info = types::DebugInfo::new();
    let int = info.int();
    let (root, node, entry) = (info.promise(), info.promise(), info.promise());
    let (to_root, to_node) = (info.promise(), info.promise());
    let names =
        ["sph_root", "link", "number", "spe_left", "spe_right"].map(|name| info.string(name));
    info.record(entry, "struct", "entry", 16);
    info.member(Some(names[3]), to_node, 0);
    info.member(Some(names[4]), to_node, 8);
    info.end();
    info.record(node, "struct", "node", 24);
    info.member(Some(names[1]), entry, 0);
    info.member(Some(names[2]), int, 16);
    info.end();
    info.record(root, "struct", "root", 8);
    info.member(Some(names[0]), to_node, 0);
    info.end();
    info.derived(to_node, "pointer", node);
    info.derived(to_root, "pointer", root);
    let kernel = info.kernel(root);
    let mut dump = types::dump(4096);
    let at = |index: u64| if index == 0 { 0 } else { types::X + 64 * index };
    let mut put = |address: u64, value: u64| {
        let place = 4096 + (address - types::X) as usize;
        dump[place..place + 8].copy_from_slice(&value.to_le_bytes());
    };
    put(types::X, at(3));
    for (number, left, right) in [(3, 1, 4), (1, 0, 2), (2, 0, 0), (4, 0, 0)] {
        put(at(number), at(left));
        put(at(number) + 8, at(right));
        put(at(number) + 16, number);
    }
    let session =
        Session::from_sources(Source::from_vec("kernel", kernel), Source::from_vec("vmcore", dump));
    let session = session.unwrap();
    let found = session.print(Stack::Unchosen, "x[*].number", &Limits::default()).unwrap();
    assert_eq!(serde_json::to_string(&found.value).unwrap(), "[1,2,3,4]");
}
