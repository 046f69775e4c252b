//! The contents of a kernel file: sections, symbols, initial values, and the location of its
//! debug information.
//!
//! FreeBSD installs a kernel in two files: `/boot/kernel/kernel`, stripped of
//! debug information, and `kernel.debug`, which has symbols and DWARF but no
//! contents (its .data and set_vnet are NOBITS). [`Kernel`] joins the two, in
//! whichever order they are given. It knows nothing of any dump.
//!
//! The addresses of a [`Kernel`] are link addresses. A [`RunningKernel`]
//! has the addresses at which some machine runs it.

pub(crate) mod bit_formats;
mod compressed;
pub mod debug_file;
pub mod elf;
mod error;
mod extents;
mod linker_set;
mod name_table;
pub mod relocate;
mod relocations;
mod running;
mod string_table;
pub mod symbols;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::source::Source;

use extents::Extents;
use relocations::Relocations;

pub use elf::{CTF_SECTION, ElfFile, NewSections, Section, SectionBytes, Segment};
pub use error::{KernelError, NotAKernel};
pub use linker_set::LinkerSet;
pub use running::RunningKernel;
pub use symbols::{DataSymbol, Symbol, SymbolKind, Symbols};

/// A kernel at its link addresses: the file that the user named and, if there is one, its
/// other half.
#[derive(Debug)]
pub struct Kernel {
    main: ElfFile,
    sibling: Option<ElfFile>,
    symbols: Arc<Symbols>,
    /// Are the symbols those of `sibling`?
    symbols_of_sibling: bool,
    relocations: OnceLock<Relocations>,
    extents: OnceLock<Extents>,
    /// Where each linker set lies.
    linker_sets: [OnceLock<Option<Range<VirtAddr>>>; LinkerSet::ALL.len()],
}

impl Kernel {
    /// Joins a kernel file with its debug file, or a debug file with its kernel.
    ///
    /// # Errors
    /// See [`ElfFile::parse`] and [`Symbols::load`].
    pub fn open(main: Source, sibling: Option<Source>) -> Result<Self, KernelError> {
        let sibling = sibling.map(ElfFile::parse).transpose()?;
        Self::join(ElfFile::parse(main)?, sibling)
    }

    /// Like [`Kernel::open`], for files that are already parsed.
    ///
    /// # Errors
    /// See [`Symbols::load`].
    pub fn join(main: ElfFile, sibling: Option<ElfFile>) -> Result<Self, KernelError> {
        let other = sibling.as_ref().filter(|other| !main.has_symtab() && other.has_symtab());
        let symbols = Arc::new(Symbols::load(other.unwrap_or(&main))?);
        let symbols_of_sibling = other.is_some();
        Ok(Self {
            main,
            sibling,
            symbols,
            symbols_of_sibling,
            relocations: OnceLock::new(),
            extents: OnceLock::new(),
            linker_sets: Default::default(),
        })
    }

    /// The architecture that the kernel was built for.
    pub fn arch(&self) -> Arch {
        self.main.arch()
    }

    /// The file that the user named.
    pub fn main(&self) -> &ElfFile {
        &self.main
    }

    /// The other half: the debug file if `main` is the kernel, or the kernel if `main` is the debug
    /// file.
    pub fn sibling(&self) -> Option<&ElfFile> {
        self.sibling.as_ref()
    }

    /// The half that has DWARF; `None` if neither has.
    pub fn debug_file(&self) -> Option<&ElfFile> {
        self.halves().find(|elf| elf.has_debug_info())
    }

    /// The half that has CTF and the symbols in the order of it; `None` if neither has CTF.
    pub fn ctf_file(&self) -> Option<&ElfFile> {
        let with_ctf = || self.halves().filter(|elf| elf.has_ctf());
        with_ctf().find(|elf| elf.has_symtab()).or_else(|| with_ctf().next())
    }

    /// The half that has the contents of .data and set_vnet; `None` for a debug file alone.
    pub fn contents(&self) -> Option<&ElfFile> {
        self.halves().find(|elf| !elf.is_debug_only())
    }

    /// The symbols: those of `main`, or of the other half if only that one has a .symtab.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The symbols of one of the halves.
    ///
    /// # Errors
    /// As [`Symbols::load`].
    pub fn symbols_of(&self, half: &ElfFile) -> Result<Arc<Symbols>, KernelError> {
        let whole = if self.symbols_of_sibling { self.sibling.as_ref() } else { Some(&self.main) };
        match whole.is_some_and(|whole| std::ptr::eq(whole, half)) {
            true => Ok(Arc::clone(&self.symbols)),
            false => Symbols::load(half).map(Arc::new),
        }
    }

