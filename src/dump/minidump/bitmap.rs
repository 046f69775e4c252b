//! Which pages a minidump holds and where each lies: a rank index over the
//! mapped bitmap.
//!
//! A page's position is the number of set bits before its own. The index stores that
//! number for every block of 512 bits, so a lookup counts the bits of at most
//! eight words. The index takes an eighth of the bitmap's size, and the bitmap itself
//! stays in the file. Bits beyond the described memory are ignored.

use std::ops::Range;

use super::header::{FORMAT, Header, bad};
use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::dump::DumpError;
use crate::source::Region;

const WORD: usize = 8;
const BLOCK: usize = 64;

/// The page bitmap.
pub(super) struct Bitmap {
    bits: Region,
    endian: Endian,
    ranges: Ranges,
    /// For each block of [`BLOCK`] bytes, the number of bits set before it.
    before: Vec<u64>,
    count: u64,
}

impl Bitmap {
    /// Indexes `bits`, which are words in the order `endian`. `ranges` maps bits to pages.
    pub(super) fn new(bits: Region, endian: Endian, ranges: Ranges) -> Result<Self, DumpError> {
        let bytes = bits.bytes();
        let blocks = bytes.len().div_ceil(BLOCK);
        let mut before = Vec::new();
        before.try_reserve_exact(blocks).map_err(|_| {
            bad("bitmapsize", bits.len(), "there is not enough memory to index the bitmap")
        })?;
        let mut count = 0;
        for block in bytes.chunks(BLOCK) {
            before.push(count);
            count += ones(block);
        }
        Ok(Self { bits, endian, ranges, before, count })
    }

    /// How many pages are in the dump.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The machine's lowest physical page number, as far as the dump shows it: of its
    /// memory, or if only pages are known, of those.
    pub(super) fn lowest_page(&self) -> Option<u64> {
        if let Some(range) = self.ranges.0.first().filter(|range| range.pages.start > 0) {
            return Some(range.pages.start);
        }
        let bytes = self.bits.bytes();
        let at = bytes.iter().position(|byte| *byte != 0)? / WORD * WORD;
        let word = word_at(bytes.get(at..)?, self.endian);
        Some(at as u64 * 8 + u64::from(word.trailing_zeros()))
    }

    /// The first pages in the dump from page number `page` on, at most [`MOST_PAGES`]: whoever asks
    /// for each page again must not pay for all that follow.
    pub(super) fn next(&self, page: u64) -> Option<Range<u64>> {
        let after = self.ranges.0.partition_point(|range| range.pages.end <= page);
        self.ranges.0.get(after..)?.iter().find_map(|range| {
            let start = range.pages.start.max(page);
            let bit = |page: u64| range.first_bit + (page - range.pages.start);
            let first = self.next_bit(bit(start), bit(range.pages.end), true)?;
            let end = bit(range.pages.end).min(first.saturating_add(MOST_PAGES));
            let last = self.next_bit(first, end, false);
            let page = |bit: u64| range.pages.start + (bit - range.first_bit);
            Some(page(first)..page(last.unwrap_or(end)))
        })
    }

    /// The first bit of `from..to` that is set, or clear.
    fn next_bit(&self, from: u64, to: u64, set: bool) -> Option<u64> {
        let bytes = self.bits.bytes();
        let mut bit = from;
        while bit < to {
            let at = usize::try_from(bit / 64).ok()?.checked_mul(WORD)?;
            let word = word_at(bytes.get(at..).filter(|rest| !rest.is_empty())?, self.endian);
            let wanted = if set { word } else { !word } >> (bit % 64);
            if wanted != 0 {
                return Some(bit + u64::from(wanted.trailing_zeros())).filter(|bit| *bit < to);
            }
            bit = (bit / 64 + 1) * 64;
        }
        None
    }

    /// How many pages precede physical page number `page` in the dump;
    /// `None` if the dump does not have that page.
    pub(super) fn rank(&self, page: u64) -> Option<u64> {
        let bit = usize::try_from(self.ranges.bit(page)?).ok()?;
        let bytes = self.bits.bytes();
        let at = bit / 64 * WORD;
        let word = word_at(bytes.get(at..)?, self.endian);
        if word >> (bit % 64) & 1 == 0 {
            return None;
        }
        let block = at / BLOCK;
        let whole = ones(bytes.get(block * BLOCK..at)?);
        let last = word & ((1 << (bit % 64)) - 1);
        Some(self.before.get(block)? + whole + u64::from(last.count_ones()))
    }
}

