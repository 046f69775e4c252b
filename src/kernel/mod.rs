//! What the kernel file says: sections, symbols, initial values, and where its
//! debug information is.
//!
//! FreeBSD installs a kernel in two files: `/boot/kernel/kernel`, stripped of
//! debug information, and `kernel.debug`, which has symbols and DWARF but no
//! contents (its .data and set_vnet are NOBITS). [`Kernel`] joins the two, in
//! whichever order they are given. It knows nothing of any dump.
//!
//! All addresses of a [`Kernel`] are those at which it is linked. A [`RunningKernel`]
//! is a kernel at the addresses where some machine has it.

mod compressed;
pub mod debug_file;
pub mod elf;
mod error;
mod extents;
mod name_table;
pub mod relocate;
mod relocations;
mod running;
mod string_table;
pub mod symbols;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::source::Source;

use extents::Extents;
use relocations::Relocations;

pub use elf::{ElfFile, SectionBytes, Segment};
pub use error::{KernelError, NotAKernel};
pub use running::RunningKernel;
pub use symbols::{Symbol, SymbolKind, Symbols, VNET_PREFIX};

/// A kernel as it is linked: the file that was named and, where there is one, its
/// other half.
#[derive(Debug)]
pub struct Kernel {
    main: ElfFile,
    sibling: Option<ElfFile>,
    symbols: Symbols,
    relocations: OnceLock<Relocations>,
    extents: OnceLock<Extents>,
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

    /// The same, of files that are parsed already.
    ///
    /// # Errors
    /// See [`Symbols::load`].
    pub fn join(main: ElfFile, sibling: Option<ElfFile>) -> Result<Self, KernelError> {
        let has_symtab = |elf: &ElfFile| elf.section(".symtab").is_some_and(|s| s.has_bytes());
        let symbols = match &sibling {
            Some(sibling) if !has_symtab(&main) && has_symtab(sibling) => Symbols::load(sibling)?,
            _ => Symbols::load(&main)?,
        };
        let (relocations, extents) = (OnceLock::new(), OnceLock::new());
        Ok(Self { main, sibling, symbols, relocations, extents })
    }

    pub fn arch(&self) -> Arch {
        self.main.arch()
    }

    /// The file that was named.
    pub fn main(&self) -> &ElfFile {
        &self.main
    }

    /// The debug file of the kernel that was named, or the kernel of the debug file.
    pub fn sibling(&self) -> Option<&ElfFile> {
        self.sibling.as_ref()
    }

    /// The half that has DWARF.
    pub fn debug_file(&self) -> Option<&ElfFile> {
        self.halves().find(|elf| elf.has_debug_info())
    }

    /// The half that has the contents of .data and set_vnet.
    pub fn contents(&self) -> Option<&ElfFile> {
        self.halves().find(|elf| !elf.is_debug_only())
    }

    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The symbol of that name.
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        self.symbols.by_name(name)
    }

    /// The symbol whose bytes hold `address`, and the distance from its start.
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.has(address).then(|| self.symbols.by_address(address))?
    }

    /// The same among the symbols that are places, without absolute ones.
    fn symbolize_place(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.has(address).then(|| self.symbols.place_by_address(address))?
    }

    /// Does one of the segments hold `address`?
    fn has(&self, address: VirtAddr) -> bool {
        self.extents.get_or_init(|| Extents::of(self.segments())).contain(address)
    }

    /// The linker set of the virtualized variables, from `__start_set_vnet` up
    /// to `__stop_set_vnet`; `None` in a kernel without VIMAGE.
    ///
    /// The section header says the same; where both are there the symbols win,
    /// because they are what the running kernel uses (VNET_START and VNET_STOP,
    /// sys/net/vnet.h).
    pub fn set_vnet(&self) -> Option<Range<VirtAddr>> {
        let bound = |name| self.symbol(name).map(|symbol| symbol.address);
        let symbols = bound("__start_set_vnet").zip(bound("__stop_set_vnet"));
        symbols
            .map(|(start, stop)| start..stop)
            .or_else(|| self.section_range("set_vnet"))
            .filter(|range| range.start < range.end)
    }

    /// The symbols of virtualized variables, global and local.
    pub fn vnet_symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.set_vnet().into_iter().flat_map(|set| self.symbols.vnet(set))
    }

    /// The segments that the boot loader puts into memory.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.contents().unwrap_or(&self.main).segments()
    }

    /// The addresses that the section of that name takes up.
    pub fn section_range(&self, name: &str) -> Option<Range<VirtAddr>> {
        Some(self.main.section(name)?.range())
    }

    /// The bytes that memory would hold at `address` if the kernel ran where it is
    /// linked, before it has run, its own relocation done; `None` where no file has
    /// them, never zeros for lack of a file.
    pub fn initial_bytes(&self, address: VirtAddr, len: u64) -> Option<Cow<'_, [u8]>> {
        self.relocated_bytes(address, len, 0)
    }

    /// The same where the kernel runs `slide` bytes further on.
    fn relocated_bytes(&self, address: VirtAddr, len: u64, slide: u64) -> Option<Cow<'_, [u8]>> {
        let elf = self.contents()?;
        let bytes = elf.initial_bytes(address, len)?;
        let relocations = self.relocations.get_or_init(|| Relocations::of(elf));
        Some(relocations.apply(address, bytes, slide))
    }

    /// Has it any of the symbols that every FreeBSD kernel has, even one that is stripped
    /// of all else?
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

    /// The build-id's place where a loader puts it, and its bytes.
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

/// `version` is a few hundred bytes long; more is not read.
const MAX_VERSION: u64 = 4096;