    /// The symbol with that name, a global one before a local one.
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        self.symbols.by_name(name)
    }

    /// The symbol whose bytes contain `address`, and the offset from its start.
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.has(address).then(|| self.symbols.by_address(address))?
    }

    /// The same without absolute symbols.
    fn symbolize_place(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.has(address).then(|| self.symbols.place_by_address(address))?
    }

    /// Does a segment contain `address`?
    fn has(&self, address: VirtAddr) -> bool {
        self.extents.get_or_init(|| Extents::of(self.segments())).contain(address)
    }

    /// The range of a linker set, from `__start_set_vnet` to `__stop_set_vnet`; `None` in a kernel
    /// that has no such set.
    ///
    /// If the symbols are missing, the section header gives the range. If both exist, the
    /// symbols win, because the running kernel uses them (VNET_START and VNET_STOP,
    /// `sys/net/vnet.h`; DPCPU_START and DPCPU_STOP, `sys/sys/pcpu.h`).
    pub fn linker_set(&self, set: LinkerSet) -> Option<Range<VirtAddr>> {
        self.linker_sets[set as usize].get_or_init(|| self.find_linker_set(set)).clone()
    }

    fn find_linker_set(&self, set: LinkerSet) -> Option<Range<VirtAddr>> {
        let [start, stop] = set.bounds();
        let bound = |name| self.symbol(name).map(|symbol| symbol.address);
        let symbols = bound(start).zip(bound(stop));
        symbols
            .map(|(start, stop)| start..stop)
            .or_else(|| self.section_range(set.section()))
            .filter(|range| range.start < range.end)
    }

    /// The linker set of the virtualized variables; `None` in a kernel without VIMAGE.
    pub fn set_vnet(&self) -> Option<Range<VirtAddr>> {
        self.linker_set(LinkerSet::Vnet)
    }

    /// The symbols of the variables in a linker set, global and local.
    pub fn set_symbols(&self, set: LinkerSet) -> impl Iterator<Item = Symbol<'_>> {
        let range = self.linker_set(set);
        range.into_iter().flat_map(move |range| self.symbols.in_set(set, range))
    }

    /// The segments that the boot loader puts into memory.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.contents().unwrap_or(&self.main).segments()
    }

    /// The sections that are in memory, each with its name and its addresses.
    pub fn sections_in_memory(&self) -> impl Iterator<Item = (&str, Range<VirtAddr>)> {
        let loaded = self.main.sections().filter(|section| section.is_loaded());
        loaded.map(|section| (section.name, section.range()))
    }

    /// The addresses that the section with that name occupies.
    pub fn section_range(&self, name: &str) -> Option<Range<VirtAddr>> {
        Some(self.main.section(name)?.range())
    }

    /// The bytes that memory would hold at `address` if the kernel ran at its link
    /// address, after its self-relocation and before anything else. `None` if no file has
    /// the bytes; missing files are never replaced with zeros.
    pub fn initial_bytes(&self, address: VirtAddr, len: u64) -> Option<Cow<'_, [u8]>> {
        self.relocated_bytes(address, len, 0)
    }

    /// The same for a kernel that runs `slide` bytes further on.
    fn relocated_bytes(&self, address: VirtAddr, len: u64, slide: u64) -> Option<Cow<'_, [u8]>> {
        let elf = self.contents()?;
        let bytes = elf.initial_bytes(address, len)?;
        let relocations = self.relocations.get_or_init(|| Relocations::of(elf));
        Some(relocations.apply(address, bytes, slide))
    }

    /// Does it have any of the symbols that every FreeBSD kernel has, even a stripped
    /// one?
    pub fn has_kernel_symbols(&self) -> bool {
        ["version", "ostype", "osrelease"].iter().any(|name| self.symbol(name).is_some())
    }

    /// The text of `version[]`: `FreeBSD 12.1-RELEASE …`.
    pub fn version(&self) -> Option<String> {
        let symbol = self.symbol("version")?;
        let bytes = self.initial_bytes(symbol.address, symbol.size.min(MAX_VERSION))?;
        let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// The address of the build-id in memory, and its bytes.
    pub fn build_id_in_memory(&self) -> Option<(VirtAddr, &[u8])> {
        self.main.build_id_in_memory()
    }

    /// The GNU build-id.
    pub fn build_id(&self) -> Option<&[u8]> {
        self.main.build_id()
    }

    fn halves(&self) -> impl Iterator<Item = &ElfFile> {
        std::iter::once(&self.main).chain(self.sibling.as_ref())
    }
}

/// `version` is a few hundred bytes long. No more is read.
const MAX_VERSION: u64 = 4096;
