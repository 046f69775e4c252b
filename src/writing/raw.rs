//! Raw physical memory: `/dev/mem`, QEMU's pmemsave.
//!
//! The file has every byte of memory at its distance from the first one; holes
//! between ranges of memory are holes in the file.

use std::io::{Seek, Write};

use super::{Memory, Sparse, WriteError, stretches};
use crate::addr::PhysAddr;

/// Writes `memory`, whose pages have `page` bytes, into a file that begins with the
/// physical address `start`, which is not above the first of them.
///
/// # Errors
/// `memory` or `out` fails.
pub fn write(
    memory: &dyn Memory,
    page: u64,
    start: PhysAddr,
    out: &mut (impl Write + Seek),
) -> Result<(), WriteError> {
    let mut out = Sparse::new(out, page);
    let mut end = start;
    for stretch in stretches(memory) {
        out.zeros(stretch.start.offset_from(end).unwrap_or(0));
        end = stretch.end;
        out.pages(memory, stretch)?;
    }
    Ok(out.finish()?)
}
