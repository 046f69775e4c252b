//! The kernel and the dump that benches measure: the checked-in kernel, or the one that
//! VNETKVM_BENCH_KERNEL names, with the dump that VNETKVM_BENCH_CORE names, or one built for it.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub mod vnets;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::Options;
use vnetkvm::source::Source;

/// A machine with one jail.
const SCENARIO: &str = r#"
memory = "128M"
cpus = 2
[[step]]
do = "jail"
name = "web01"
jid = 1
"#;

/// Both files; a dump that is built lies in `directory`.
pub fn options(directory: &Path) -> Options {
    let core = env::var_os("VNETKVM_BENCH_CORE").map(PathBuf::from);
    let core = core.unwrap_or_else(|| build(SCENARIO, directory));
    Options { kernel: Some(kernel_path()), core, ..Options::default() }
}

/// A dump of the kernel in this scenario.
pub fn build(scenario: &str, directory: &Path) -> PathBuf {
    build_as(Format::MinidumpV2, scenario, directory)
}

/// The same in another format.
pub fn build_as(format: Format, scenario: &str, directory: &Path) -> PathBuf {
    let scenario = Scenario::parse(scenario).expect("a scenario");
    let image = image::build(&scenario, open_kernel(&kernel_path())).expect("an image");
    image.save(format, directory).expect("a dump")
}

/// The same in the directory that VNETKVM_BENCH_CACHE names, where it stays for the next time; else
/// in `directory`.
pub fn kept(name: &str, scenario: &str, directory: &Path) -> PathBuf {
    let cache = env::var_os("VNETKVM_BENCH_CACHE").map(PathBuf::from);
    let place = cache.as_deref().unwrap_or(directory).join(name);
    let (core, made_of) = (place.join("vmcore.minidump-v2"), place.join("scenario.toml"));
    let scenario = format!("# of {}\n{scenario}", kernel_path().display());
    if core.exists() && fs::read_to_string(&made_of).is_ok_and(|before| before == scenario) {
        return core;
    }
    let core = build(&scenario, &place);
    fs::write(made_of, scenario).expect("room on the disk");
    core
}

pub fn open_kernel(path: &Path) -> Kernel {
    Kernel::open(Source::open(path).expect("a file"), None).expect("a kernel")
}

pub fn kernel_path() -> PathBuf {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel/classic-clang-dwarf4");
    env::var_os("VNETKVM_BENCH_KERNEL").map_or(fixture, PathBuf::from)
}
