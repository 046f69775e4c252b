//! The built-in demonstration: a small kernel and a rich scenario, inside the program.

use std::io::Cursor;

use super::kernel_file::unpack;
use super::{Format, ImageError, Scenario, build};
use crate::kernel::Kernel;
use crate::source::Source;

/// The files of the demonstration, in memory.
#[derive(Debug)]
pub struct Demo {
    pub kernel: Source,
    pub core: Source,
}

/// A kernel of FreeBSD 12.1's shapes, packed.
static KERNEL: &[u8] = include_bytes!("../../fixtures/kernel/classic-demo.zst");
static SCENARIO: &str = include_str!("../../fixtures/scenarios/demo.toml");
/// What the packed kernel may unpack to.
const LARGEST_KERNEL: usize = 16 << 20;

/// Builds the demonstration image: a host, jails with stacks of their own, one that shares its
/// parent's, and one that was destroyed.
///
/// # Errors
/// None that a test of this program would not have found.
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
