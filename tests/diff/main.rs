//! What differs between a vnet and its initial values, another vnet, or itself in another dump:
//! exactly what was set, on kernels of every release and architecture, sound and damaged.

#![cfg(feature = "image")]

mod damage;
mod two_dumps;

use std::io::Cursor;

use vnetkvm::answers::diff::{Against, Diff, Question};
use vnetkvm::answers::{self, Answer, Chosen, PerVnet};
use vnetkvm::budget::Allowance;
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::views::diff::Kind;

const CLASSIC: &str = "classic-clang-dwarf2";

fn open(kernel: &str) -> Source {
    Source::open(format!("fixtures/kernel/{kernel}")).unwrap()
}

fn built(kernel: &str, scenario: &str) -> Image {
    let opened = Kernel::open(open(kernel), None).unwrap();
    build(&Scenario::parse(scenario).unwrap(), opened).unwrap()
}

fn session(kernel: &str, scenario: &str) -> Session {
    let mut dump = Cursor::new(Vec::new());
    built(kernel, scenario).write(Format::Full, &mut dump).unwrap();
    Session::from_sources(open(kernel), Source::from_vec("vmcore", dump.into_inner())).unwrap()
}

fn chosen<'s>(session: &'s Session, which: &Selector) -> Chosen<'s> {
    Chosen::ask(session, which).unwrap()
}

fn ask<'s>(
    session: &'s Session,
    which: &Selector,
    against: Against<'s>,
    patterns: &[&str],
    all: bool,
) -> PerVnet<'s, Diff<'s>> {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
    let question = Question { patterns: &patterns, all };
    answers::diff(session, chosen(session, which), against, question).unwrap()
}

fn only<'s>(answer: &PerVnet<'s, Diff<'s>>) -> Diff<'s> {
    let [(_, diff)]: [_; 1] = answer
        .to_vec()
        .into_iter()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|all: Vec<_>| panic!("{} vnets", all.len()));
    diff
}

/// The vnet of a jail, against its initial values.
fn initial<'s>(session: &'s Session, jail: &str, all: bool) -> Diff<'s> {
    only(&ask(session, &Selector::Jail(jail.into()), Against::Initial, &[], all))
}

/// `ip_defttl: 64 -> 42`, with the kind of what is usually left out.
fn told(diff: &Diff<'_>) -> Vec<String> {
    let value = |value: &vnetkvm::value::Value| serde_json::to_string(value).unwrap();
    let tell = |found: &answers::diff::Difference| {
        let kind = found.folded.map_or(String::new(), |kind| format!(" ({})", kind.name()));
        format!("{}: {} -> {}{kind}", found.place.title(), value(&found.old), value(&found.new))
    };
    diff.differences().to_vec().iter().map(tell).collect()
}

/// What is unknown: the place, the side and the kind of error.
fn unknown(diff: &Diff<'_>) -> Vec<String> {
    let unknown = diff.summary().unknown.iter();
    let tell = |found: &answers::diff::Unknown| {
        let side = found.side.map_or("-", |side| side.name());
        format!("{}: {side} {}", found.place.title(), found.why.kind.name())
    };
    unknown.map(tell).collect()
}

fn changed(diff: &Diff<'_>) -> Vec<String> {
    let changed = diff.summary().changed.iter();
    changed.map(|found| format!("{}: {:?}", found.place.title(), found.change)).collect()
}

fn folded(diff: &Diff<'_>) -> String {
    diff.summary().folded.to_string()
}

fn origins(diff: &Diff<'_>) -> Vec<(String, &'static str)> {
    let origins = diff.summary().origins.keys();
    origins.map(|(module, origin)| (module.to_string(), origin.name())).collect()
}

const NONE: [String; 0] = [];

/// Two jails; one has values of its own, the other one has none.
const JAILS: &str = r#"
[host]
values = { ipforwarding = 1 }
[[step]]
do = "jail"
name = "web01"
values = { ip_defttl = 42, "tcbinfo.ipi_count" = 3 }
[[step]]
do = "jail"
name = "db01"
"#;

