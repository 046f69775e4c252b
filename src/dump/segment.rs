//! A stretch of a file that holds a stretch of memory.

use std::ops::Range;

use crate::addr::PhysAddr;
use crate::source::Source;

/// `len` bytes of memory from physical address `start` on, at `offset` in the file.
/// Neither range extends past 2^64.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) offset: u64,
}

impl Segment {
    /// The memory whose bytes are in `source`.
    pub(super) fn held(&self, source: &Source) -> Option<Range<PhysAddr>> {
        let left = match source.is_device() {
            true => self.len,
            false => source.len().saturating_sub(self.offset).min(self.len),
        };
        let start = PhysAddr::new(self.start);
        (left > 0).then(|| start..start.wrapping_add(left))
    }
}
