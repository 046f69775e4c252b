//! ELF core files: headers, notes and segments, of either class and byte order.

use std::io::{Seek, Write};
use std::ops::Range;

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
    /// The memory after the headers, in the order of the file; whole pages, each of which
    /// several segments may have.
    pub contents: Vec<Range<PhysAddr>>,
    /// The memory by address.
    pub segments: Vec<Segment>,
    /// One more program header after the others: its type and addresses.
    pub extra: Option<(u32, u64, u64)>,
}

/// A PT_LOAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// p_vaddr.
    pub virt: u64,
    /// p_paddr.
    pub phys: u64,
    /// Where it begins in the contents, in bytes.
    pub at: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl Segment {
    /// A segment for each of `contents` in turn, by physical address; `virt` gives its p_vaddr.
    pub fn in_order(contents: &[Range<PhysAddr>], virt: impl Fn(PhysAddr) -> u64) -> Vec<Self> {
        let mut next = 0;
        let segment = |stretch: &Range<PhysAddr>| {
            let len = length(stretch);
            let at = next;
            next += len;
            Self { virt: virt(stretch.start), phys: stretch.start.get(), at, len }
        };
        contents.iter().map(segment).collect()
    }
}

fn length(stretch: &Range<PhysAddr>) -> u64 {
    stretch.end.offset_from(stretch.start).unwrap_or(0)
}

const ET_CORE: u64 = 4;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PF_R: u64 = 4;
/// e_phnum of a file with so many program headers or more. The number is in section header 0.
const PN_XNUM: u64 = 0xffff;

/// How long headers are, in bytes, and where the program headers begin.
struct Sizes {
    file_header: u64,
    program_header: u64,
    section_header: u64,
    headers_at: u64,
}

impl Sizes {
    fn of(is_64: bool, count: u32) -> Self {
        let (file_header, program_header, section_header) =
            if is_64 { (64, 56, 64) } else { (52, 32, 40) };
        let is_extended = u64::from(count) >= PN_XNUM;
        let headers_at = file_header + if is_extended { section_header } else { 0 };
        Self { file_header, program_header, section_header, headers_at }
    }
}

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
        let count = u32::try_from(headers);
        let count = count.map_err(|_| WriteError::TooManySegments { count: headers })?;
        let sizes = Sizes::of(self.is_64, count);
        let notes_at = sizes.headers_at + u64::from(count) * sizes.program_header;
        let contents_at = (notes_at + self.notes.len() as u64).next_multiple_of(page);
        let mut bytes = self.file_header(count, &sizes);
        if !self.notes.is_empty() {
            let len = self.notes.len() as u64;
            bytes.extend(self.program_header(PT_NOTE, 0, [notes_at, 0, 0, len], 0));
        }
        for segment in &self.segments {
            let places = [contents_at + segment.at, segment.virt, segment.phys, segment.len];
            bytes.extend(self.program_header(PT_LOAD, PF_R, places, page));
        }
        if let Some((kind, virt, phys)) = self.extra {
            bytes.extend(self.program_header(kind, 0, [0, virt, phys, 0], 0));
        }
        bytes.extend(&self.notes);

        let mut out = Sparse::new(out, page);
        out.padded(&bytes)?;
        for stretch in &self.contents {
            out.pages(memory, stretch.clone())?;
        }
        Ok(out.finish()?)
    }

    /// The file header and, if the program headers are too many for it, section header 0.
    fn file_header(&self, count: u32, sizes: &Sizes) -> Vec<u8> {
        let endian = self.arch.endian();
        let class = if self.is_64 { 2 } else { 1 };
        let data = if endian == Endian::Little { 1 } else { 2 };
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, data, 1, self.os_abi];
        bytes.resize(16, 0);
        let word = if self.is_64 { 8 } else { 4 };
        let is_extended = sizes.headers_at > sizes.file_header;
        let stated_size = self.header_size.map_or(sizes.file_header, u64::from);
        for (value, size) in [
            (ET_CORE, 2),
            (self.arch.elf_machine().into(), 2),
            (self.version.into(), 4),
            (0, word),
            (sizes.headers_at, word),
            (if is_extended { sizes.file_header } else { 0 }, word),
            (0, 4),
            (stated_size, 2),
            (sizes.program_header, 2),
            (u64::from(count).min(PN_XNUM), 2),
            (sizes.section_header, 2),
            (u64::from(is_extended), 2),
            (0, 2),
        ] {
            bytes.extend(entry_bytes(value, size, endian));
        }
        if is_extended {
            // sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size: the number of sections;
            // sh_link, sh_info: the number of program headers; sh_addralign, sh_entsize.
            let fields = [(0, 4), (0, 4), (0, word), (0, word), (0, word), (1, word), (0, 4)];
            let rest = [(count.into(), 4), (0, word), (0, word)];
            for (value, size) in fields.into_iter().chain(rest) {
                bytes.extend(entry_bytes(value, size, endian));
            }
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

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor};

    use object::Endianness;
    use object::read::elf::{FileHeader, ProgramHeader};

    use super::*;

    struct Ones;

    impl Memory for Ones {
        fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
            (at.get() < 4096).then(|| PhysAddr::new(0)..PhysAddr::new(4096))
        }

        fn page(&self, _: PhysAddr, buf: &mut [u8]) -> io::Result<bool> {
            buf.fill(1);
            Ok(true)
        }
    }

    /// From 65535 on, the number of segments is in a section header. They may share a page.
    #[test]
    fn segments_are_counted_beyond_16_bits() {
        let all = Ones.next(PhysAddr::new(0)).unwrap();
        for (count, extended) in [(65534, false), (65535, true), (70_000, true)] {
            let segment = |number| Segment { virt: number * 4096, phys: 0, at: 0, len: 4096 };
            let core = ElfCore {
                arch: Arch::Amd64,
                is_64: true,
                os_abi: 0,
                version: 1,
                header_size: None,
                notes: Vec::new(),
                contents: vec![all.clone()],
                segments: (1..=count).map(segment).collect(),
                extra: None,
            };
            let mut file = Cursor::new(Vec::new());
            core.write(&Ones, 4096, &mut file).unwrap();
            let file = file.into_inner();
            let header = object::elf::FileHeader64::<Endianness>::parse(&*file).unwrap();
            let little = Endianness::Little;
            assert_eq!(header.e_phnum.get(little) == 0xffff, extended);
            let segments = header.program_headers(little, &*file).unwrap();
            assert_eq!(segments.len() as u64, count);
            for (number, segment) in [(1, segments.first()), (count, segments.last())] {
                let segment = segment.unwrap();
                assert_eq!(segment.p_vaddr(little), number * 4096);
                assert_eq!(segment.data(little, &*file).unwrap(), [1; 4096]);
            }
        }
    }
}