#[test]
fn exactly_what_was_set_differs_from_the_initial_values() {
    for (kernel, origin) in [
        (CLASSIC, "file"),
        ("classic-gcc-dwarf5", "file"),
        ("stable13-clang-dwarf4", "pristine"),
        ("stable14-clang-dwarf4", "pristine"),
        ("stable15-clang-dwarf4", "pristine"),
        ("newer-clang19-dwarf5", "pristine"),
        ("arm64", "file"),
        ("arm64-newer", "pristine"),
        ("i386", "file"),
        ("i386-pae", "file"),
        ("i386-newer", "pristine"),
        ("armv7", "file"),
        ("riscv64", "pristine"),
        ("powerpc64", "pristine"),
        ("powerpc64le", "pristine"),
    ] {
        let session = session(kernel, JAILS);
        let all = ask(&session, &Selector::All, Against::Initial, &[], false);
        let answers: Vec<Diff<'_>> = all.to_vec().into_iter().map(|(_, diff)| diff).collect();
        let [host, web01, db01] = &answers[..] else { panic!("{kernel}") };
        assert_eq!(told(host), ["ipforwarding: 0 -> 1"], "{kernel}");
        let set = ["ip_defttl: 64 -> 42", "tcbinfo.ipi_count: 0 -> 3"];
        assert_eq!(told(web01), set, "{kernel}");
        assert_eq!(told(db01), NONE, "{kernel}");
        for diff in &answers {
            assert_eq!(folded(diff), "29 counters, 1 empty list", "{kernel}");
            assert_eq!(unknown(diff), NONE, "{kernel}");
            assert_eq!(origins(diff), [("kernel".to_owned(), origin)], "{kernel}");
        }
        assert!(all.found() && web01.found() && !db01.found(), "{kernel}");
        assert!(all.problems().is_empty(), "{kernel}");
    }
}

#[test]
fn patterns_limit_the_variables() {
    let session = session(CLASSIC, JAILS);
    let mut all = ask(&session, &Selector::All, Against::Initial, &["ip_def*", "no_such"], false);
    assert_eq!(all.take_missed().len(), 1);
    let answers: Vec<Diff<'_>> = all.to_vec().into_iter().map(|(_, diff)| diff).collect();
    assert_eq!(told(&answers[1]), ["ip_defttl: 64 -> 42"]);
    assert!(answers.iter().all(|diff| diff.summary().compared == 1 && folded(diff).is_empty()));
    let mut nothing = ask(&session, &Selector::All, Against::Initial, &["no_such"], false);
    assert!(nothing.nothing().is_some() && nothing.take_missed().len() == 1 && !nothing.found());
}

/// The master copy may have been written to; what the kernel keeps beside it decides.
#[test]
fn a_changed_master_is_not_believed() {
    for (kernel, origin) in [(CLASSIC, "file"), ("stable15-clang-dwarf4", "pristine")] {
        let text = format!(
            "{JAILS}\n[[step]]\ndo = \"overwrite\"\nwhat = \"variable:ip_defttl\"\nvalue = 42\n"
        );
        let session = session(kernel, &text);
        let diff = initial(&session, "web01", false);
        assert_eq!(told(&diff)[0], "ip_defttl: 64 -> 42", "{kernel}");
        assert_eq!(origins(&diff), [("kernel".to_owned(), origin)]);
    }
}

const KINDS: &str = r#"
[[step]]
do = "jail"
name = "web01"
[step.values]
"dad_rwlock.rw_lock" = 3
"icmp6errppslim_last.tv_sec" = 77
dyn_keepalive_last = 12
"bw_meter_ch.c_time" = 5
feat_time = 9
"tcbinfo.ipi_gencnt" = 4
"layer3_chain.gencnt" = 6
feat_int = 1
[step.statistics.ipstat]
ips_total = [60, 5]
"#;

