//! The script that `vnetkvm gdb` writes, tried with the real gdb.

#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Output};

use vnetkvm::image::{self, Format, Scenario};

#[test]
#[ignore = "needs gdb"]
fn gdb_knows_every_variable_by_the_type_of_its_master() {
    let directory = tempfile::tempdir().unwrap();
    let script = write_script(directory.path());
    let commands: String = variables(&script)
        .map(|(variable, master)| format!("whatis {variable}\nwhatis &{master}\n"))
        .collect();
    let whatis = directory.path().join("whatis.gdb");
    std::fs::write(&whatis, commands).unwrap();
    let output = Command::new("gdb")
        .args(["-nx", "-batch", "-iex", "set osabi GNU/Linux", "-x"])
        .arg(directory.path().join("vnet.gdb"))
        .arg("-x")
        .args([&whatis, &directory.path().join("kernel")])
        .output()
        .unwrap();
    let told = text(&output);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let types: Vec<&str> = told.lines().collect();
    assert_eq!(types.len(), 2 * variables(&script).count(), "{told}");
    for (pair, (variable, master)) in types.chunks(2).zip(variables(&script)) {
        assert_eq!(pair[0], pair[1], "{variable} and {master}");
        assert_ne!(pair[0], "type = void", "{variable}");
    }
}

#[test]
#[ignore = "needs gdb"]
fn a_debugger_with_other_pointers_is_told_and_nothing_is_set() {
    let directory = tempfile::tempdir().unwrap();
    write_script(directory.path());
    let output = Command::new("gdb")
        .args(["-nx", "-batch", "-ex", "set architecture i386", "-x"])
        .arg(directory.path().join("vnet.gdb"))
        .args(["-ex", "print $vnet"])
        .output()
        .unwrap();
    let told = text(&output);
    assert!(told.contains("pointers have 8 bytes, this debugger's 4"), "{told}");
    assert!(told.contains("= void"), "{told}");
}

/// Builds the demonstration's image and writes the script for its vnet 1.
fn write_script(directory: &Path) -> String {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenarios/demo.toml");
    let scenario = Scenario::open(scenario).unwrap();
    let image = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    image.save_kernel(directory).unwrap();
    let core = image.save(Format::MinidumpV2, directory).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(["gdb", "--vnet", "1", "-N"])
        .arg(directory.join("kernel"))
        .arg("-M")
        .arg(core)
        .output()
        .unwrap();
    let script = text(&output);
    std::fs::write(directory.join("vnet.gdb"), &script).unwrap();
    script
}

/// Every `$V_NAME` that the script sets, and its master as gdb names it.
fn variables(script: &str) -> impl Iterator<Item = (&str, String)> {
    script.lines().filter_map(|line| {
        let (variable, value) = line.strip_prefix("set ")?.split_once(" = ")?;
        let name = variable.strip_prefix("$V_")?;
        let borrowed = value.strip_prefix("&{__typeof__(").and_then(|rest| rest.split_once(")}"));
        match (borrowed, name.split_once("__")) {
            (Some((master, _)), _) => Some((variable, master.to_owned())),
            // Only one of several variables of that name is what gdb finds without its file.
            (None, Some(_)) => None,
            (None, None) => Some((variable, format!("vnet_entry_{name}"))),
        }
    })
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
