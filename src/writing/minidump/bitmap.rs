//! Which pages a minidump has: its list of memory, and its bitmap.

use std::ops::Range;

use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::writing::{Memory, entry_bytes, stretches};

/// How the pages of memory are numbered.
#[derive(Debug)]
pub(super) struct Numbering {
    page: u64,
    /// Ranges of memory, ascending, and the number of the first page of each.
    ranges: Vec<(Range<PhysAddr>, u64)>,
    /// The length of the bitmap, in bytes.
    len: u64,
}

impl Numbering {
    /// Of memory in `ranges`. With a dump_avail only what is in it is counted; without, every
    /// page up to the last.
    pub(super) fn new(ranges: &[Range<PhysAddr>], page: u64, has_dump_avail: bool) -> Self {
        let mut count = 0;
        let numbered = |range: &Range<PhysAddr>| {
            let (first, end) = (range.start.get() / page, range.end.get().div_ceil(page));
            let first_bit = if has_dump_avail { count } else { first };
            count = first_bit + (end - first);
            (range.clone(), first_bit)
        };
        let ranges = ranges.iter().map(numbered).collect();
        Self { page, ranges, len: count.div_ceil(8).next_multiple_of(page) }
    }

    /// By these ranges of whole pages, with the number of the first page of each, in a bitmap of
    /// `len` bytes.
    pub(super) fn given(ranges: Vec<(Range<PhysAddr>, u64)>, page: u64, len: u64) -> Self {
        Self { page, ranges, len }
    }

    /// The length of the bitmap, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bitmap with the bits of all pages of `memory` that have numbers. The kernel
    /// sets them in words of a `long`, so on big-endian machines bit 0 is in the last byte of a
    /// word.
    pub(super) fn bitmap(&self, memory: &dyn Memory, arch: Arch) -> Vec<u8> {
        let mut bitmap = vec![0; self.len() as usize];
        let last_in_word = arch.pointer_size() - 1;
        for bits in stretches(memory).flat_map(|stretch| self.bits(stretch)) {
            for bit in bits {
                let byte = match arch.endian() {
                    Endian::Little => bit / 8,
                    Endian::Big => (bit / 8) ^ last_in_word,
                };
                if let Some(byte) = bitmap.get_mut(byte as usize) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
        bitmap
    }

    /// The parts of `stretch` that have numbers.
    pub(super) fn within(&self, stretch: &Range<PhysAddr>) -> Vec<Range<PhysAddr>> {
        self.parts(stretch).map(|(part, _)| part).collect()
    }

    fn bits(&self, stretch: Range<PhysAddr>) -> Vec<Range<u64>> {
        let pages = |part: &Range<PhysAddr>| (part.end.get() - part.start.get()) / self.page;
        self.parts(&stretch).map(|(part, bit)| bit..bit + pages(&part)).collect()
    }

    fn parts<'a>(
        &'a self,
        stretch: &'a Range<PhysAddr>,
    ) -> impl Iterator<Item = (Range<PhysAddr>, u64)> + 'a {
        let first = self.ranges.partition_point(|(range, _)| range.end <= stretch.start);
        let ranges = self.ranges.iter().skip(first);
        let ranges = ranges.take_while(|(range, _)| range.start < stretch.end);
        ranges.filter_map(|(range, first_bit)| {
            let start = range.start.max(stretch.start);
            let bit = first_bit + start.offset_from(range.start)? / self.page;
            Some((start..range.end.min(stretch.end), bit))
        })
    }
}

/// Pairs of start and end in whole pages, terminated by a pair of zeros. They have 64 bits on
/// every architecture.
pub(super) fn dump_avail(ranges: &[Range<PhysAddr>], page: u64, endian: Endian) -> Vec<u8> {
    let ends = ranges.iter().flat_map(|range| [range.start.get(), range.end.get()]);
    let ends = ends.chain([0, 0]);
    let mut bytes = ends.map(|end| entry_bytes(end, 8, endian)).collect::<Vec<_>>().concat();
    bytes.resize(bytes.len().next_multiple_of(page as usize), 0);
    bytes
}