#[test]
fn what_differs_in_any_stack_is_left_out_by_rule_and_counted() {
    let session = session(CLASSIC, &format!("cpus = 2\n{KINDS}"));
    let diff = initial(&session, "web01", false);
    assert_eq!(told(&diff), ["feat_int: -2147483648 -> 1"]);
    let counted = [
        (Kind::Lock, 1),
        (Kind::Time, 4),
        (Kind::Generation, 2),
        (Kind::Counter, 29),
        (Kind::List, 1),
        (Kind::Pointer, 0),
    ];
    for (kind, count) in counted {
        assert_eq!(diff.summary().folded.of(kind), count, "{kind:?}");
    }

    let all = initial(&session, "web01", true);
    assert!(all.summary().folded.is_empty());
    let (counters, others): (Vec<_>, Vec<_>) =
        told(&all).into_iter().partition(|told| told.ends_with("(counter)"));
    let wanted = [
        "bw_meter_ch.c_time: 0 -> 5 (time)",
        "dad_rwlock.rw_lock: 0 -> 3 (lock)",
        "dyn_keepalive_last: 0 -> 12 (time)",
        "feat_int: -2147483648 -> 1",
        "feat_time: 1577836800 -> 9 (time)",
        "icmp6errppslim_last.tv_sec: 0 -> 77 (time)",
        "layer3_chain.gencnt: 0 -> 6 (generation)",
        "tcbinfo.ipi_gencnt: 0 -> 4 (generation)",
    ];
    let is_list = |told: &&String| told.ends_with("(list)");
    assert_eq!(others.iter().filter(|told| !is_list(told)).collect::<Vec<_>>(), wanted);
    assert_eq!(others.iter().filter(is_list).count(), 1, "{others:?}");
    assert!(counters[0].starts_with("ipstat[0]: \"0x0\" -> {\"counter\":65,"), "{counters:?}");
    // The others are 0 and lie side by side.
    assert!(counters[1].starts_with("ipstat[1..28]: \"0x0\" -> {\"counter\":0,"), "{counters:?}");
}

#[test]
fn equal_changes_of_elements_are_told_once() {
    let text = r#"
[[step]]
do = "jail"
name = "web01"
[step.values]
feat_long_array = [7, 7, 7, 2, 7]
"ipq[3].count" = 1
"ipq[4].count" = 1
"ipq[6].count" = 1
"feat_matrix[1]" = [9, 9, 9]
"feat_names[1]" = "new"
"feat_text" = "em0"
feat_in_addr = "10.9.8.7"
feat_bool = false
"feat_bits.three" = 2
feat_enum = 1
"#;
    let session = session(CLASSIC, text);
    let wanted = [
        "feat_bits.three: 5 -> 2",
        "feat_bool: true -> false",
        r#"feat_enum: {"enum":"FEAT_TOP","value":4294967295} -> {"enum":"FEAT_ONE","value":1}"#,
        r#"feat_in_addr: {"s_addr":16908480} -> {"s_addr":117967114}"#,
        "feat_long_array[3]: 7 -> 2",
        "feat_matrix[1][0]: 4 -> 9",
        "feat_matrix[1][1]: 5 -> 9",
        "feat_matrix[1][2]: 6 -> 9",
        r#"feat_names[1]: "beta" -> "new""#,
        r#"feat_text: "epair0a" -> "em0""#,
        "ipq[3..4].count: 0 -> 1",
        "ipq[6].count: 0 -> 1",
    ];
    assert_eq!(told(&initial(&session, "web01", false)), wanted);
}

/// Writes the address of one variable into another one, each in the stack of a jail.
fn point(variable: &str, jail: &str, to: &str, to_jail: &str) -> String {
    format!(
        "[[step]]\ndo = \"overwrite\"\nwhat = \"variable:{variable}\"\njail = \"{jail}\"\n\
         to = \"variable:{to}\"\nto_jail = \"{to_jail}\"\n"
    )
}

fn jails(names: &[&str]) -> String {
    names.iter().map(|name| format!("[[step]]\ndo = \"jail\"\nname = \"{name}\"\n")).collect()
}

