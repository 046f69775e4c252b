//! One ELF file: the sections, segments and notes that a kernel or its
//! debug file has. goblin does the parsing. This file adds the checks that
//! distinguish a kernel from other files, and unpacks compressed sections.

mod copy;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use goblin::container::Ctx;
use goblin::elf::{
    Elf, Header, ProgramHeader, SectionHeader, header, program_header, section_header,
};

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::kernel::string_table::name_at;
use crate::kernel::{KernelError, NotAKernel, compressed};
use crate::source::{Source, other};

pub use copy::NewSections;

/// A parsed ELF file and the bytes it came from. A copy shares these.
#[derive(Debug, Clone)]
pub struct ElfFile {
    source: Arc<Source>,
    arch: Arch,
    /// Is it still an object file, whose sections have no addresses?
    relocatable: bool,
    context: Ctx,
    sections: Vec<SectionHeader>,
    segments: Vec<ProgramHeader>,
    names: Range<usize>,
    /// The number of the section with the names of sections.
    names_section: usize,
}

/// The section that holds CTF (ctfmerge(1), cddl/contrib/opensolaris/tools/ctf/cvt/output.c,
/// FreeBSD 14.0).
pub const CTF_SECTION: &str = ".SUNW_ctf";

/// A PT_LOAD segment of a kernel.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Its link address.
    pub virt: VirtAddr,
    /// The physical address where the boot loader puts it, unless it relocates the kernel.
    pub phys: PhysAddr,
    /// The bytes in the file. The rest, up to `mem_size`, is zeros at boot.
    pub bytes: &'a [u8],
    /// Its size in memory, in bytes.
    pub mem_size: u64,
    /// May it be written (PF_W)?
    pub writable: bool,
    /// May it be executed (PF_X)?
    pub executable: bool,
}

/// A section of the file, described by its header.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// Its name, such as `.data` or `set_vnet`.
    pub name: &'a str,
    header: &'a SectionHeader,
}

impl<'a> Section<'a> {
    /// The addresses that the section occupies in memory.
    pub fn range(&self) -> Range<VirtAddr> {
        let start = VirtAddr::new(self.header.sh_addr);
        start..start.wrapping_add(self.header.sh_size)
    }

    /// Does the file hold its bytes (rather than only its size)?
    pub fn has_bytes(&self) -> bool {
        self.header.sh_type != section_header::SHT_NOBITS
    }

    /// Its size in memory, in bytes.
    pub fn size(&self) -> u64 {
        self.header.sh_size
    }

    /// Its address must be a multiple of this.
    pub fn alignment(&self) -> u64 {
        self.header.sh_addralign.max(1)
    }

    /// Is it loaded into memory (SHF_ALLOC)?
    pub fn is_loaded(&self) -> bool {
        self.has_flag(section_header::SHF_ALLOC)
    }

    /// Is it code or read-only data?
    pub fn is_constant(&self) -> bool {
        let writable = self.has_flag(section_header::SHF_WRITE);
        self.is_loaded() && !writable && self.header.sh_type == section_header::SHT_PROGBITS
    }

    /// Is it read-only data?
    pub(super) fn is_read_only_data(&self) -> bool {
        self.is_constant() && !self.has_flag(section_header::SHF_EXECINSTR)
    }

    pub(super) fn header(&self) -> &'a SectionHeader {
        self.header
    }

    fn has_flag(&self, flag: u32) -> bool {
        self.header.sh_flags & u64::from(flag) != 0
    }
}

/// The bytes of a section: a part of the mapped file, or unpacked.
#[derive(Debug, Clone)]
pub enum SectionBytes {
    /// A range of the mapped file.
    Mapped(Arc<Source>, Range<usize>),
    /// The unpacked bytes of a compressed section.
    Unpacked(Arc<[u8]>),
}

impl SectionBytes {
    /// The bytes of a missing section: none.
    pub fn empty() -> Self {
        Self::Unpacked(Arc::new([]))
    }
}

impl std::ops::Deref for SectionBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(source, range) => &source.bytes()[range.clone()],
            Self::Unpacked(bytes) => bytes,
        }
    }
}

impl ElfFile {
    /// Parses the headers of `source`.
    ///
    /// # Errors
    /// The file is not an ELF file, is a core or object file, is for a machine
    /// that FreeBSD does not run on, or its header tables lie outside the file.
    pub fn parse(source: Source) -> Result<Self, KernelError> {
        let header = parse_header(&source)?;
        if header.e_type == header::ET_REL {
            return Err(NotAKernel::Object.into());
        }
        Self::with_header(source, &header)
    }