/// The longest stretch of pages that is looked for at once.
const MOST_PAGES: u64 = 1 << 10;

fn ones(bytes: &[u8]) -> u64 {
    bytes.chunks(WORD).map(|word| u64::from(word_at(word, Endian::Little).count_ones())).sum()
}

/// The first word of `bytes`. Little-endian 32-bit words, which the kernels of
/// 32-bit machines write, are numbered the same as 64-bit words; the last word may be
/// half a one.
fn word_at(bytes: &[u8], endian: Endian) -> u64 {
    match (bytes.first_chunk::<WORD>(), endian) {
        (Some(word), Endian::Little) => u64::from_le_bytes(*word),
        (Some(word), Endian::Big) => u64::from_be_bytes(*word),
        (None, _) => endian.uint(bytes) as u64,
    }
}

/// How the bits are numbered: consecutively across ranges of pages.
pub(super) struct Ranges(Vec<Numbered>);

/// A range of physical page numbers, and the bit number of its first page.
struct Numbered {
    pages: Range<u64>,
    first_bit: u64,
}

impl Ranges {
    /// The numbering before there was a dump_avail: bit n is page n.
    pub(super) fn from_zero(bitmap_size: u64) -> Self {
        Self(vec![Numbered { pages: 0..bitmap_size * 8, first_bit: 0 }])
    }

    /// The ranges as addresses of bytes, and the bit of the first page of each.
    pub(super) fn numbered(&self, page_size: u64) -> Vec<(Range<PhysAddr>, u64)> {
        let byte = |page: u64| PhysAddr::new(page.saturating_mul(page_size));
        let bytes = |pages: &Range<u64>| byte(pages.start)..byte(pages.end);
        self.0.iter().map(|range| (bytes(&range.pages), range.first_bit)).collect()
    }

    /// How many pages the ranges have.
    pub(super) fn pages(&self) -> u64 {
        self.0.iter().map(|range| range.pages.end.saturating_sub(range.pages.start)).sum()
    }

    /// Reads dump_avail: ascending pairs of first byte and end of a range, terminated by an end
    /// of zero. The bitmap must have exactly the length that they need, except for
    /// rounding to words and pages (`vm_page_startup` in sys/vm/vm_page.c, 13.0).
    pub(super) fn parse(bytes: &[u8], header: &Header) -> Result<Self, DumpError> {
        Self::parse_parts(bytes, header.arch, header.page_size, header.bitmap_size)
    }

    fn parse_parts(
        bytes: &[u8],
        arch: Arch,
        page: u64,
        bitmap_size: u64,
    ) -> Result<Self, DumpError> {
        let fields = Fields::new(bytes, arch.endian());
        let mut ranges = Vec::new();
        let (mut bits, mut previous_end) = (0_u64, 0_u64);
        let mut pairs = (0..bytes.len()).step_by(16);
        for at in pairs.by_ref() {
            let (Some(start), Some(end)) = (fields.u64(at), fields.u64(at + 8)) else { break };
            if end == 0 {
                break;
            }
            if start >= end || start < previous_end {
                return Err(damaged(
                    start,
                    end,
                    "the ranges ascend and do not overlap, unless msgbufsize is wrong and they lie elsewhere",
                ));
            }
            // Ranges that meet within a page each have a bit for it. The first one counts.
            let (first, after) = (start / page, end.div_ceil(page));
            let pages = first.max(previous_end.div_ceil(page))..after;
            ranges.push(Numbered { first_bit: bits + (pages.start - first), pages });
            bits += after - first;
            previous_end = end;
        }
        // The kernel clears what it does not use. Anything else is not a dump_avail,
        // or is longer than one.
        let tail = pairs.next().and_then(|at| bytes.get(at..)).unwrap_or_default();
        if tail.iter().any(|byte| *byte != 0) {
            let why = "there is data after the end of the list, unless msgbufsize or the size of a \
                       page (flags) is wrong";
            return Err(bad("dumpavailsize", bytes.len() as u64, why));
        }
        check_bitmap_size(bits, bitmap_size, arch.pointer_size(), page)?;
        Ok(Self(ranges))
    }

    /// The bit number of physical page number `page`.
    fn bit(&self, page: u64) -> Option<u64> {
        let after = self.0.partition_point(|range| range.pages.start <= page);
        let range = self.0.get(after.checked_sub(1)?)?;
        range.pages.contains(&page).then(|| range.first_bit + (page - range.pages.start))
    }
}

