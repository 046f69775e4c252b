//! Raw physical memory: `/dev/mem`, QEMU's pmemsave.
//!
//! The file starts with the machine's first byte of memory; holes between ranges
//! of memory are holes in the file.

use std::io::{Seek, Write};

use super::contents::Contents;
use super::sparse::Sparse;
use crate::image::ImageError;

/// Writes all physical memory from its first byte to its last.
///
/// # Errors
/// Pages are to be omitted, which is impossible in such a file; or `out` fails.
pub fn write(contents: &Contents<'_>, out: &mut (impl Write + Seek)) -> Result<(), ImageError> {
    if !contents.left_out.is_empty() {
        return Err(ImageError::Format("raw memory leaves no page out".into()));
    }
    let machine = contents.machine;
    let page = machine.page_size();
    let mut out = Sparse::new(out, page);
    let mut end = machine.memory_ranges().next().map_or(0, |range| range.start.get());
    for range in machine.memory_ranges() {
        out.zeros(range.start.get() - end);
        end = range.end.get();
        for at in (range.start.get()..end).step_by(page as usize) {
            out.page(machine, crate::addr::PhysAddr::new(at))?;
        }
    }
    Ok(out.finish()?)
}
