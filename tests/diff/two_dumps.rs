//! The same vnet in two dumps, under one build and under two, and the modules of each.

use super::*;

/// A module's variables may be in another part of module space, and a module may be loaded in one
/// of the dumps only.
#[test]
fn modules_in_two_dumps() {
    for (kernel, arch) in [(CLASSIC, "amd64"), ("arm64", "arm64")] {
        let before = module(arch, "if_gif.ko") + &jails(&["web01"]);
        let mut after = "[[step]]\ndo = \"module\"\nname = \"first\"\nsize = 64\n".to_owned();
        after += &(module(arch, "bridgestp.ko") + &module(arch, "if_gif.ko") + &jails(&["web01"]));
        after += &module(arch, "if_bridge.ko");
        after += "[[step]]\ndo = \"set\"\njail = \"web01\"\nvalues = { max_gif_nesting = 5 }\n";
        let ((_one, before), (_two, after)) =
            (saved(kernel, &before, true), saved(kernel, &after, true));
        let place = |session: &Session| {
            session.variables(&["max_gif_nesting".to_owned()]).unwrap()[0].master
        };
        assert_ne!(place(&before), place(&after), "{kernel}");
        let jail = Selector::Jail("web01".into());
        let diff = only(&ask(&after, &jail, Against::Dump(&before), &[], false));
        assert_eq!(told(&diff), ["max_gif_nesting: 1 -> 5"], "{kernel}");
        assert_eq!(unknown(&diff), NONE, "{kernel}");
        let changed = changed(&diff);
        assert_eq!(changed.len(), 14, "{kernel}: {changed:?}");
        assert!(changed.iter().all(|found| found.ends_with(": OnlyNew")), "{kernel}: {changed:?}");
        assert!(changed.contains(&"ip_gif_ttl@if_bridge.ko: OnlyNew".to_owned()), "{changed:?}");
    }
}

#[test]
fn variables_of_modules_are_compared_with_their_images_or_files() {
    for (kernel, arch, with_files, without) in [
        (CLASSIC, "amd64", "file", "master"),
        ("arm64", "arm64", "image", "image"),
        ("i386", "i386", "image", "image"),
        ("stable15-clang-dwarf4", "amd64", "pristine", "pristine"),
        ("arm64-newer", "arm64", "pristine", "pristine"),
    ] {
        let (_directory, session) = with_modules(kernel, arch, true);
        let diff = initial(&session, "web01", false);
        let ttl = "ip_gif_ttl@if_gif.ko: 30 -> 31";
        let wanted = [
            r#"allow_llz_overlap: {"enum":"LLZ_ONE_MEMBER","value":1} -> {"enum":"LLZ_ALWAYS","value":2}"#,
            ttl,
            "max_gif_nesting: 1 -> 3",
        ];
        assert_eq!(told(&diff), wanted, "{kernel}");
        assert_eq!(diff.summary().folded.of(Kind::Lock), 1, "{kernel}");
        let from = |diff: &Diff<'_>| -> Vec<&'static str> {
            let modules = origins(diff).into_iter().filter(|(module, _)| module != "kernel");
            modules.map(|(_, origin)| origin).collect()
        };
        assert_eq!(from(&diff), [with_files; 2], "{kernel}");
        assert_eq!(unknown(&diff), NONE, "{kernel}");

        // Nothing has their types: they are compared as bytes.
        let (_directory, session) = with_modules(kernel, arch, false);
        let diff = initial(&session, "web01", false);
        assert_eq!(from(&diff), [without; 2], "{kernel}");
        let wanted = [
            r#"allow_llz_overlap[0]: {"bytes":"01"} -> {"bytes":"02"}"#,
            r#"bridge_list_mtx[24]: {"bytes":"01"} -> {"bytes":"04"}"#,
            r#"ip_gif_ttl@if_gif.ko[0]: {"bytes":"1e"} -> {"bytes":"1f"}"#,
            r#"max_gif_nesting[0]: {"bytes":"01"} -> {"bytes":"03"}"#,
        ];
        let narrow = arch == "i386";
        let told = told(&diff).into_iter().map(|told| match narrow {
            true => told.replace("bridge_list_mtx[16]", "bridge_list_mtx[24]"),
            false => told,
        });
        assert_eq!(told.collect::<Vec<_>>(), wanted, "{kernel}");
    }
}

const LATER: &str = r#"
[[step]]
do = "set"
jail = "web01"
[step.values]
ip_defttl = 43
"tcbinfo.ipi_gencnt" = 9
[step.statistics.ipstat]
ips_total = [60]
[[step]]
do = "jail"
name = "late"
"#;

