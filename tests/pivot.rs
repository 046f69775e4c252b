//! Variables and expressions side by side: the vnets of the demonstration, whose values its scenario
//! sets, and a machine with many vnets of which one differs.

#![cfg(feature = "cli")]

use std::process::Command;

use serde_json::{Value, json};

fn run(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm")).args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn answer(words: &[&str]) -> String {
    let (status, out, err) = run(words);
    assert_eq!((status, &*err), (Some(0), ""), "{words:?}");
    out
}

fn json(words: &[&str]) -> Value {
    serde_json::from_str(&answer(&[words, &["--json"]].concat())).unwrap()
}

/// The places of the vnets of each value, and the value.
fn values(row: &Value) -> Vec<(Vec<u64>, &Value)> {
    let values = row["values"].as_array().unwrap().iter();
    let index = |vnet: &Value| vnet["index"].as_u64().unwrap();
    let vnets = |shared: &Value| shared["vnets"].as_array().unwrap().iter().map(index).collect();
    values.map(|shared| (vnets(shared), &shared["value"])).collect()
}

#[test]
fn each_variable_is_a_row_and_each_vnet_a_column() {
    let table = answer(&["--demo", "vars", "--pivot", "ip_defttl", "ipforwarding", "tcp_minmss"]);
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(lines[0], ["NAME", "vnet 0", "vnet 1", "vnet 2"]);
    assert_eq!(lines[1], ["ip_defttl", "64", "42", "128"]);
    assert_eq!(lines[2], ["ipforwarding", "1", "0", "= vnet 1"]);
    assert_eq!(lines[3], ["tcp_minmss", "216", "= vnet 0", "= vnet 0"]);

    let plain = answer(&["--demo", "vars", "--pivot", "--format", "plain", "ipforwarding"]);
    assert_eq!(plain, "ipforwarding\t1\t0\t0\n");
    let json = json(&["--demo", "vars", "--pivot", "ipforwarding"]);
    assert_eq!(
        (&json["pivot"][0]["name"], &json["pivot"][0]["type"]),
        (&json!("ipforwarding"), &json!("int"))
    );
    assert_eq!(values(&json["pivot"][0]), [(vec![0], &json!(1)), (vec![1, 2], &json!(0))]);
}

#[test]
fn expressions_stand_side_by_side_too() {
    let words = ["--demo", "print", "--pivot", "count(V_ifnet)", "/x V_ip_defttl"];
    let table = answer(&words);
    assert!(table.contains("\ncount(V_ifnet)  4       2       = vnet 1\n"), "{table}");
    assert!(table.contains("\nV_ip_defttl     0x40    0x2a    0x80\n"), "{table}");
    let json = json(&["--demo", "print", "--pivot", "V_ifnet[*].if_xname"]);
    let expected = [
        (vec![0], &json!(["lo0", "vtnet0", "epair0a", "epair1a"])),
        (vec![1], &json!(["lo0", "epair0b"])),
        (vec![2], &json!(["lo0", "epair1b"])),
    ];
    assert_eq!(values(&json["pivot"][0]), expected);
    // An expression that means nothing in any vnet is a warning beside others.
    let (status, out, err) = run(&["--demo", "print", "--pivot", "no_such", "V_ip_defttl"]);
    assert_eq!(status, Some(0), "{err}");
    assert!(err.starts_with("warning: cannot evaluate no_such"), "{err}");
    assert!(out.contains("V_ip_defttl"), "{out}");
}

#[test]
fn vnets_with_equal_values_share_a_column() {
    let directory = tempfile::tempdir().unwrap();
    let kernel = format!("{}/fixtures/kernel/classic-clang-dwarf4", env!("CARGO_MANIFEST_DIR"));
    let jails: String = (1..=12)
        .map(|number| {
            let ttl = if number == 7 { "values = { ip_defttl = 3 }\n" } else { "" };
            format!("[[step]]\ndo = \"jail\"\nname = \"j{number}\"\n{ttl}")
        })
        .collect();
    let text =
        format!("kernel = {kernel:?}\nmemory = \"64M\"\nformats = [\"minidump-v2\"]\n{jails}");
    let scenario = directory.path().join("many.toml");
    std::fs::write(&scenario, text).unwrap();
    let (built, scenario) = (directory.path().join("built"), scenario.to_str().unwrap());
    answer(&["image", "build", scenario, "-o", built.to_str().unwrap()]);
    let core = built.join("vmcore.minidump-v2");
    let files = ["-N", &kernel, "-M", core.to_str().unwrap()];
    let words = [&files[..], &["vars", "--pivot", "ip_defttl", "tcp_minmss"]].concat();
    let table = answer(&words);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0].trim_end(), "NAME        vnets 0-6, 8-12  vnet 7");
    assert_eq!(lines[1].trim_end(), "ip_defttl   64               3");
    assert_eq!(lines[2].trim_end(), "tcp_minmss  216              = vnet 0");
}

#[test]
fn one_vnet_cannot_stand_side_by_side() {
    for words in
        [&["vars", "--pivot", "--vnet", "1"][..], &["print", "--pivot", "--jail", "web01", "1"]]
    {
        let (status, out, err) = run(&[&["--demo"], words].concat());
        assert_eq!((status, &*out), (Some(2), ""), "{err}");
        assert!(err.starts_with("error: --pivot shows all vnets"), "{err}");
    }
    let (status, ..) = run(&["--demo", "vars", "--pivot", "no_such"]);
    assert_eq!(status, Some(1));
}