#[test]
fn pointers_differ_by_what_they_lead_to() {
    for kernel in [CLASSIC, "stable15-clang-dwarf4"] {
        let mut text = jails(&["a", "b", "c", "d"]);
        text += "[[step]]\ndo = \"set\"\njail = \"d\"\n[step.values]\nfeat_int = 5\n";
        for jail in ["a", "b"] {
            // The same part of its own copies, where the initial value leads into the set.
            text += &point("feat_pointer", jail, "feat_declared", jail);
            text += &point("feat_into_array", jail, "feat_declared_array", jail);
        }
        // Equal structs, and structs that differ.
        text += &point("feat_ring", "a", "feat_ring_b", "c");
        text += &point("feat_ring", "b", "feat_ring_b", "d");
        text += "[[step]]\ndo = \"set\"\njail = \"d\"\n[step.values]\n\"feat_items[2].id\" = 8\n";
        text += &point("feat_tailq.tqh_first", "a", "feat_items[2]", "c");
        text += &point("feat_tailq.tqh_first", "b", "feat_items[2]", "d");
        // A number behind a pointer may be an array.
        text += &point("feat_null", "a", "feat_int", "c");
        text += &point("feat_null", "b", "feat_int", "c");
        text += &point("feat_restrict", "a", "feat_int", "c");
        text += &point("feat_restrict", "b", "feat_int", "d");
        let session = session(kernel, &text);
        let vnet = |jail: &str| session.select(&Selector::Jail(jail.into())).unwrap().stacks[0];
        let diff = |jail: &str, against, all| {
            only(&ask(&session, &Selector::Jail(jail.into()), against, &["feat_*"], all))
        };
        let names = |diff: &Diff<'_>| -> Vec<String> {
            let names = diff.differences().to_vec();
            names.iter().map(|found| found.place.title()).collect()
        };
        let between = diff("b", Against::Vnet(vnet("a")), false);
        assert_eq!(names(&between), ["feat_tailq.tqh_first"], "{kernel}");
        assert_eq!(unknown(&between), ["feat_restrict: - no-type"], "{kernel}");
        // feat_pointer, feat_into_array, feat_ring.
        assert_eq!(between.summary().folded.of(Kind::Pointer), 3, "{kernel}");

        let all = diff("b", Against::Vnet(vnet("a")), true);
        let marked: Vec<String> =
            told(&all).into_iter().filter(|told| told.ends_with("(pointer)")).collect();
        assert_eq!(marked.len(), 3, "{kernel}: {marked:?}");
        assert!(marked[0].starts_with("feat_into_array: "), "{kernel}: {marked:?}");

        let since_start = diff("a", Against::Initial, false);
        let wanted =
            ["feat_into_array", "feat_null", "feat_restrict", "feat_ring", "feat_tailq.tqh_first"];
        assert_eq!(names(&since_start), wanted, "{kernel}");
        assert_eq!(unknown(&since_start), NONE, "{kernel}");
        assert_eq!(since_start.summary().folded.of(Kind::Pointer), 1, "{kernel}: feat_pointer");

        let same = diff("a", Against::Vnet(vnet("a")), false);
        assert_eq!((told(&same), same.found()), (Vec::new(), false));
    }
}

/// The step that loads a module.
fn module(arch: &str, name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let file = format!("{root}/fixtures/kernel/modules/{arch}/{name}");
    format!("[[step]]\ndo = \"module\"\nfile = \"{file}\"\n")
}

/// A module loaded before and one loaded after the jail was made.
fn with_modules(kernel: &str, arch: &str, files: bool) -> (tempfile::TempDir, Session) {
    let mut text = module(arch, "bridgestp.ko") + &module(arch, "if_gif.ko") + &jails(&["web01"]);
    text += &module(arch, "if_bridge.ko");
    text += "[[step]]\ndo = \"set\"\njail = \"web01\"\n[step.values]\n";
    text += "max_gif_nesting = 3\nallow_llz_overlap = \"LLZ_ALWAYS\"\n";
    text += "\"bridge_list_mtx.mtx_lock\" = 4\n\"ip_gif_ttl@if_gif.ko\" = 31\n";
    saved(kernel, &text, files)
}

/// The dump of a scenario with its kernel, and with the files of its modules or without.
fn saved(kernel: &str, scenario: &str, files: bool) -> (tempfile::TempDir, Session) {
    let image = built(kernel, scenario);
    let directory = tempfile::tempdir().unwrap();
    image.save_kernel(directory.path()).unwrap();
    if !files {
        for name in ["if_gif.ko", "if_gif.ko.debug", "if_bridge.ko", "bridgestp.ko"] {
            let _ = std::fs::remove_file(directory.path().join(name));
        }
    }
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    let kernel = Some(directory.path().join("kernel"));
    let options = Options { kernel, core, ..Options::default() };
    let session = Session::open(&options).unwrap();
    (directory, session)
}