    /// Parses the headers of a module, which is an object file on some architectures.
    ///
    /// # Errors
    /// As [`ElfFile::parse`], but object files are accepted.
    pub fn parse_module(source: Source) -> Result<Self, KernelError> {
        let header = parse_header(&source)?;
        Self::with_header(source, &header)
    }

    fn with_header(source: Source, header: &Header) -> Result<Self, KernelError> {
        let bytes = source.bytes();
        let arch = arch_of(header)?;
        let container = header.container().map_err(|why| damaged("header", why))?;
        let endian = header.endianness().map_err(|why| damaged("header", why))?;
        let context = Ctx::new(container, endian);
        check_tables(bytes, header)?;
        let table = header.e_shoff as usize;
        let sections = SectionHeader::parse(bytes, table, header.e_shnum.into(), context)
            .map_err(|why| damaged("section table", why))?;
        let table = header.e_phoff as usize;
        let segments = ProgramHeader::parse(bytes, table, header.e_phnum.into(), context)
            .map_err(|why| damaged("program header table", why))?;
        let names_section = usize::from(header.e_shstrndx);
        let names = sections.get(names_section);
        let names = names.and_then(|section| file_range(bytes, section)).unwrap_or(0..0);
        let relocatable = header.e_type == header::ET_REL;
        Ok(Self {
            source: Arc::new(source),
            arch,
            relocatable,
            context,
            sections,
            segments,
            names,
            names_section,
        })
    }