#[test]
fn the_same_vnet_in_two_dumps() {
    for kernel in [CLASSIC, "stable15-clang-dwarf4", "arm64", "i386"] {
        let (before, after) = (session(kernel, JAILS), session(kernel, &format!("{JAILS}{LATER}")));
        let all = ask(&after, &Selector::All, Against::Dump(&before), &[], false);
        let answers: Vec<Diff<'_>> = all.to_vec().into_iter().map(|(_, diff)| diff).collect();
        let [host, web01, db01] = &answers[..] else { panic!("{kernel}") };
        assert_eq!((told(host), told(db01)), (Vec::new(), Vec::new()), "{kernel}");
        assert_eq!(told(web01), ["ip_defttl: 42 -> 43"], "{kernel}");
        assert_eq!(folded(web01), "1 counter, 1 generation number", "{kernel}");
        assert!(answers.iter().all(|diff| unknown(diff).is_empty() && changed(diff).is_empty()));
        let remarks = format!("{:?}", all.remarks());
        assert!(remarks.contains("both are those of jail web01"), "{remarks}");
        assert!(remarks.contains("the other dump has no vnet of a jail late"), "{remarks}");

        let back = ask(&before, &Selector::All, Against::Dump(&after), &["ip_defttl"], false);
        assert_eq!(told(&back.to_vec().remove(1).1), ["ip_defttl: 43 -> 42"], "{kernel}");
        assert!(format!("{:?}", back.remarks()).contains("of vmcore has no counterpart"));

        // Without its jail, a vnet is found by its number.
        let renamed = JAILS.replace("db01", "db02");
        let renamed = session(kernel, &renamed);
        let by_number =
            ask(&after, &Selector::Jail("db01".into()), Against::Dump(&renamed), &[], false);
        assert_eq!(told(&only(&by_number)), NONE, "{kernel}");
        let remarks = format!("{:?}", by_number.remarks());
        assert!(
            remarks.contains("there is no jail db01, but they have the same number"),
            "{remarks}"
        );

        let all = ask(&after, &Selector::Jail("web01".into()), Against::Dump(&before), &[], true);
        let marked: Vec<String> =
            told(&only(&all)).into_iter().map(|told| told.replace("0xf", "0x")).collect();
        assert_eq!(marked.len(), 3, "{kernel}: {marked:?}");
        assert_eq!(marked[2], "tcbinfo.ipi_gencnt: 0 -> 9 (generation)");
    }
}

#[test]
fn the_same_vnet_under_two_builds() {
    let old = session(CLASSIC, JAILS);
    let new = session("stable15-clang-dwarf4", &JAILS.replace("= 42", "= 43"));
    let diff = |patterns: &[&str]| {
        only(&ask(&new, &Selector::Jail("web01".into()), Against::Dump(&old), patterns, false))
    };
    let found = diff(&["ip_defttl", "tcbinfo", "tcb", "_rt_numfibs", "rt_tables", "tcpstat"]);
    assert_eq!(told(&found), ["ip_defttl: 42 -> 43"]);
    assert_eq!(unknown(&found), NONE);
    let changed = changed(&found);
    let told =
        |told: &str| assert!(changed.iter().any(|found| found == told), "{told}: {changed:#?}");
    told("tcbinfo: Size { old: 240, new: 184 }");
    told("tcbinfo.ipi_hashbase: OnlyOld");
    told("tcbinfo.ipi_smr: OnlyNew");
    told(r#"rt_tables: Type { old: "struct rib_head *", new: "struct rib_head **" }"#);
    told(r#"tcpstat: Type { old: "counter_u64_t [113]", new: "counter_u64_t [125]" }"#);
    told("tcb: OnlyOld");
    told("_rt_numfibs: OnlyNew");
    let named = |name: &str| changed.iter().any(|found| found.starts_with(name));
    assert!(!named("tcbinfo.ipi_count") && !named("tcbinfo.ipi_lock.lock_object"), "{changed:#?}");
    assert!(found.found());

    let all = diff(&[]);
    assert_eq!(self::told(&all), ["ip_defttl: 42 -> 43"]);
    let pointers = all.summary().folded.of(Kind::Pointer);
    assert!(
        pointers > 20,
        "{pointers} pointers lead to what has another address in the other build"
    );

    // One build for two releases of the same layouts, with different compilers.
    let other = session("classic-gcc-dwarf4", JAILS);
    let whole = only(&ask(
        &other,
        &Selector::Jail("web01".into()),
        Against::Dump(&old),
        &["[a-eg-z]*"],
        false,
    ));
    assert_eq!(self::told(&whole), NONE);
}
