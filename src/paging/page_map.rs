//! The page maps of minidumps: one level of the page tables as a flat array, for every
//! address from kernbase on; and the direct map beside it.

use super::translate::{Mapping, Translate};
use super::walk::{Format, Level, MAX_GAPS, Step, after, mapping};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Fields;
use crate::dump::{DirectMap, PageMap, PhysicalMemory};
use crate::fault::{Fault, FaultKind, Stage};

/// The translation of a minidump by its page map.
pub(super) struct FlatMap {
    pub(super) map: PageMap,
    /// The format of the entries.
    pub(super) format: &'static Format,
    /// The level of page tables that the entries are of.
    pub(super) level: &'static Level,
    /// The levels below. Their tables are dumped pages like any other.
    pub(super) below: &'static [Level],
    pub(super) order: Order,
}

/// Which part of the address space is tried first, if the two overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    KernelFirst,
    DirectFirst,
}

impl FlatMap {
    /// The kernel map, if `address` lies in the part that the page map covers.
    fn kernel_map(
        &self,
        memory: &dyn PhysicalMemory,
        address: VirtAddr,
    ) -> Option<Result<Mapping, Fault>> {
        let size = self.format.entry_size;
        let index = address.offset_from(self.map.kernbase)? / self.level.span;
        let at = usize::try_from(index).ok()?.checked_mul(size)?;
        let fields = Fields::new(self.map.entries.bytes(), self.format.endian);
        let value = fields.uint(at, size)?;
        Some(match (self.format.step)(self.level, value) {
            Step::Page { frame, size } => Ok(mapping(frame, size, address)),
            Step::Table(table) if !self.below.is_empty() => {
                self.format.walk(memory, PhysAddr::new(table), self.below, address)
            }
            Step::Table(_) | Step::Invalid => {
                let stage = Stage::Pmap { index, value };
                Err(Fault { address, kind: FaultKind::NotMapped, stage })
            }
        })
    }

    fn next_in_kernel_map(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr> {
        let mut at = at;
        for _ in 0..MAX_GAPS {
            let gap = match self.kernel_map(memory, at)? {
                Ok(_) => return Some(at),
                Err(Fault { stage: Stage::Pmap { .. }, .. }) => self.level.span,
                // One of the levels below failed: each of its entries is a page.
                Err(_) => self.below.last().map_or(self.level.span, |level| level.span),
            };
            at = after(at, gap)?;
        }
        None
    }
}

impl Translate for FlatMap {
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault> {
        let uncovered = self.format.addresses.uncovered(address);
        if uncovered.kind == FaultKind::BadAddress {
            return Err(uncovered);
        }
        let direct = || self.map.direct_map.as_ref().and_then(|map| direct_map(map, address));
        let answer = match self.order {
            Order::KernelFirst => self.kernel_map(memory, address).or_else(|| direct().map(Ok)),
            Order::DirectFirst => direct().map(Ok).or_else(|| self.kernel_map(memory, address)),
        };
        answer.unwrap_or(Err(uncovered))
    }

    fn next(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr> {
        let direct = self.map.direct_map.as_ref().and_then(|map| next_direct(map, at));
        let from = at.max(self.map.kernbase);
        // Before the kernel map there is often a gap of thousands of entries. It is not searched for
        // each page of a direct map that comes first.
        if direct.is_some_and(|direct| direct <= from) {
            return direct;
        }
        let mapped = self.next_in_kernel_map(memory, from);
        [direct, mapped].into_iter().flatten().min()
    }
}

/// The first address of the direct map from `at` on.
pub(super) fn next_direct(map: &DirectMap, at: VirtAddr) -> Option<VirtAddr> {
    (at < map.range.end).then(|| at.max(map.range.start))
}

/// Where `address` lies in the direct map, if it does.
pub(super) fn direct_map(map: &DirectMap, address: VirtAddr) -> Option<Mapping> {
    let offset = address.offset_from(map.range.start)?;
    let len = map.range.end.offset_from(address).filter(|len| *len > 0)?;
    Some(Mapping { phys: map.phys.wrapping_add(offset), len })
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::addr::FileOffset;
    use crate::dump::{PageMapFormat, PhysFault};
    use crate::paging::amd64;
    use crate::source::{Region, Source};

    /// Zeros, which are page tables without entries.
    #[derive(Default)]
    struct Zeros(AtomicUsize);

    impl PhysicalMemory for Zeros {
        fn read(&self, _: PhysAddr, _: &mut [u8]) -> Result<(), PhysFault> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn next(&self, _: PhysAddr) -> Option<Range<PhysAddr>> {
            None
        }
    }

    #[test]
    fn the_kernel_map_is_not_searched_for_each_page_before_it() {
        let (direct, kernbase) = (0xffff_f800_0000_0000, VirtAddr::new(0xffff_fe00_0000_0000));
        // A directory entry that says that there is a page table.
        let source = Arc::new(Source::from_vec("vmcore", 0x1003_u64.to_le_bytes().to_vec()));
        let map = amd64::page_map(PageMap {
            format: PageMapFormat::Amd64Directories,
            kernbase,
            direct_map: Some(DirectMap {
                range: VirtAddr::new(direct)..VirtAddr::new(direct + 0x4000),
                phys: PhysAddr::new(0),
            }),
            entries: Region::new(&source, FileOffset::new(0), 8).unwrap(),
        });
        let memory = Zeros::default();
        let next = |at: u64| map.next(&memory, VirtAddr::new(at)).map(VirtAddr::get);
        assert_eq!(
            [0, direct, direct + 0x3fff].map(next),
            [0, 0, 0x3fff].map(|n| Some(direct + n))
        );
        assert_eq!(memory.0.load(Ordering::Relaxed), 0);
        assert_eq!(next(direct + 0x4000), None);
        assert_ne!(memory.0.load(Ordering::Relaxed), 0);
    }
}
