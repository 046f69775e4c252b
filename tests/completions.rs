//! How unfinished expressions may go on, by the types of the demonstration's kernel.

#![cfg(feature = "image")]

use vnetkvm::answers::completions::{Vocabulary, completions, interfaces, plain_jails};
use vnetkvm::expr::Kept;
use vnetkvm::image;
use vnetkvm::session::{Names, Place, Selector, Session};
use vnetkvm::vnet::Stack;

fn demo() -> Session {
    let demo = image::demo().unwrap();
    Session::from_sources(demo.kernel, demo.core).unwrap()
}

/// The words that a text may end with in web01, and the part of it that they take the place of.
fn of<'t>(session: &Session, text: &'t str) -> (&'t str, Vec<String>) {
    let selection = session.select(&Selector::Index(1)).unwrap();
    let found = completions(session, &Vocabulary::default(), selection.stacks[0].into(), text);
    (&text[found.start..], found.words)
}

#[track_caller]
fn check(session: &Session, text: &str, word: &str, expected: &[&str]) {
    let (start, words) = of(session, text);
    assert_eq!(
        (start, words),
        (word, expected.iter().map(|it| it.to_string()).collect()),
        "{text}"
    );
}

#[test]
fn names_are_variables_globals_and_words_of_the_language() {
    let session = demo();
    check(&session, "ip_deft", "ip_deft", &["ip_defttl"]);
    check(&session, "1 + V_ip_deft", "V_ip_deft", &["V_ip_defttl"]);
    check(&session, "sizeo", "sizeo", &["sizeof"]);
    check(&session, "vnet_hea", "vnet_hea", &["vnet_head"]);
    check(&session, "vnet_entry_ip_deft", "vnet_entry_ip_deft", &["vnet_entry_ip_defttl"]);
    check(&session, "no_such_name", "no_such_name", &[]);
    check(&session, "0x1", "0x1", &[]);
    let (_, all) = of(&session, "");
    assert!(all.contains(&"ip_defttl".to_owned()) && all.contains(&"curthread".to_owned()));
    assert!(!all.contains(&"vnet_head".to_owned()), "of globals there are too many");
    assert!(all.is_sorted());
}

#[test]
fn members_are_found_through_pointers_arrays_and_lists() {
    let session = demo();
    let xname = &["if_xname"][..];
    for text in [
        "V_ifnet.cstqh_first->if_xn",
        "V_ifnet.cstqh_first.if_xn",
        "V_ifnet[*].if_xn",
        "V_ifnet[*][.if_mtu > 0].if_xn",
        "V_ifnet[*][.if_xn",
        "V_ifnet[.if_mtu > 1 && .if_xn",
        "V_ifnet[*].if_link.cstqe_next->if_xn",
        "((struct ifnet *)0)->if_xn",
        "(*(struct ifnet *)0).if_xn",
        "count(V_ifnet[*].if_xn",
        "sum(V_ifnet[.if_xn",
    ] {
        check(&session, text, "if_xn", xname);
    }
    check(&session, "vnet(1).vnet_ifc", "vnet_ifc", &["vnet_ifcnt"]);
    check(&session, "curvnet->vnet_ifc", "vnet_ifc", &["vnet_ifcnt"]);
    check(&session, "jail(\"no such\").pr_nam", "pr_nam", &["pr_name"]);
    check(&session, "curthread->td_proc->p_com", "p_com", &["p_comm"]);
    check(&session, "V_ifnet.", "", &["cstqh_first", "cstqh_last"]);
    check(&session, "ip_defttl.", "", &[]);
    check(&session, "no_such_name.", "", &[]);
    check(&session, "V_ifnet[*].no_such.x", "x", &[]);
}

/// A list may be empty, and a pointer lead nowhere.
#[test]
fn no_memory_is_read_for_a_member() {
    let session = demo();
    let place = Place::from(Stack::Unchosen);
    let text = "V_ifnet.cstqh_first->if_link.cstqe_next->if_link.cstqe_next->if_mt";
    let found = completions(&session, &Vocabulary::default(), place, text);
    assert_eq!(found.words, ["if_mtu"]);
}

#[test]
fn types_follow_their_keyword_and_jails_a_quotation_mark() {
    let session = demo();
    check(&session, "(struct ifneth", "ifneth", &["ifnethead"]);
    check(&session, "sizeof(struct vnet_data_fr", "vnet_data_fr", &["vnet_data_free"]);
    check(&session, "(union ifnet", "ifnet", &[]);
    check(&session, "jail(\"web", "web", &["web01", "web01.php"]);
    check(&session, "thread(\"web", "web", &[]);
    assert_eq!(plain_jails(&session, "d"), ["db01"]);
    let vocabulary = Vocabulary::default();
    assert_eq!(vocabulary.variables(&session, "ip_deft"), ["ip_defttl"]);
    assert_eq!(vocabulary.types(&session, "struct ", "ifneth"), ["ifnethead"]);
}

#[test]
fn interfaces_and_sysctls_are_completed() {
    let session = demo();
    let selection = session.select(&Selector::All).unwrap();
    assert_eq!(interfaces(&session, selection.stacks[1], ""), ["epair0b", "lo0"]);
    assert_eq!(interfaces(&session, selection.stacks[1], "e"), ["epair0b"]);
    assert_eq!(interfaces(&session, selection.stacks[1], "x"), [""; 0]);
    let vocabulary = Vocabulary::default();
    let sysctls = |prefix| vocabulary.sysctls(&session, prefix);
    assert_eq!(sysctls("net.inet.ip.tt"), ["net.inet.ip.ttl"]);
    // Part by part, as names of files are completed.
    assert_eq!(sysctls("ne"), ["net."]);
    assert_eq!(sysctls("net.i"), ["net.inet."]);
    assert_eq!(sysctls("nosuch"), [""; 0]);
}

#[test]
fn kept_values_have_members_too() {
    let session = demo();
    let selection = session.select(&Selector::Index(1)).unwrap();
    let stack = selection.stacks[0];
    let mut kept = Kept::default();
    let first = session.evaluate(stack.into(), "V_ifnet.cstqh_first").unwrap().to_keep();
    kept.push(first.clone());
    kept.name("first", first);
    kept.name("other", session.evaluate(stack.into(), "1").unwrap().to_keep());
    let complete = |text: &str| {
        let place = Place { stack, names: Names { cpu: None, kept: Some(&kept) } };
        completions(&session, &Vocabulary::default(), place, text).words
    };
    assert_eq!(complete("$1->if_xn"), ["if_xname"]);
    assert_eq!(complete("1 + $first->if_xn"), ["if_xname"]);
    assert_eq!(complete("$f"), ["$first"]);
    assert_eq!(complete("$"), ["$first", "$other"]);
}

/// Whatever is typed, the answer comes, and its words take the place of the end of the text.
#[test]
fn any_text_has_an_answer() {
    let session = demo();
    let deep = "(".repeat(50_000);
    let texts = [
        deep.clone() + ".x",
        deep + "[*].x",
        "a.".repeat(20_000),
        "V_ifnet[".repeat(9_000) + ".",
        "\"".repeat(9),
        "jail(\"ä".into(),
        "ä.".into(),
        "$".repeat(100),
        "]".repeat(9_000) + ".",
        "V_ifnet.cstqh_first".to_owned() + &"->if_link.cstqe_next".repeat(500) + "->",
    ];
    for text in &texts {
        let (word, words) = of(&session, text);
        assert!(words.iter().all(|it| it.starts_with(word)), "{}", &text[..20]);
    }
}
