//! Minidumps: the pages that the kernel uses, and the map from its addresses to them.
//!
//! `minidumpsys` of `sys/ARCH/ARCH/minidump_machdep.c`. Every part starts on a
//! page: header, message buffer, `dump_avail` (newer versions), bitmap, page map,
//! pages in the order of their bits.

mod bitmap;
mod copied;
mod header;
mod versions;

use std::io::{self, Seek, Write};
use std::ops::Range;

use self::bitmap::Numbering;
pub use self::copied::Copied;
pub use self::header::Header;
pub use self::versions::Versions;

use super::{Memory, Sparse, WriteError, stretches};
use crate::addr::PhysAddr;
use crate::arch::Arch;

/// A minidump to write, without its pages.
pub struct Minidump<'a> {
    /// The architecture.
    pub arch: Arch,
    /// The size of a page, in bytes.
    pub page: u64,
    /// The version of the format.
    pub version: u32,
    /// What the header says beside the sizes.
    pub header: Header,
    /// The kernel's message buffer: all of its memory, and how much of that is text.
    pub message_buffer: &'a [u8],
    /// The length of the text, in bytes.
    pub message_size: u32,
    /// The machine's memory, ascending, in whole pages: what the kernel calls `dump_avail`.
    pub ranges: Vec<Range<PhysAddr>>,
    /// The length of the page map in bytes, and its bytes.
    pub page_map: (u64, PageMap<'a>),
}

/// The bytes of a page map, one piece after another.
pub type PageMap<'a> = Box<dyn Iterator<Item = Piece> + 'a>;

/// A piece of a page map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Entries.
    Bytes(Vec<u8>),
    /// This many bytes of invalid entries.
    Zeros(u64),
}

/// The sizes in a header.
#[derive(Debug)]
struct Sizes {
    version: u32,
    message: u32,
    bitmap: u32,
    page_map: u32,
    dump_avail: u32,
}

impl Minidump<'_> {
    /// Writes the dump, with those pages of `memory` that are in its ranges.
    ///
    /// # Errors
    /// The architecture has no such version, a part is too large, or `memory` or `out` fails.
    pub fn write(
        self,
        memory: &dyn Memory,
        out: &mut (impl Write + Seek),
    ) -> Result<(), WriteError> {
        let versions = Versions::of(self.arch, self.page);
        versions.check(self.version, self.arch)?;
        let has_dump_avail = self.version >= versions.dump_avail_since;
        let numbering = Numbering::new(&self.ranges, self.page, has_dump_avail);
        let endian = self.arch.endian();
        let available = match has_dump_avail {
            true => bitmap::dump_avail(&self.ranges, self.page, endian),
            false => Vec::new(),
        };
        let (page_map_len, page_map) = self.page_map;
        let sizes = Sizes {
            version: self.version,
            message: self.message_size,
            bitmap: size("bitmap", numbering.len())?,
            page_map: size("page map", page_map_len)?,
            dump_avail: size("list of memory", available.len() as u64)?,
        };
        let header = self.header.bytes(self.arch, self.page, &sizes);

        let mut out = Sparse::new(out, self.page);
        out.padded(&header)?;
        out.padded(self.message_buffer)?;
        out.padded(&available)?;
        out.padded(&numbering.bitmap(memory, self.arch))?;
        write_page_map(&mut out, page_map, page_map_len, self.page)?;
        for stretch in stretches(memory) {
            for part in numbering.within(&stretch) {
                out.pages(memory, part)?;
            }
        }
        Ok(out.finish()?)
    }
}

fn size(part: &'static str, bytes: u64) -> Result<u32, WriteError> {
    u32::try_from(bytes).map_err(|_| WriteError::TooLarge { part, bytes })
}

fn write_page_map(
    out: &mut Sparse<'_, impl Write + Seek>,
    pieces: PageMap<'_>,
    len: u64,
    page: u64,
) -> io::Result<()> {
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => out.bytes(&bytes)?,
            Piece::Zeros(count) => out.zeros(count),
        }
    }
    out.zeros(len.next_multiple_of(page) - len);
    Ok(())
}