    /// The architecture, from e_machine, the class and the byte order.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The file it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// All sections, in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.sections.iter().map(|header| Section { name: self.name_of(header), header })
    }

    /// Is it an object file, whose sections have no addresses yet?
    pub fn is_relocatable(&self) -> bool {
        self.relocatable
    }

    /// The relocations that apply to a section.
    pub(super) fn relocations_of(&self, section: Section<'_>) -> Option<Section<'_>> {
        let number =
            self.sections.iter().position(|header| std::ptr::eq(header, section.header))?;
        self.sections().find(|other| {
            let header = other.header();
            header.sh_type == section_header::SHT_RELA && header.sh_info as usize == number
        })
    }

    /// The section with that name.
    pub fn section(&self, name: &str) -> Option<Section<'_>> {
        // Without collecting all names: a file may have 65,535 sections.
        let names = self.source.bytes().get(self.names.clone()).unwrap_or_default();
        let is_named = |header: &&SectionHeader| {
            let found =
                names.get(header.sh_name..).and_then(|found| found.strip_prefix(name.as_bytes()));
            found.is_some_and(|rest| rest.first() == Some(&0))
        };
        self.sections
            .iter()
            .find(is_named)
            .map(|header| Section { name: self.name_of(header), header })
    }

    /// The bytes of a section in the file, still compressed if it is compressed.
    pub fn raw_bytes(&self, section: Section<'_>) -> Option<&[u8]> {
        file_range(self.source.bytes(), section.header).map(|range| &self.source.bytes()[range])
    }

    /// The bytes of a section, unpacked if it is compressed (SHF_COMPRESSED, zlib or zstd).
    ///
    /// # Errors
    /// The section lies outside the file, or cannot be unpacked.
    pub fn section_bytes(&self, section: Section<'_>) -> Result<SectionBytes, KernelError> {
        let range = file_range(self.source.bytes(), section.header).ok_or_else(|| {
            damaged("section table", format!("{} lies outside of the file", section.name))
        })?;
        if !section.has_flag(section_header::SHF_COMPRESSED) {
            return Ok(SectionBytes::Mapped(self.source.clone(), range));
        }
        compressed::unpack(&self.source.bytes()[range], self.arch)
            .map(|bytes| SectionBytes::Unpacked(bytes.into()))
            .map_err(|why| KernelError::Compressed { section: section.name.to_owned(), why })
    }

    /// The PT_LOAD segments, in the order of the file. If the program headers are missing, each
    /// loaded section takes the place of a segment.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let loads = self.segments.iter().filter(|s| s.p_type == program_header::PT_LOAD);
        let loads = loads.map(|s| Segment {
            virt: VirtAddr::new(s.p_vaddr),
            phys: PhysAddr::new(s.p_paddr),
            bytes: self.file_bytes(s.p_offset, s.p_filesz),
            mem_size: s.p_memsz,
            writable: s.is_write(),
            executable: s.is_executable(),
        });
        let headless = self.segments.is_empty() && !self.relocatable;
        let placed = |s: &&SectionHeader| s.is_alloc() && s.sh_addr != 0;
        let sections = self.sections.iter().filter(move |_| headless).filter(placed);
        loads.chain(sections.map(|s| Segment {
            virt: VirtAddr::new(s.sh_addr),
            phys: PhysAddr::new(s.sh_addr),
            bytes: match s.sh_type {
                section_header::SHT_NOBITS => &[],
                _ => self.file_bytes(s.sh_offset, s.sh_size),
            },
            mem_size: s.sh_size,
            writable: s.is_writable(),
            executable: s.is_executable(),
        }))
    }

    /// The bytes in the file; fewer or none if the file ends early.
    fn file_bytes(&self, offset: u64, len: u64) -> &[u8] {
        let range = bounded(self.source.bytes(), offset, len).unwrap_or(0..0);
        &self.source.bytes()[range]
    }

    /// The bytes at the link address `address` before the kernel has run.
    ///
    /// `None` if no section covers the whole range, or the file does not
    /// have the bytes (NOBITS in a split debug file). A kernel's .bss reads as
    /// zeros.
    pub fn initial_bytes(&self, address: VirtAddr, len: u64) -> Option<Cow<'_, [u8]>> {
        const PLACE: u64 = (section_header::SHF_ALLOC | section_header::SHF_TLS) as u64;
        let header = self.sections.iter().find(|header| {
            header.sh_flags & PLACE == u64::from(section_header::SHF_ALLOC)
                && covers(header, address.get(), len)
        })?;
        let section = Section { name: self.name_of(header), header };
        if !section.has_bytes() {
            let zeros = !self.is_debug_only() && len <= MAX_ZEROS;
            return zeros.then(|| Cow::Owned(vec![0; len as usize]));
        }
        let start = usize::try_from(address.get() - section.header.sh_addr).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.raw_bytes(section)?.get(start..end).map(Cow::Borrowed)
    }

    /// Is this a split debug file, whose code and data sections are NOBITS?
    pub fn is_debug_only(&self) -> bool {
        self.section(".text").is_some_and(|text| !text.has_bytes())
    }

    /// Does it hold DWARF?
    pub fn has_debug_info(&self) -> bool {
        self.section(".debug_info").is_some_and(|section| section.has_bytes())
    }

    /// Does it hold a full symbol table? A stripped file may only have that for dynamic linking.
    pub fn has_symtab(&self) -> bool {
        self.section(".symtab").is_some_and(|section| section.has_bytes())
    }

    /// Does it hold CTF, the types that every FreeBSD kernel and module has?
    pub fn has_ctf(&self) -> bool {
        self.section(CTF_SECTION).is_some_and(|section| section.has_bytes())
    }

    /// The GNU build-id, which a kernel and its debug file share.
    pub fn build_id(&self) -> Option<&[u8]> {
        self.build_id_in_memory().map(|(_, id)| id)
    }

    /// The build-id, and the link address of its bytes.
    pub fn build_id_in_memory(&self) -> Option<(VirtAddr, &[u8])> {
        let mut notes = self.sections().filter(|s| s.header.sh_type == section_header::SHT_NOTE);
        notes.find_map(|section| {
            let bytes = self.raw_bytes(section)?;
            let place = build_id_note(Fields::new(bytes, self.arch.endian()))?;
            Some((section.range().start.wrapping_add(place.start as u64), bytes.get(place)?))
        })
    }

    /// The file name and the CRC in .gnu_debuglink.
    pub fn debug_link(&self) -> Option<(String, u32)> {
        let bytes = self.raw_bytes(self.section(".gnu_debuglink")?)?;
        let fields = Fields::new(bytes, self.arch.endian());
        let name = fields.text(0, bytes.len())?;
        let crc = fields.u32((name.len() + 1).next_multiple_of(4))?;
        Some((name, crc))
    }

    /// The section with this index in the section table.
    pub(super) fn section_at(&self, index: usize) -> Option<Section<'_>> {
        self.sections.get(index).map(|header| Section { name: self.name_of(header), header })
    }

    /// Word size and byte order, in goblin's terms.
    pub(super) fn context(&self) -> Ctx {
        self.context
    }

    fn name_of(&self, header: &SectionHeader) -> &str {
        let names = &self.source.bytes()[self.names.clone()];
        std::str::from_utf8(name_at(names, header.sh_name)).unwrap_or_default()
    }
}

