//! Inputs of the fuzzers, replayed: the seeds in `fuzz/corpus`, and in `fuzz/regressions` what the fuzzers found.
//! `SNAPSHOTS=overwrite` writes the seeds anew. `VNETKVM_FUZZ_CORPORA` names a folder with further corpora, as fuzzers have grown them.

#![cfg(all(feature = "cli", feature = "gdb-server"))]

#[path = "../counting/mod.rs"]
mod counting;
#[path = "../synth/ctf.rs"]
mod ctf;
#[path = "../../fuzz/src/doors/mod.rs"]
mod doors;
mod dwarf;
mod seeds;
#[path = "../synth/mod.rs"]
mod synth;
#[path = "../synth/types.rs"]
mod types;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use counting::counted;
use doors::DOORS;

/// Bytes of memory that one input may hold at a time, together with those of the tests beside it. The doors allow answers
/// 64 MB.
const MOST_HELD: usize = 512 << 20;

/// What all corpora may take together.
const MOST: u64 = 2 << 20;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The inputs that are kept for a door.
fn inputs(door: &str) -> Vec<PathBuf> {
    ["corpus", "regressions"].iter().flat_map(|kind| files(&folder(kind).join(door))).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    names(folder).into_iter().map(|name| folder.join(name)).collect()
}

fn replay(names: &[&str]) {
    for (name, door) in DOORS.iter().filter(|(name, _)| names.contains(name)) {
        let grown = std::env::var_os("VNETKVM_FUZZ_CORPORA");
        let grown = grown.map(|corpora| files(&Path::new(&corpora).join(name)));
        for input in inputs(name).into_iter().chain(grown.unwrap_or_default()) {
            // A panic says which input it was.
            eprintln!("{}", input.display());
            let bytes = fs::read(&input).unwrap();
            let ((), _, held) = counted(|| door(&bytes));
            assert!(held < MOST_HELD, "{}: {held} bytes of memory", input.display());
        }
    }
}

#[test]
fn dumps_get_an_answer() {
    replay(&["compressed", "dump_device", "elf_core", "minidump", "raw_memory"]);
}

#[test]
fn kernels_get_an_answer() {
    replay(&["ctf", "dwarf", "kernel_elf", "module"]);
}

#[test]
fn texts_get_an_answer() {
    replay(&["expression", "gdb_packets", "info_file", "scenario"]);
}

#[test]
fn a_whole_dump_gets_an_answer() {
    replay(&["whole_dump"]);
}

#[test]
fn each_door_has_a_target_and_a_corpus() {
    let doors: BTreeSet<String> = DOORS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let targets = names(&folder("fuzz_targets"));
    let targets = targets.iter().filter_map(|file| file.strip_suffix(".rs")).map(str::to_owned);
    assert_eq!(targets.collect::<BTreeSet<_>>(), doors);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in &doors {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    if std::env::var_os("SNAPSHOTS").is_some_and(|how| how == "overwrite") {
        seeds::write(&folder("corpus"));
    }
    assert_eq!(names(&folder("corpus")), doors);
    assert!(names(&folder("regressions")).is_subset(&doors), "{doors:?}");
    let len = |path: PathBuf| fs::metadata(path).unwrap().len();
    let all: u64 = doors.iter().flat_map(|name| inputs(name)).map(len).sum();
    assert!(all <= MOST, "{all} bytes");
}
