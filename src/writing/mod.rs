//! Formats of dumps as they are written.
//!
//! A writer of a format exists once: the image builder uses it for its machine, and a
//! conversion for the memory of another dump. It is given numbers and a [`Memory`], and sees
//! neither a machine nor a kernel nor a reader of dumps. What it knows of layouts
//! is from FreeBSD's sources, and no reader shares it.

pub mod elf;
mod error;
pub mod full;
pub mod minidump;
pub mod notes;
mod numbers;
pub mod raw;
mod sparse;

use std::io;
use std::ops::Range;

pub use self::error::WriteError;
pub use self::numbers::entry_bytes;
pub use self::sparse::Sparse;

use crate::addr::PhysAddr;

/// The physical memory that is written, in whole pages.
pub trait Memory {
    /// The first stretch of pages from the page at `at` on; `None` if nothing follows. It may
    /// end before the memory does.
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>>;

    /// Fills `buf` with the page at `at`. Returns `false`, with anything in `buf`, if all
    /// of its bytes are zero.
    ///
    /// # Errors
    /// The page cannot be read.
    fn page(&self, at: PhysAddr, buf: &mut [u8]) -> io::Result<bool>;
}

/// The stretches of `memory`, ascending. Those that touch are one.
pub fn stretches(memory: &dyn Memory) -> impl Iterator<Item = Range<PhysAddr>> {
    let mut next = memory.next(PhysAddr::new(0));
    std::iter::from_fn(move || {
        let mut stretch = next.take()?;
        next = memory.next(stretch.end);
        while let Some(more) = next.take_if(|more| more.start == stretch.end) {
            stretch.end = more.end;
            next = memory.next(stretch.end);
        }
        Some(stretch)
    })
}