/// No kernel variable is larger. The size of a hostile symbol is not allocated.
const MAX_ZEROS: u64 = 64 << 20;

fn parse_header(source: &Source) -> Result<Header, KernelError> {
    let bytes = source.bytes();
    if !bytes.starts_with(b"\x7fELF") {
        return Err(other_file(source).into());
    }
    // The shorter header, of 32-bit machines. The longer one has its own class.
    let needed = if bytes.get(4) == Some(&header::ELFCLASS64) { 64 } else { 52 };
    if bytes.len() < needed {
        let why =
            format!("the file ends after {} of its {needed} bytes: it is cut off", bytes.len());
        return Err(damaged("header", why));
    }
    let header = Elf::parse_header(bytes).map_err(|why| damaged("header", why))?;
    let what = match header.e_type {
        header::ET_EXEC | header::ET_DYN | header::ET_REL => return Ok(header),
        header::ET_CORE => NotAKernel::ElfCore,
        other => NotAKernel::ElfOfType(other),
    };
    Err(what.into())
}

/// The section table is at the end of a kernel file, so a truncated file lacks it first.
fn check_tables(bytes: &[u8], header: &Header) -> Result<(), KernelError> {
    let length = bytes.len() as u64;
    for (part, at, count, size) in [
        ("program header table", header.e_phoff, header.e_phnum, header.e_phentsize),
        ("section table", header.e_shoff, header.e_shnum, header.e_shentsize),
    ] {
        let table = u64::from(count) * u64::from(size);
        if count > 0 && at.checked_add(table).is_none_or(|end| end > length) {
            let why = format!(
                "it is {table:#x} bytes at {at:#x} of the file, which ends at {length:#x}: \
                 the file is cut off"
            );
            return Err(damaged(part, why));
        }
    }
    Ok(())
}

/// What a file is that is not an ELF file.
fn other_file(source: &Source) -> NotAKernel {
    let bytes = source.bytes();
    if bytes.is_empty() {
        return NotAKernel::Empty;
    }
    if bytes.starts_with(b"minidump FreeBSD/") {
        return NotAKernel::Minidump;
    }
    other::recognise(source.path(), bytes).map_or(NotAKernel::Unknown, NotAKernel::Other)
}

fn arch_of(header: &Header) -> Result<Arch, KernelError> {
    let endian = match header.e_ident[header::EI_DATA] {
        header::ELFDATA2MSB => Endian::Big,
        _ => Endian::Little,
    };
    let is_64 = header.e_ident[header::EI_CLASS] == header::ELFCLASS64;
    let other = || NotAKernel::ElfOfMachine(header.e_machine).into();
    Arch::from_elf(header.e_machine, is_64, endian).ok_or_else(other)
}

fn damaged(part: &'static str, why: impl ToString) -> KernelError {
    KernelError::Damaged { part, why: why.to_string() }
}

fn covers(header: &SectionHeader, address: u64, len: u64) -> bool {
    let end = address.checked_sub(header.sh_addr).and_then(|offset| offset.checked_add(len));
    end.is_some_and(|end| end <= header.sh_size)
}

fn file_range(bytes: &[u8], header: &SectionHeader) -> Option<Range<usize>> {
    if header.sh_type == section_header::SHT_NOBITS {
        return None;
    }
    bounded(bytes, header.sh_offset, header.sh_size)
}

fn bounded(bytes: &[u8], offset: u64, len: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    (end <= bytes.len()).then_some(start..end)
}

/// Where the description of the note NT_GNU_BUILD_ID (3) by "GNU" is in a section's notes.
fn build_id_note(notes: Fields<'_>) -> Option<Range<usize>> {
    const NT_GNU_BUILD_ID: u32 = 3;
    let mut at = 0usize;
    loop {
        let name_len = notes.u32(at)? as usize;
        let desc_len = notes.u32(at + 4)? as usize;
        let kind = notes.u32(at + 8)?;
        let name = notes.slice(at + 12, name_len)?;
        let desc_at = (at + 12).checked_add(name_len.checked_next_multiple_of(4)?)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return Some(desc_at..desc_at.checked_add(desc_len)?);
        }
        at = desc_at.checked_add(desc_len.checked_next_multiple_of(4)?)?;
    }
}
