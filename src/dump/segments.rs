//! Physical memory in pieces: stretches of a file that hold stretches of memory.

use std::ops::Range;
use std::sync::Arc;

use super::segment::Segment;
use super::{PhysFault, PhysFaultKind, PhysicalMemory, copy, live};
use crate::addr::{FileOffset, PhysAddr};
use crate::source::Source;

/// The segments of a file, as physical memory.
pub(super) struct Segments {
    source: Arc<Source>,
    sorted: Vec<Segment>,
    /// The parts that the file has, ascending. A header may promise terabytes past its end.
    held: Vec<Range<PhysAddr>>,
}

impl Segments {
    /// The memory in `sorted`: ascending by address, without overlaps.
    pub(super) fn new(source: Arc<Source>, sorted: Vec<Segment>) -> Self {
        let held = sorted.iter().filter_map(|segment| segment.held(&source)).collect();
        Self { source, sorted, held }
    }

    /// How many pages the segments promise, and how many of them the file cuts off. A device has
    /// no end.
    pub(super) fn count(&self, page_size: u64) -> (u64, u64) {
        if self.source.is_device() {
            return (self.sorted.iter().map(|segment| segment.len / page_size).sum(), 0);
        }
        let (mut pages, mut present) = (0, 0);
        for segment in &self.sorted {
            let left = self.source.len().saturating_sub(segment.offset);
            let all = segment.len.div_ceil(page_size);
            pages += all;
            present += if left < segment.len { left / page_size } else { all };
        }
        (pages, pages - present)
    }

    /// The segment that holds `at`.
    fn find(&self, at: PhysAddr) -> Option<Segment> {
        let after = self.sorted.partition_point(|segment| segment.start <= at.get());
        let segment = self.sorted.get(after.checked_sub(1)?)?;
        (at.get() - segment.start < segment.len).then_some(*segment)
    }
}

impl PhysicalMemory for Segments {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let is_live = self.source.is_device();
            let outside = if is_live { PhysFaultKind::NotMemory } else { PhysFaultKind::NotDumped };
            let segment = self.find(at).ok_or(PhysFault { at, kind: outside })?;
            let within = at.get() - segment.start;
            let left = usize::try_from(segment.len - within).unwrap_or(usize::MAX);
            let (part, further) = rest.split_at_mut(left.min(rest.len()));
            match is_live {
                true => live::read(&self.source, segment, at, part)?,
                false => {
                    copy(&self.source, FileOffset::new(segment.offset + within), at, part)?;
                }
            }
            at = at.wrapping_add(part.len() as u64);
            rest = further;
        }
        Ok(())
    }

    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        let after = self.held.partition_point(|range| range.end <= at);
        let held = self.held.get(after)?;
        Some(held.start.max(at)..held.end)
    }

    fn is_hole(&self, at: PhysAddr, len: u64) -> bool {
        self.find(at).is_some_and(|segment| {
            let within = at.get() - segment.start;
            let offset = FileOffset::new(segment.offset + within);
            len <= segment.len - within && self.source.is_hole(offset, len)
        })
    }

    fn ranges(&self) -> Vec<Range<PhysAddr>> {
        self.held.clone()
    }
}
