//! Minidumps: the pages that the kernel uses, and the map from its addresses to them.
//!
//! `minidumpsys` of `sys/ARCH/ARCH/minidump_machdep.c`. Every part starts on a
//! page: header, message buffer, `dump_avail` (newer versions), bitmap, page map,
//! pages in the order of their bits. An architecture's own file has its header
//! and says what its page map consists of.

mod amd64;
mod arm;
mod arm64;
mod header;
mod i386;
mod powerpc64;
mod powerpc64_hash;
mod riscv64;
mod style;

use std::io::{Seek, Write};
use std::ops::Range;

use self::style::{Sizes, Style};

use super::contents::Contents;
use super::sparse::Sparse;
use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::image::ImageError;
use crate::image::machine::{Machine, entry_bytes};

/// The largest page map that is written. That of a 12.1 amd64 kernel has 8 MB.
const LARGEST_PAGE_MAP: u64 = 64 << 20;

/// Writes the dump of a kernel that uses this version of the format.
///
/// # Errors
/// The architecture has no such version, the page map would be far too large (amd64, version 1
/// with a distant kernel map), or `out` fails.
pub fn write(
    contents: &Contents<'_>,
    version: u32,
    out: &mut (impl Write + Seek),
) -> Result<(), ImageError> {
    let machine = contents.machine;
    let style = style(machine, version);
    if !(style.oldest..=style.newest).contains(&version) {
        let (arch, oldest, newest) = (machine.arch(), style.oldest, style.newest);
        let why = format!("its {arch} minidumps have versions {oldest} to {newest}");
        return Err(ImageError::Format(why));
    }
    let has_dump_avail = version >= style.dump_avail_since;
    let available = if has_dump_avail { dump_avail(machine) } else { Vec::new() };
    let bitmap = bitmap(contents, has_dump_avail);
    let whole = style.whole.map(|make| make(machine));
    let map = MapShape::of(machine, &style)?;
    let page_map_size = whole.as_ref().map_or(map.bytes, |whole| whole.len() as u64);
    let header = (style.header)(
        machine,
        &Sizes {
            version,
            message: contents.message_size,
            bitmap: bitmap.len() as u32,
            page_map: page_map_size as u32,
            dump_avail: available.len() as u32,
        },
    );

    let mut out = Sparse::new(out, machine.page_size());
    out.padded(&header)?;
    out.padded(contents.message_buffer)?;
    out.padded(&available)?;
    out.padded(&bitmap)?;
    match whole {
        Some(whole) => out.padded(&whole)?,
        None => map.write(machine, &style, &mut out)?,
    }
    for page in machine.frames_in_use().filter(|page| contents.is_dumped(*page)) {
        out.page(machine, page)?;
    }
    Ok(out.finish()?)
}

fn style(machine: &Machine, version: u32) -> Style {
    match machine.arch() {
        Arch::Amd64 => amd64::style(machine, version),
        Arch::Arm64 => arm64::style(machine),
        Arch::Riscv64 => riscv64::style(machine),
        Arch::I386 => i386::style(machine),
        Arch::Arm => arm::style(machine),
        Arch::Powerpc64 | Arch::Powerpc64le => powerpc64::style(machine),
    }
}

/// Which tables form the page map.
struct MapShape {
    tables: u64,
    /// The size in bytes of one table, and of the address space it covers.
    table_bytes: u64,
    table_span: u64,
    bytes: u64,
}

impl MapShape {
    fn of(machine: &Machine, style: &Style) -> Result<Self, ImageError> {
        let space = machine.space();
        let level = space.levels().get(style.level);
        let entries = level.map_or(1, |level| level.entries);
        let table_span = level.map_or(1, |level| level.span.saturating_mul(level.entries));
        let table_bytes = entries * space.layout().entry_size;
        let base = style.covered.start;
        let tables = style.covered.end.offset_from(base).unwrap_or(0).div_ceil(table_span);
        let bytes = tables * table_bytes;
        if bytes > LARGEST_PAGE_MAP {
            return Err(ImageError::PageMapTooLarge { base, bytes });
        }
        Ok(Self { tables, table_bytes, table_span, bytes })
    }

    fn write(
        &self,
        machine: &Machine,
        style: &Style,
        out: &mut Sparse<'_, impl Write + Seek>,
    ) -> Result<(), ImageError> {
        let layout = machine.space().layout();
        for number in 0..self.tables {
            let at = style.covered.start.wrapping_add(number * self.table_span);
            let Some(entries) = machine.entries(at, style.level) else {
                out.zeros(self.table_bytes);
                continue;
            };
            let bytes =
                entries.iter().map(|e| entry_bytes(*e, layout.entry_size, layout.entry_endian));
            out.bytes(&bytes.collect::<Vec<_>>().concat())?;
        }
        out.zeros(self.bytes.next_multiple_of(layout.page) - self.bytes);
        Ok(())
    }
}

/// Pairs of start and end in whole pages, terminated by a pair of zeros. They have 64 bits on
/// every architecture.
fn dump_avail(machine: &Machine) -> Vec<u8> {
    let ranges = machine.memory_ranges();
    let ends = ranges.flat_map(|range| [range.start.get(), range.end.get()]).chain([0, 0]);
    let endian = machine.arch().endian();
    let mut bytes = ends.map(|end| entry_bytes(end, 8, endian)).collect::<Vec<_>>().concat();
    bytes.resize(bytes.len().next_multiple_of(machine.page_size() as usize), 0);
    bytes
}

/// One bit for each page: all pages up to the last, or only those in `dump_avail`. The kernel
/// sets them in words of a `long`, so on big-endian machines bit 0 is in the last byte of a word.
fn bitmap(contents: &Contents<'_>, has_dump_avail: bool) -> Vec<u8> {
    let machine = contents.machine;
    let page = machine.page_size();
    let mut bits = 0;
    let mut ranges = Vec::new();
    for range in machine.memory_ranges() {
        let (first, end) = (range.start.get() / page, range.end.get().div_ceil(page));
        let first_bit = if has_dump_avail { bits } else { first };
        ranges.push((range, first_bit));
        bits = first_bit + (end - first);
    }
    let mut bitmap = vec![0; bits.div_ceil(8).next_multiple_of(page) as usize];
    let last_in_word = machine.arch().pointer_size() - 1;
    for at in machine.frames_in_use().filter(|page| contents.is_dumped(*page)) {
        let Some(bit) = bit_of(&ranges, at, page) else { continue };
        let byte = match machine.arch().endian() {
            Endian::Little => bit / 8,
            Endian::Big => (bit / 8) ^ last_in_word,
        };
        if let Some(byte) = bitmap.get_mut(byte as usize) {
            *byte |= 1 << (bit % 8);
        }
    }
    bitmap
}

fn bit_of(ranges: &[(Range<PhysAddr>, u64)], at: PhysAddr, page: u64) -> Option<u64> {
    let (range, first_bit) = ranges.iter().find(|(range, _)| range.contains(&at))?;
    Some(first_bit + at.offset_from(range.start)? / page)
}
