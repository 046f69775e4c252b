//! Minidumps: the pages that the kernel uses, and the map from its addresses to them.
//!
//! An architecture's own file says what its header and its page map consist of;
//! [`writing::minidump`] writes the parts.

mod amd64;
mod arm;
mod arm64;
mod i386;
mod powerpc64;
mod powerpc64_hash;
mod riscv64;
mod style;

use std::io::{Seek, Write};

use self::style::Style;

use super::contents::Contents;
use crate::arch::Arch;
use crate::image::ImageError;
use crate::image::machine::Machine;
use crate::writing::entry_bytes;
use crate::writing::minidump::{Minidump, Piece};

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
    let shape = MapShape::of(machine, &style)?;
    let page_map = match style.whole.map(|make| make(machine)) {
        Some(whole) => (whole.len() as u64, Box::new([Piece::Bytes(whole)].into_iter()) as Box<_>),
        None => {
            (shape.bytes, Box::new(shape.pieces(machine, &style)) as Box<dyn Iterator<Item = _>>)
        }
    };
    let minidump = Minidump {
        arch: machine.arch(),
        page: machine.page_size(),
        version,
        header: style.header.clone(),
        message_buffer: contents.message_buffer,
        message_size: contents.message_size,
        ranges: machine.memory_ranges().collect(),
        page_map,
    };
    Ok(minidump.write(&contents.memory_in_use(), out)?)
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

    fn pieces(self, machine: &Machine, style: &Style) -> impl Iterator<Item = Piece> {
        let layout = machine.space().layout();
        let (start, level) = (style.covered.start, style.level);
        (0..self.tables).map(move |number| {
            let at = start.wrapping_add(number * self.table_span);
            let Some(entries) = machine.entries(at, level) else {
                return Piece::Zeros(self.table_bytes);
            };
            let bytes =
                entries.iter().map(|e| entry_bytes(*e, layout.entry_size, layout.entry_endian));
            Piece::Bytes(bytes.collect::<Vec<_>>().concat())
        })
    }
}
