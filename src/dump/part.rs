//! A part of a dump's physical memory, as a dump of its own.

use std::ops::Range;
use std::sync::Arc;

use super::{Clues, Core, Facts, Format, Hints, PhysFault, PhysFaultKind, PhysicalMemory};
use crate::addr::PhysAddr;

/// The physical memory of a dump without some of it.
#[derive(Debug, Clone)]
pub struct Part {
    core: Arc<Core>,
    /// Ascending, and apart from each other.
    left_out: Arc<[Range<PhysAddr>]>,
}

impl Part {
    /// The memory of `core` without `left_out`, in any order.
    #[must_use]
    pub fn new(core: Arc<Core>, left_out: Vec<Range<PhysAddr>>) -> Self {
        Self { core, left_out: joined(left_out).into() }
    }

    /// As a dump without a page map, whose addresses the kernel's page tables translate.
    #[must_use]
    pub fn into_core(self) -> Core {
        let facts = &self.core.facts;
        let image = self.core.clues.image;
        Core {
            format: Format::Raw,
            arch: self.core.arch,
            hints: Hints::Physical,
            clues: Clues { image, ..Clues::default() },
            header: None,
            packed: None,
            facts: Facts { memory_pages: None, minidump: None, ..facts.clone() },
            warnings: Vec::new(),
            memory: Box::new(self),
        }
    }

    /// The first range left out that ends after `at`.
    fn gap(&self, at: PhysAddr) -> Option<&Range<PhysAddr>> {
        let after = self.left_out.partition_point(|range| range.end <= at);
        self.left_out.get(after)
    }
}

impl PhysicalMemory for Part {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        let end = at.wrapping_add(buf.len() as u64);
        match self.gap(at).filter(|gap| gap.start < end && !buf.is_empty()) {
            None => self.core.memory().read(at, buf),
            Some(gap) => {
                let before = gap.start.offset_from(at).unwrap_or(0) as usize;
                self.core.memory().read(at, buf.get_mut(..before).unwrap_or_default())?;
                Err(PhysFault { at: gap.start.max(at), kind: PhysFaultKind::NotDumped })
            }
        }
    }

    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        let mut at = at;
        loop {
            let held = self.core.memory().next(at)?;
            match self.gap(held.start) {
                Some(gap) if gap.start <= held.start => at = gap.end,
                Some(gap) => return Some(held.start..held.end.min(gap.start)),
                None => return Some(held),
            }
        }
    }

    fn ranges(&self) -> Vec<Range<PhysAddr>> {
        let first = self.next(PhysAddr::new(0));
        std::iter::successors(first, |range| self.next(range.end)).collect()
    }
}

/// `ranges` in ascending order, those that touch as one.
fn joined(mut ranges: Vec<Range<PhysAddr>>) -> Vec<Range<PhysAddr>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<PhysAddr>> = Vec::new();
    for range in ranges {
        match joined.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::dump::{MemorySegment, open_raw};
    use crate::source::Source;

    fn range(start: u64, end: u64) -> Range<PhysAddr> {
        PhysAddr::new(start)..PhysAddr::new(end)
    }

    #[test]
    fn what_is_left_out_is_not_dumped() {
        let bytes = (0..=255).cycle().take(0x6000).collect();
        let source = Arc::new(Source::from_vec("vmcore", bytes));
        let core = open_raw(source, Arch::Amd64, &[] as &[MemorySegment]).unwrap();
        let gone = vec![range(0x3000, 0x4000), range(0x1000, 0x2000), range(0x2000, 0x3000)];
        let part = Part::new(Arc::new(core), gone);
        assert_eq!(part.next(PhysAddr::new(0)), Some(range(0, 0x1000)));
        assert_eq!(part.next(PhysAddr::new(0x1800)), Some(range(0x4000, 0x6000)));
        assert_eq!(part.next(PhysAddr::new(0x6000)), None);
        assert_eq!(part.ranges(), [range(0, 0x1000), range(0x4000, 0x6000)]);
        let mut buf = [0; 4];
        let fault = part.read(PhysAddr::new(0xffe), &mut buf).unwrap_err();
        let expected = PhysFault { at: PhysAddr::new(0x1000), kind: PhysFaultKind::NotDumped };
        assert_eq!((fault, buf), (expected, [0xfe, 0xff, 0, 0]));
        part.read(PhysAddr::new(0x4001), &mut buf).unwrap();
        assert_eq!(buf, [1, 2, 3, 4]);
    }
}
