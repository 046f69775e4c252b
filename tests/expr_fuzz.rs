//! Expressions at random: from a grammar, with damage, and as streams of words. Parsing never
//! panics and does no more work than the text justifies; an error points into the expression. What
//! can be parsed is evaluated over the demonstration's memory, within a small budget.

#![cfg(feature = "image")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use vnetkvm::budget::Allowance;
use vnetkvm::expr;
use vnetkvm::image;
use vnetkvm::session::{Selector, Session};
use vnetkvm::value::Limits;

/// Words of the language, names of the demonstration's kernel, and what is like them.
const WORDS: &[&str] = &[
    "V_ifnet",
    "ifnet",
    "tcbinfo",
    "V_ip_defttl",
    "ticks",
    "curvnet",
    "curthread",
    "cstqh_first",
    "if_xname",
    "if_link",
    "ipi_count",
    "nosuch",
    "0",
    "1",
    "2",
    "0x10",
    "077",
    "42UL",
    "0xffffffffffffffff",
    "18446744073709551615",
    "99999999999999999999",
    "'a'",
    "'\\n'",
    "'",
    "\"lo0\"",
    "\"",
    "(",
    ")",
    "[",
    "]",
    "[*]",
    "[*if_link]",
    "[0..3]",
    "[.",
    "..",
    ".",
    "->",
    "*",
    "&",
    "+",
    "-",
    "~",
    "!",
    "/",
    "%",
    "<<",
    ">>",
    "<",
    "<=",
    "==",
    "!=",
    "|",
    "^",
    "&&",
    "||",
    "?",
    ":",
    "::",
    "@",
    "@2",
    "$",
    "$1",
    "$$",
    ",",
    "struct",
    "union",
    "enum",
    "unsigned",
    "long",
    "char",
    "struct ifnet",
    "(struct ifnet *)",
    "(u_int)",
    "sizeof",
    "typeof",
    "offsetof(",
    "container_of(",
    "DPCPU(",
    "cpu(",
    "vnet(",
    "count(",
    "uniq(",
];

/// An expression by the grammar.
fn expression() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "V_ifnet",
        "tcbinfo",
        "V_ip_defttl",
        "ip_id",
        "ticks",
        "curvnet",
        "V_ifnet.cstqh_first",
        "V_ifnet[*].if_mtu",
        "V_ifnet[*].if_xname",
        "tcbinfo.ipi_count",
        "vnet(1)",
        "cpu(0)",
        "jail(1)",
        "nosuch",
        "0",
        "1",
        "7u",
        "0x7fffffffffffffff",
        "'a'",
        "\"lo0\"",
        "-1",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operator = select(vec![
            "+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=",
            "&&", "||",
        ]);
        let before = select(vec![
            "*",
            "&",
            "-",
            "+",
            "~",
            "!",
            "sizeof ",
            "(int)",
            "(char *)",
            "(struct ifnet *)",
            "(unsigned long)",
            "(int (*)(void))",
        ]);
        let behind = select(vec![
            "[*]",
            "[0]",
            "[1..3]",
            "[.if_mtu > 1]",
            "->if_xname",
            ".if_index",
            ".cstqh_first",
            "@2",
            "[-1]",
            "[*if_link]",
            ".nosuch",
        ]);
        let function = select(vec!["count", "sum", "min", "max", "uniq", "sizeof", "cpu", "vnet"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
            (before, inner.clone()).prop_map(|(before, inner)| format!("{before}{inner}")),
            (inner.clone(), behind).prop_map(|(inner, behind)| format!("({inner}){behind}")),
            (function, inner.clone()).prop_map(|(function, inner)| format!("{function}({inner})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(which, yes, no)| format!("{which} ? {yes} : {no}")),
            (inner.clone(), inner.clone()).prop_map(|(base, at)| format!("({base})[{at}]")),
            inner.prop_map(|inner| format!("({inner})")),
        ]
    })
}

/// Words in any order.
fn words() -> impl Strategy<Value = String> {
    let gap = select(vec!["", "", " "]);
    let word = (select(WORDS.to_vec()), gap).prop_map(|(word, gap)| format!("{word}{gap}"));
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// What gdb was asked, with characters taken out, doubled or put in.
fn damaged() -> impl Strategy<Value = String> {
    let listed = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expressions/expressions.txt");
    let listed = fs::read_to_string(listed).unwrap();
    let lines = listed.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let damage = (any::<Index>(), 0..3, select(WORDS.to_vec()));
    (select(lines), prop::collection::vec(damage, 0..4)).prop_map(|(line, all)| {
        let mut line: Vec<char> = line.chars().collect();
        for (place, kind, word) in all {
            let at = place.index(line.len() + 1);
            match (kind, line.get(at).copied()) {
                (0, Some(_)) => drop(line.remove(at)),
                (1, Some(there)) => line.insert(at, there),
                _ => drop(line.splice(at..at, word.chars())),
            }
        }
        line.into_iter().collect()
    })
}

fn any_expression() -> impl Strategy<Value = String> {
    prop_oneof![expression(), words(), damaged(), "\\PC{0,60}"]
}

/// More than a hundred times what the longest of these expressions needs of the demonstration.
const ENOUGH: Allowance = Allowance { work: 200_000, bytes: 16 << 20 };

static DEMO: LazyLock<Session> = LazyLock::new(|| {
    let demo = image::demo().unwrap();
    let session = Session::from_sources(demo.kernel, demo.core).unwrap();
    // The index of names is made once, and not for one of the expressions.
    session.types().unwrap().find("struct ifnet").unwrap();
    session
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn parsing_ends_and_its_errors_point_into_the_expression(text in any_expression()) {
        if let Err(why) = expr::parse(&text) {
            let caret = why.caret();
            points_into(&caret, &text)?;
            prop_assert!(!why.to_string().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn evaluation_ends_within_its_budget(text in any_expression(), number in 0usize..3) {
        let selection = DEMO.select(&Selector::Index(number)).unwrap();
        DEMO.budget().renew(ENOUGH);
        let printed = DEMO.print(selection.stacks[0], &text, &Limits::default());
        prop_assert!(DEMO.budget().work_done() <= ENOUGH.work);
        match printed {
            Ok(printed) => prop_assert_eq!(&*printed.expression, &text),
            Err(vnetkvm::Error::Expr { caret: Some(caret), source, .. }) => {
                points_into(&caret, &text)?;
                prop_assert!(!source.to_string().is_empty());
            }
            Err(why) => prop_assert!(!why.story().is_empty()),
        }
    }
}

/// The expression on a line, and below it a mark that begins within it or just behind it.
fn points_into(caret: &str, text: &str) -> Result<(), TestCaseError> {
    let lines: Vec<&str> = caret.split('\n').collect();
    let [shown, mark] = lines[..] else {
        return Err(TestCaseError::fail(format!("{text:?}: {caret:?}")));
    };
    let at = mark.chars().take_while(|c| *c == ' ').count();
    let marked = mark.trim_start();
    let is_mark = marked.starts_with(['^', '~']) && marked.chars().all(|c| "^~".contains(c));
    prop_assert!(is_mark && at <= shown.chars().count(), "{text:?}: {caret}");
    prop_assert!(mark.chars().count() <= shown.chars().count() + 1, "{text:?}: {caret}");
    Ok(())
}
