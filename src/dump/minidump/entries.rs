//! Does this data look like a page map?
//!
//! This is checked when the file's length shows that a size in the header is wrong, or when
//! a header field decides how the page map is read. A wrong size moves
//! every later part, and what is read there is arbitrary data.

use super::header::{Entries, FORMAT};
use super::pages::Pages;
use crate::addr::PhysAddr;
use crate::bytes::Fields;
use crate::dump::{DumpError, PageMap, PageMapFormat, PhysFaultKind, PhysicalMemory};

/// Checks the entries of `map`, and the tables that they point to, if any.
pub(super) fn check(map: &PageMap, entries: Entries, memory: &Pages) -> Result<(), DumpError> {
    if let Some((index, value)) = first_odd(map.entries.bytes(), entries) {
        return Err(odd(format!("{value:#x} (entry {index} of the page map)")));
    }
    if map.format == PageMapFormat::Amd64Directories {
        check_tables(map, entries, memory)?;
    }
    check_kind(map, entries, memory)
}

/// Checks only a sample of the entries, and looks for signs that they are of another kind.
pub(super) fn check_kind(map: &PageMap, entries: Entries, memory: &Pages) -> Result<(), DumpError> {
    if entries.size == 4 {
        check_halves(map, entries)?;
    }
    check_sample(map, entries, memory)
}

/// 64-bit entries that are read as twice as many 32-bit entries have valid ones only in
/// the even places: the upper half of an entry is zero except for the highest bit.
fn check_halves(map: &PageMap, entries: Entries) -> Result<(), DumpError> {
    const ENOUGH: usize = 4;
    let mut valid = values(map.entries.bytes(), entries)
        .filter(|(_, value)| (entries.decode)(value.0, value.1).is_some())
        .map(|(index, _)| index);
    let even = valid.by_ref().take(ENOUGH).filter(|index| index % 2 == 0).count();
    if even < ENOUGH || valid.any(|index| index % 2 == 1) {
        return Ok(());
    }
    Err(odd("such that every second of its entries is invalid".to_owned()))
}

/// The page tables that directory entries of amd64 point to.
fn check_tables(map: &PageMap, entries: Entries, memory: &Pages) -> Result<(), DumpError> {
    const SAMPLE: usize = 256;
    const LARGE: u64 = 1 << 7;
    let tables = values(map.entries.bytes(), entries)
        .filter(|(_, value)| value.0 & LARGE == 0)
        .filter_map(|(_, value)| (entries.decode)(value.0, value.1))
        .map(|look| PhysAddr::new(look.frame));
    let mut table = [0; 4096];
    for at in tables.take(SAMPLE) {
        if memory.read(at, &mut table).is_ok()
            && let Some((index, value)) = first_odd(&table, entries)
        {
            return Err(odd(format!("{value:#x} (entry {index} of the page table at {at})")));
        }
    }
    Ok(())
}

/// Nearly all memory that a kernel has mapped is dumped; the rest are devices. An arbitrary
/// number is hardly ever the address of a dumped page.
fn check_sample(map: &PageMap, entries: Entries, memory: &Pages) -> Result<(), DumpError> {
    const SAMPLE: usize = 4096;
    let looks = values(map.entries.bytes(), entries)
        .filter_map(|(_, value)| (entries.decode)(value.0, value.1))
        .take(SAMPLE);
    let (mut valid, mut dumped, mut odd_ones) = (0_usize, 0_usize, 0_usize);
    for look in looks {
        valid += 1;
        odd_ones += usize::from(look.odd);
        let left_out = memory
            .read(PhysAddr::new(look.frame), &mut [0])
            .is_err_and(|fault| fault.kind == PhysFaultKind::NotDumped);
        dumped += usize::from(!left_out);
    }
    if odd_ones * 2 > valid {
        return Err(odd(format!("such that {odd_ones} of {valid} entries have reserved bits set")));
    }
    if dumped * 2 >= valid {
        return Ok(());
    }
    Err(odd(format!("such that only {dumped} of {valid} entries lead to pages of the dump")))
}

fn first_odd(bytes: &[u8], entries: Entries) -> Option<(usize, u64)> {
    let odd =
        |value: &(u64, u64)| (entries.decode)(value.0, value.1).is_some_and(|entry| entry.odd);
    let found = values(bytes, entries).find(|(_, value)| odd(value));
    found.map(|(index, (first, _))| (index, first))
}

/// The index and the one or two words of every entry.
fn values(bytes: &[u8], entries: Entries) -> impl Iterator<Item = (usize, (u64, u64))> {
    let fields = Fields::new(bytes, entries.endian);
    let word = entries.size.min(8);
    bytes.chunks_exact(entries.size).enumerate().filter_map(move |(index, entry)| {
        let at = index * entries.size;
        let second = if entry.len() > word { fields.uint(at + word, word)? } else { 0 };
        Some((index, (fields.uint(at, word)?, second)))
    })
}

fn odd(value: String) -> DumpError {
    DumpError::BadField {
        format: FORMAT,
        field: "page map",
        value,
        why: "that is no page map, so the parts of the dump lie elsewhere or are of another \
              kind: msgbufsize, bitmapsize, pmapsize or the format of the entries (mmuformat, \
              paemode) is wrong"
            .to_owned(),
    }
}
