//! The kernel and the dump that benches measure: the checked-in kernel, or the one that
//! VNETKVM_BENCH_KERNEL names, with the dump that VNETKVM_BENCH_CORE names, or one built for it.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::env;
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
    let scenario = Scenario::parse(scenario).expect("a scenario");
    let image = image::build(&scenario, open_kernel(&kernel_path())).expect("an image");
    image.save(Format::MinidumpV2, directory).expect("a dump")
}

pub fn open_kernel(path: &Path) -> Kernel {
    Kernel::open(Source::open(path).expect("a file"), None).expect("a kernel")
}

pub fn kernel_path() -> PathBuf {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel/classic-clang-dwarf4");
    env::var_os("VNETKVM_BENCH_KERNEL").map_or(fixture, PathBuf::from)
}
