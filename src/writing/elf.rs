//! ELF core files: headers, notes and segments, of either class and byte order.

use std::io::{Seek, Write};

use super::{Memory, Sparse, WriteError, entry_bytes};
use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::bytes::Endian;

/// An ELF core to write.
#[derive(Debug)]
pub struct ElfCore {
    /// The architecture, which says e_machine and the byte order.
    pub arch: Arch,
    /// Is it of the 64-bit class?
    pub is_64: bool,
    /// `e_ident[EI_OSABI]`, as in this kind of core.
    pub os_abi: u8,
    /// e_version.
    pub version: u32,
    /// e_ehsize, if it is not the size of the file header.
    pub header_size: Option<u16>,
    /// The contents of the PT_NOTE; empty for none.
    pub notes: Vec<u8>,
    /// The memory.
    pub segments: Vec<Segment>,
    /// One more program header after the others: its type and addresses.
    pub extra: Option<(u32, u64, u64)>,
}

/// A PT_LOAD.
#[derive(Debug)]
pub struct Segment {
    /// p_vaddr.
    pub virt: u64,
    /// p_paddr.
    pub phys: u64,
    /// What it holds.
    pub pages: Pages,
}

/// The memory in a segment.
#[derive(Debug)]
pub enum Pages {
    /// A number of pages from an address on.
    Row(PhysAddr, u64),
    /// The pages at these addresses.
    Scattered(Vec<PhysAddr>),
}

impl Segment {
    /// The physical memory in `row`, which is whole pages of `page` bytes.
    #[must_use]
    pub fn physical(virt: u64, row: std::ops::Range<PhysAddr>, page: u64) -> Self {
        let len = row.end.offset_from(row.start).unwrap_or(0);
        let pages = Pages::Row(row.start, len.div_ceil(page));
        Self { virt, phys: row.start.get(), pages }
    }

    fn count(&self) -> u64 {
        match &self.pages {
            Pages::Row(_, count) => *count,
            Pages::Scattered(pages) => pages.len() as u64,
        }
    }
}

const ET_CORE: u64 = 4;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PF_R: u64 = 4;
/// e_phnum values from this one on have another meaning (PN_XNUM).
const MOST_SEGMENTS: usize = 0xffff;

impl ElfCore {
    /// Writes the file, with pages of `page` bytes. Pages of zeros become holes.
    ///
    /// # Errors
    /// There are more segments than ELF can count, or `memory` or `out` fails.
    pub fn write(
        &self,
        memory: &dyn Memory,
        page: u64,
        out: &mut (impl Write + Seek),
    ) -> Result<(), WriteError> {
        let headers = self.segments.len()
            + usize::from(!self.notes.is_empty())
            + usize::from(self.extra.is_some());
        if headers >= MOST_SEGMENTS {
            return Err(WriteError::TooManySegments { count: headers });
        }
        let (file_header, program_header) = if self.is_64 { (64, 56) } else { (52, 32) };
        let notes_at = file_header + headers as u64 * program_header;
        let mut offset = (notes_at + self.notes.len() as u64).next_multiple_of(page);
        let mut bytes = self.file_header(headers as u64, file_header, program_header);
        if !self.notes.is_empty() {
            let len = self.notes.len() as u64;
            bytes.extend(self.program_header(PT_NOTE, 0, [notes_at, 0, 0, len], 0));
        }
        for segment in &self.segments {
            let len = segment.count() * page;
            let places = [offset, segment.virt, segment.phys, len];
            bytes.extend(self.program_header(PT_LOAD, PF_R, places, page));
            offset += len;
        }
        if let Some((kind, virt, phys)) = self.extra {
            bytes.extend(self.program_header(kind, 0, [0, virt, phys, 0], 0));
        }
        bytes.extend(&self.notes);

        let mut out = Sparse::new(out, page);
        out.padded(&bytes)?;
        for segment in &self.segments {
            match &segment.pages {
                Pages::Row(start, count) => (0..*count)
                    .try_for_each(|number| out.page(memory, start.wrapping_add(number * page)))?,
                Pages::Scattered(pages) => {
                    pages.iter().try_for_each(|at| out.page(memory, *at))?;
                }
            }
        }
        Ok(out.finish()?)
    }

    fn file_header(&self, headers: u64, own_size: u64, program_header: u64) -> Vec<u8> {
        let class = if self.is_64 { 2 } else { 1 };
        let data = if self.arch.endian() == Endian::Little { 1 } else { 2 };
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, data, 1, self.os_abi];
        bytes.resize(16, 0);
        let word = if self.is_64 { 8 } else { 4 };
        let section_header = if self.is_64 { 64 } else { 40 };
        let stated_size = self.header_size.map_or(own_size, u64::from);
        for (value, size) in [
            (ET_CORE, 2),
            (self.arch.elf_machine().into(), 2),
            (self.version.into(), 4),
            (0, word),
            (own_size, word),
            (0, word),
            (0, 4),
            (stated_size, 2),
            (program_header, 2),
            (headers, 2),
            (section_header, 2),
            (0, 2),
            (0, 2),
        ] {
            bytes.extend(entry_bytes(value, size, self.arch.endian()));
        }
        bytes
    }

    /// `places` are p_offset, p_vaddr, p_paddr and both sizes. The 32-bit class truncates them
    /// to 32 bits, as i386 kernels with PAE do.
    fn program_header(&self, kind: u32, flags: u64, places: [u64; 4], align: u64) -> Vec<u8> {
        let endian = self.arch.endian();
        let mut bytes = entry_bytes(kind.into(), 4, endian);
        let [offset, virt, phys, size] = places;
        let fields = [offset, virt, phys, size, size];
        if self.is_64 {
            bytes.extend(entry_bytes(flags, 4, endian));
            bytes.extend(fields.into_iter().flat_map(|field| entry_bytes(field, 8, endian)));
            bytes.extend(entry_bytes(align, 8, endian));
        } else {
            bytes.extend(fields.into_iter().flat_map(|field| entry_bytes(field, 4, endian)));
            bytes.extend(entry_bytes(flags, 4, endian));
            bytes.extend(entry_bytes(align, 4, endian));
        }
        bytes
    }
}
