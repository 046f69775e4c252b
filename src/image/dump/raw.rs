//! Raw physical memory, from the machine's first byte of memory on.

use std::io::{Seek, Write};

use super::contents::Contents;
use crate::image::ImageError;
use crate::writing;

/// Writes all physical memory from its first byte to its last.
///
/// # Errors
/// Pages are to be omitted, which is impossible in such a file; or `out` fails.
pub fn write(contents: &Contents<'_>, out: &mut (impl Write + Seek)) -> Result<(), ImageError> {
    if !contents.left_out.is_empty() {
        return Err(ImageError::Format("raw memory leaves no page out".into()));
    }
    let machine = contents.machine;
    let start = machine.memory_ranges().next().map_or_else(Default::default, |range| range.start);
    Ok(writing::raw::write(&contents.memory(), machine.page_size(), start, out)?)
}