fn check_bitmap_size(bits: u64, bitmap_size: u64, word: u64, page: u64) -> Result<(), DumpError> {
    let needed = bits.div_ceil(word * 8) * word;
    if (needed..=needed.next_multiple_of(page)).contains(&bitmap_size) {
        return Ok(());
    }
    let why =
        format!("the memory ranges have {bits} pages, a bit each, unless msgbufsize is wrong");
    Err(bad("bitmapsize", bitmap_size, &why))
}

fn damaged(start: u64, end: u64, why: &str) -> DumpError {
    DumpError::BadField {
        format: FORMAT,
        field: "dump_avail",
        value: format!("{start:#x}..{end:#x}"),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::addr::FileOffset;
    use crate::source::Source;

    fn bitmap(bits: Vec<u8>, ranges: Ranges) -> Bitmap {
        let len = bits.len() as u64;
        let source = Arc::new(Source::from_vec("bits", bits));
        let region = Region::new(&source, FileOffset::new(0), len).unwrap();
        Bitmap::new(region, Endian::Little, ranges).unwrap()
    }

    fn dump_avail(pairs: &[(u64, u64)]) -> Vec<u8> {
        let quads = pairs.iter().flat_map(|(start, end)| [*start, *end]);
        quads.chain([0, 0]).flat_map(u64::to_le_bytes).collect()
    }

    proptest! {
        #[test]
        fn a_rank_is_the_number_of_bits_before(
            bits in prop::collection::vec(prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..300),
        ) {
            let len = bits.len() as u64;
            let bitmap = bitmap(bits.clone(), Ranges::from_zero(len));
            let mut before = 0;
            for page in 0..len * 8 {
                let set = bits[(page / 8) as usize] >> (page % 8) & 1 == 1;
                prop_assert_eq!(bitmap.rank(page), set.then_some(before));
                let next = bitmap.next(page);
                prop_assert_eq!(next.as_ref().is_some_and(|next| next.start == page), set);
                if let Some(next) = next {
                    prop_assert!(next.clone().all(|page| bitmap.rank(page).is_some()));
                    prop_assert!((page..next.start).all(|page| bitmap.rank(page).is_none()));
                    prop_assert_eq!(bitmap.rank(next.end), None, "a run is whole");
                } else {
                    prop_assert!((page..len * 8).all(|page| bitmap.rank(page).is_none()));
                }
                before += u64::from(set);
            }
            prop_assert_eq!(bitmap.count(), before);
            prop_assert_eq!(bitmap.rank(len * 8), None);
        }
    }

    #[test]
    fn bits_run_on_across_the_ranges_of_memory() {
        let ranges = dump_avail(&[(0x1000, 0x3000), (0x10_0000, 0x10_2000)]);
        let ranges = Ranges::parse_parts(&ranges, Arch::Amd64, 4096, 8).unwrap();
        let bitmap = bitmap(vec![0b1101, 0, 0, 0, 0, 0, 0, 0], ranges);
        assert_eq!(bitmap.rank(0), None, "below all ranges");
        assert_eq!(bitmap.rank(1), Some(0));
        assert_eq!(bitmap.rank(2), None, "bit 1 is clear");
        assert_eq!(bitmap.rank(3), None, "between the ranges");
        assert_eq!(bitmap.rank(0x100), Some(1));
        assert_eq!(bitmap.rank(0x101), Some(2));
        assert_eq!(bitmap.rank(0x102), None, "above all ranges");
    }

    #[test]
    fn bits_of_a_big_endian_machine_are_numbered_within_its_words() {
        let source = Arc::new(Source::from_vec("bits", vec![0x80, 0, 0, 0, 0, 0, 0, 0b101]));
        let region = Region::new(&source, FileOffset::new(0), 8).unwrap();
        let bitmap = Bitmap::new(region, Endian::Big, Ranges::from_zero(8)).unwrap();
        let ranks = [0, 1, 2, 63].map(|page| bitmap.rank(page));
        assert_eq!(ranks, [Some(0), None, Some(1), Some(2)]);
    }

    #[test]
    fn a_bitmap_is_as_long_as_its_memory_asks_for() {
        let ranges = dump_avail(&[(0, 65 * 4096)]);
        let parse =
            |bitmap_size| Ranges::parse_parts(&ranges, Arch::Amd64, 4096, bitmap_size).is_ok();
        assert!(!parse(8));
        assert!(parse(16) && parse(4096));
        assert!(!parse(8192));
    }
}
