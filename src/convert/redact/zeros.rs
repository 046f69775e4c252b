//! Bytes of memory that are written as zeros.

use std::io;
use std::ops::Range;

use crate::addr::PhysAddr;
use crate::convert::ranges::joined;
use crate::writing::{Memory, stretches};

/// Ranges of physical memory, ascending, none of which touches another.
#[derive(Debug, Default)]
pub(in crate::convert) struct Zeros {
    ranges: Vec<Range<PhysAddr>>,
}

impl Zeros {
    /// Those of `ranges`, in any order.
    pub(super) fn of(ranges: Vec<Range<PhysAddr>>) -> Self {
        Self { ranges: joined(ranges) }
    }

    /// The ranges.
    pub(super) fn into_ranges(self) -> Vec<Range<PhysAddr>> {
        self.ranges
    }

    /// How many bytes of `memory` are zeroed.
    pub(super) fn count(&self, memory: &dyn Memory) -> u64 {
        let mut count = 0;
        for stretch in stretches(memory) {
            for range in self.in_range(&stretch) {
                count += range.end.offset_from(range.start).unwrap_or(0);
            }
        }
        count
    }

    /// Zeroes what is to be zeroed in `bytes`, which are at `at`. Returns whether something was.
    fn apply(&self, at: PhysAddr, bytes: &mut [u8]) -> bool {
        let mut is_any = false;
        for range in self.in_range(&(at..at.wrapping_add(bytes.len() as u64))) {
            let start = range.start.offset_from(at).unwrap_or(0) as usize;
            let end = range.end.offset_from(at).unwrap_or(0) as usize;
            if let Some(part) = bytes.get_mut(start..end) {
                part.fill(0);
                is_any = true;
            }
        }
        is_any
    }

    /// The parts that are in `memory`.
    fn in_range(&self, memory: &Range<PhysAddr>) -> impl Iterator<Item = Range<PhysAddr>> {
        let memory = memory.clone();
        let first = self.ranges.partition_point(|range| range.end <= memory.start);
        let rest = self.ranges.get(first..).unwrap_or_default().iter();
        let inside = rest.take_while(move |range| range.start < memory.end);
        inside.map(move |range| range.start.max(memory.start)..range.end.min(memory.end))
    }
}

/// Memory of which something is zeroed.
pub(in crate::convert) struct Zeroed<'a> {
    pub memory: &'a dyn Memory,
    pub zeros: &'a Zeros,
}

impl Memory for Zeroed<'_> {
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        self.memory.next(at)
    }

    fn page(&self, at: PhysAddr, buf: &mut [u8]) -> io::Result<bool> {
        let has_bytes = self.memory.page(at, buf)?;
        let was_zeroed = has_bytes && self.zeros.apply(at, buf);
        Ok(has_bytes && !(was_zeroed && buf.iter().all(|byte| *byte == 0)))
    }
}
