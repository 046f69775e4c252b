//! The table of `vnets` fits a terminal of 80 columns on every image that the project has, and
//! `--wide` keeps what scripts get: the same columns as in the plain format.

#![cfg(feature = "cli")]

use std::fs;
use std::path::Path;
use std::process::Command;

use vnetkvm::image::{self, Scenario};

fn run(image: &Path, core: &Path, options: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .arg("-N")
        .arg(image.join("kernel"))
        .arg("-M")
        .arg(core)
        .arg("vnets")
        .args(options)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn vnets_fit_eighty_columns_and_nothing_is_lost() {
    let mut listed = 0;
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios")).unwrap()
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let scenario = Scenario::open(&path).unwrap();
        let built = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        let image = tempfile::tempdir().unwrap();
        built.save_kernel(image.path()).unwrap();
        let core = built.save(scenario.formats[0].clone(), image.path()).unwrap();
        let short = run(image.path(), &core, &[]);
        // Many jails may share a vnet; they are listed last.
        for line in short.lines().map(|line| line.split_once(',').map_or(line, |(line, _)| line)) {
            assert!(line.chars().count() <= 80, "{}: {line}", path.display());
        }
        let wide = run(image.path(), &core, &["--wide"]);
        for row in run(image.path(), &core, &["--format", "plain"]).lines() {
            let address = row.split('\t').nth(1).unwrap();
            assert!(short.contains(address), "{short}");
            for cell in row.split('\t') {
                assert!(wide.contains(cell), "{}: {cell}", path.display());
            }
            listed += 1;
        }
    }
    assert!(listed > 20, "only {listed} vnets");
}
