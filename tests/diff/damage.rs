//! Missing pages, sick vnets, kernels that say little, and limits.

use super::*;

/// What a page that is missing holds is unknown, on whichever side.
#[test]
fn missing_pages_are_unknown() {
    for kernel in [CLASSIC, "stable15-clang-dwarf4", "i386"] {
        let whole = session(kernel, JAILS);
        let cut = JAILS.to_owned()
            + "[[step]]\ndo = \"leave-out\"\nvariable = \"ip_defttl\"\njail = \"web01\"\n";
        let cut = session(kernel, &cut);
        let missing = ["ip_defttl: new not-dumped"];
        let diff = |session, against| {
            only(&ask(session, &Selector::Jail("web01".into()), against, &["ip_defttl"], false))
        };
        let found = diff(&cut, Against::Initial);
        assert_eq!(
            (told(&found), unknown(&found)),
            (Vec::new(), missing.map(String::from).to_vec())
        );
        assert!(!found.found() && found.unreadable() == 1, "{kernel}");
        assert_eq!(unknown(&diff(&cut, Against::Dump(&whole))), missing, "{kernel}");
        let other = diff(&whole, Against::Dump(&cut));
        assert_eq!(unknown(&other), ["ip_defttl: old not-dumped"], "{kernel}");
        assert_eq!(told(&other), NONE);

        // All of it: a struct or array that is missing is told once, not for each member.
        let found = initial(&cut, "web01", false);
        let unknown = unknown(&found);
        assert!(unknown.contains(&missing[0].to_owned()), "{kernel}");
        let of = |name: &str| unknown.iter().filter(|told| told.starts_with(name)).count();
        assert!(unknown.len() > 10 && of("tcbinfo") <= 1 && of("tcpstat") <= 1, "{unknown:?}");
    }
}

/// Without the copy that the kernel keeps, the file has the initial values.
#[test]
fn a_pristine_copy_that_is_missing_is_replaced_by_the_file() {
    let kernel = "stable15-clang-dwarf4";
    let text = format!(
        "{JAILS}\n[[step]]\ndo = \"overwrite\"\nwhat = \"variable:vnet_init_var\"\nvalue = 0\n"
    );
    let session = session(kernel, &text);
    let diff = initial(&session, "web01", false);
    assert_eq!(origins(&diff), [("kernel".to_owned(), "file")]);
    assert_eq!(told(&diff), ["ip_defttl: 64 -> 42", "tcbinfo.ipi_count: 0 -> 3"]);
}

#[test]
fn a_sick_vnet_has_no_copies() {
    let damage = |member: &str, value: &str| {
        format!(
            "{JAILS}\n[[step]]\ndo = \"overwrite\"\nwhat = \"vnet:web01\"\nmember = \"{member}\"\n\
             value = \"{value}\"\n"
        )
    };
    for (member, value) in
        [("vnet_data_base", "0x1234"), ("vnet_data_mem", "0x0"), ("vnet_magic_n", "0xdeadbeef")]
    {
        let session = session(CLASSIC, &damage(member, value));
        let answer = ask(&session, &Selector::Jail("web01".into()), Against::Initial, &[], false);
        let diff = only(&answer);
        assert_eq!((told(&diff), diff.summary().compared), (Vec::new(), 0), "{member}");
        assert_eq!(answer.problems().len(), 1, "{member}");
        assert!(!answer.found(), "{member}");
        let vnet = session.select(&Selector::Jail("web01".into())).unwrap().stacks[0];
        let other = ask(&session, &Selector::Jail("db01".into()), Against::Vnet(vnet), &[], false);
        assert_eq!(other.problems().len(), 1, "{member}");
    }
    // Memory with the pattern of freed memory is no value.
    let freed = format!(
        "{JAILS}\n[[step]]\ndo = \"overwrite\"\nwhat = \"variable:tcbinfo\"\njail = \"web01\"\nfreed = true\n"
    );
    let session = session(CLASSIC, &freed);
    let diff = initial(&session, "web01", false);
    assert_eq!(told(&diff), ["ip_defttl: 64 -> 42"]);
    assert_eq!(unknown(&diff), ["tcbinfo: new freed"]);
}

#[test]
fn kernels_without_vimage_or_types() {
    let plain = session("plain-clang-dwarf4", "[host.values]\nipforwarding = 1\n");
    let diff = only(&ask(
        &plain,
        &Selector::Default,
        Against::Initial,
        &["ipforwarding", "ip_defttl"],
        false,
    ));
    assert_eq!(told(&diff), ["ipforwarding: 0 -> 1"]);
    assert_eq!(origins(&diff), [("kernel".to_owned(), "file")]);
    let question = Question { patterns: &[], all: false };
    let all = answers::diff(&plain, chosen(&plain, &Selector::Default), Against::Initial, question);
    assert!(all.is_err(), "nothing shows which globals would be virtualized");

    // Without the debug file, variables are compared as bytes.
    let (main, debug) = (open("small-split/kernel"), open("small-split/kernel.debug"));
    let split = Kernel::open(main, Some(debug)).unwrap();
    let image = build(&Scenario::parse(JAILS).unwrap(), split).unwrap();
    let mut dump = Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut dump).unwrap();
    let dump = Source::from_vec("vmcore", dump.into_inner());
    let untyped = Session::from_sources(open("small-split/kernel"), dump).unwrap();
    let patterns = ["ip_defttl", "ipforwarding", "tcbinfo"];
    let diff = only(&ask(&untyped, &Selector::Index(1), Against::Initial, &patterns, false));
    let wanted = [
        r#"ip_defttl[0]: {"bytes":"40"} -> {"bytes":"2a"}"#,
        r#"tcbinfo[40]: {"bytes":"00"} -> {"bytes":"03"}"#,
    ];
    assert_eq!(told(&diff), wanted);
}

#[test]
fn the_work_is_limited() {
    let text = format!(
        "{JAILS}[[step]]\ndo = \"set\"\njail = \"db01\"\n[step.values]\n\"ipq[1000].count\" = 1\n"
    );
    let session = session(CLASSIC, &text);
    let jail = chosen(&session, &Selector::Jail("db01".into()));
    session.matches(&[]).unwrap();
    session.budget().renew(Allowance { work: 200, bytes: 1 << 20 });
    let patterns = ["ipq".to_owned()];
    let question = Question { patterns: &patterns, all: false };
    let diff = only(&answers::diff(&session, jail, Against::Initial, question).unwrap());
    assert_eq!((told(&diff), unknown(&diff)), (Vec::new(), vec!["ipq: - limit".to_owned()]));
}
