//! The built-in demonstration: a small kernel and a rich scenario, compiled into the program.

use std::io::Cursor;

use super::kernel_file::unpack;
use super::{Format, ImageError, Scenario, build};
use crate::kernel::Kernel;
use crate::source::Source;

/// The files of the demonstration, in memory.
#[derive(Debug)]
pub struct Demo {
    /// The kernel file, with its debug information.
    pub kernel: Source,
    /// A minidump of the machine that ran it.
    pub core: Source,
}

/// A compressed kernel with the layouts of FreeBSD 12.1.
static KERNEL: &[u8] = include_bytes!("../../fixtures/kernel/classic-demo.zst");
static SCENARIO: &str = include_str!("../../fixtures/scenarios/demo.toml");
/// The most bytes that the compressed kernel may unpack to.
const LARGEST_KERNEL: usize = 16 << 20;

/// Builds the demonstration image: a host, jails with their own stacks, one that shares its
/// parent's, and one that was destroyed.
///
/// # Errors
/// Only errors that the tests of this program would have found.
pub fn demo() -> Result<Demo, ImageError> {
    let unpacked = unpack(KERNEL, LARGEST_KERNEL)?;
    let kernel = Kernel::open(Source::from_vec("demo/kernel", unpacked.clone()), None)?;
    let image = build(&Scenario::parse(SCENARIO)?, kernel)?;
    let mut core = Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut core)?;
    Ok(Demo {
        kernel: Source::from_vec("demo/kernel", unpacked),
        core: Source::from_vec("demo/vmcore", core.into_inner()),
    })
}
