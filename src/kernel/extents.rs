//! Which addresses the segments of a kernel occupy.
//!
//! A file may have 65,535 segments, and symbols are looked up by the thousand. So the segments
//! are sorted and merged once.

use super::Segment;
use crate::addr::VirtAddr;

/// First and last address of each stretch of memory, ascending and not adjacent.
#[derive(Debug)]
pub(super) struct Extents(Vec<(VirtAddr, VirtAddr)>);

impl Extents {
    pub(super) fn of<'a>(segments: impl Iterator<Item = Segment<'a>>) -> Self {
        let extent = |segment: Segment<'_>| {
            let beyond_first = segment.mem_size.checked_sub(1)?;
            let last = segment.virt.checked_add(beyond_first);
            Some((segment.virt, last.unwrap_or(VirtAddr::new(u64::MAX))))
        };
        let mut sorted: Vec<_> = segments.filter_map(extent).collect();
        sorted.sort_unstable();
        sorted.dedup_by(|later, earlier| {
            let joined = later.0 <= earlier.1;
            if joined {
                earlier.1 = earlier.1.max(later.1);
            }
            joined
        });
        Self(sorted)
    }

    pub(super) fn contain(&self, address: VirtAddr) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= address);
        let nearest = after.checked_sub(1).and_then(|at| self.0.get(at));
        nearest.is_some_and(|(_, last)| address <= *last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::addr::PhysAddr;

    fn segment((start, mem_size): (u64, u64)) -> Segment<'static> {
        let (virt, phys) = (VirtAddr::new(start), PhysAddr::new(0));
        Segment { virt, phys, bytes: &[], mem_size, writable: false, executable: false }
    }

    proptest! {
        #[test]
        fn they_hold_what_any_segment_holds(
            places in prop::collection::vec((0_u64..60, 0_u64..20), 0..12),
        ) {
            // The highest addresses are as good as the lowest.
            for base in [0, u64::MAX - 40] {
                let places: Vec<_> =
                    places.iter().map(|(at, len)| (base.saturating_add(*at), *len)).collect();
                let extents = Extents::of(places.iter().copied().map(segment));
                for address in (0..90).map(|at| base.saturating_add(at)) {
                    let mut near = places.iter().filter(|(start, _)| *start <= address);
                    let held = near.any(|(start, len)| address - start < *len);
                    prop_assert_eq!(extents.contain(VirtAddr::new(address)), held, "{}", address);
                }
            }
        }
    }

    #[test]
    fn segments_over_the_same_memory_are_one() {
        let many = (0..65_535).map(|n| segment((n % 7, 4096)));
        assert_eq!(Extents::of(many).0, [(VirtAddr::new(0), VirtAddr::new(6 + 4095))]);
    }
}
