//! The symbol table: by name, by address, and the virtualized variables in it.

use std::ops::Range;
use std::sync::OnceLock;

use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB};
use goblin::elf::sym::{STB_LOCAL, STT_FILE, STT_FUNC, STT_OBJECT, STT_SECTION, Sym};

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::kernel::KernelError;
use crate::kernel::elf::{ElfFile, Section, SectionBytes};
use crate::kernel::name_table::NameTable;
use crate::kernel::string_table::name_at;

/// Every virtualized variable is a symbol with this prefix (VNET_SYMPREFIX, sys/net/vnet.h).
pub const VNET_PREFIX: &str = "vnet_entry_";

/// The symbols of a kernel. The table is decoded when it is first asked.
#[derive(Debug)]
pub struct Symbols {
    table: SectionBytes,
    strings: SectionBytes,
    decode: Decode,
    /// Where the kernel's image begins.
    image: u64,
    entries: OnceLock<Vec<Entry>>,
    by_name: OnceLock<NameTable>,
    by_address: OnceLock<Vec<u32>>,
}

/// One symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    pub name: &'a str,
    pub address: VirtAddr,
    /// Bytes; 0 where the linker or an assembler did not say.
    pub size: u64,
    pub global: bool,
    /// A number, not a place (SHN_ABS): it stays what it is wherever the kernel runs.
    pub absolute: bool,
    pub kind: SymbolKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    Function,
    Object,
    Other,
}

/// One symbol, as the file has it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    address: u64,
    size: u64,
    name: u32,
    kind: SymbolKind,
    global: bool,
    /// A number, not a place (SHN_ABS).
    absolute: bool,
}

impl Symbols {
    /// Finds .symtab, or .dynsym where the file was stripped of it. Never both:
    /// the global variables of the set stand in both tables.
    ///
    /// # Errors
    /// The table lies outside of the file.
    pub fn load(elf: &ElfFile) -> Result<Self, KernelError> {
        let table = [SHT_SYMTAB, SHT_DYNSYM].into_iter().find_map(|wanted| {
            elf.sections().find(|s| s.header().sh_type == wanted && s.has_bytes())
        });
        let (table, strings) = match table {
            Some(table) => {
                let strings = elf.section_at(table.header().sh_link as usize);
                let strings = strings.ok_or_else(|| damaged("it names no string table"))?;
                (elf.section_bytes(table)?, elf.section_bytes(strings)?)
            }
            None => (SectionBytes::empty(), SectionBytes::empty()),
        };
        let size = Sym::size(elf.context().container);
        let image = elf.segments().map(|segment| segment.virt.get()).min();
        Ok(Self {
            table,
            strings,
            decode: Decode { size, endian: elf.arch().endian() },
            image: image.unwrap_or(0),
            entries: OnceLock::new(),
            by_name: OnceLock::new(),
            by_address: OnceLock::new(),
        })
    }

    /// No symbols at all.
    pub fn none() -> Self {
        Self::from_tables(&[], Vec::new(), Arch::Amd64, |value| value)
    }

    /// The symbols of a module, from the tables of it that the kernel keeps in
    /// memory; `address` makes an address of a symbol's value.
    ///
    /// Symbols that the module only imports (section 0) are left out.
    pub fn from_tables(
        table: &[u8],
        strings: Vec<u8>,
        arch: Arch,
        address: impl Fn(u64) -> u64,
    ) -> Self {
        let decode = Decode { size: entry_size(arch), endian: arch.endian() };
        let entries = table.chunks_exact(decode.size).filter_map(|bytes| {
            let entry = decode.entry(bytes)?;
            let address = if entry.absolute { entry.address } else { address(entry.address) };
            Some(Entry { address, ..entry })
        });
        let entries: Vec<Entry> = entries.collect();
        Self {
            table: SectionBytes::empty(),
            strings: SectionBytes::Unpacked(strings.into()),
            decode,
            image: entries.iter().map(|entry| entry.address).min().unwrap_or(0),
            entries: entries.into(),
            by_name: OnceLock::new(),
            by_address: OnceLock::new(),
        }
    }

    /// The symbols of a module's file; `place` makes an address of a symbol's section and
    /// value. Those of which it knows none are left out.
    ///
    /// # Errors
    /// As [`Symbols::load`].
    pub fn of_module(
        elf: &ElfFile,
        place: impl Fn(Section<'_>, u64) -> Option<u64>,
    ) -> Result<Self, KernelError> {
        let plain = Self::load(elf)?;
        let decode = &plain.decode;
        let entries = plain.table.chunks_exact(decode.size).filter_map(|bytes| {
            let entry = decode.entry(bytes)?;
            if entry.absolute {
                return Some(entry);
            }
            let section = elf.section_at(decode.section(bytes)?.into())?;
            Some(Entry { address: place(section, entry.address)?, ..entry })
        });
        let entries: Vec<Entry> = entries.collect();
        Ok(Self {
            image: entries.iter().map(|entry| entry.address).min().unwrap_or(0),
            entries: entries.into(),
            ..plain
        })
    }

    /// All symbols that have a name and an address.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.entries().iter().map(|entry| self.symbol(entry))
    }

    /// The symbols of virtualized variables in the linker set `set`, global and
    /// local, as the table lists them.
    pub fn vnet(&self, set: Range<VirtAddr>) -> impl Iterator<Item = Symbol<'_>> {
        let (start, stop) = (set.start.get(), set.end.get());
        let inside = self.entries().iter().filter(move |e| (start..stop).contains(&e.address));
        let symbols = inside.map(|entry| self.symbol(entry));
        symbols.filter(|symbol| symbol.name.starts_with(VNET_PREFIX))
    }

    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// All symbols of that name: static variables of several files may share one.
    pub fn named<'s>(&'s self, name: &str) -> impl Iterator<Item = Symbol<'s>> {
        let table = self.by_name.get_or_init(|| self.hash_names());
        let entries = table.candidates(name.as_bytes()).map(|at| &self.entries()[at as usize]);
        entries.map(|entry| self.symbol(entry)).filter(move |symbol| symbol.name == name)
    }

    /// The symbol of that name; a global one before a local one.
    pub fn by_name(&self, name: &str) -> Option<Symbol<'_>> {
        self.named(name)
            .reduce(|first, other| if other.global && !first.global { other } else { first })
    }

    /// The symbol of the kernel's image whose bytes hold `address`, and the
    /// distance from its start.
    ///
    /// A symbol without a size holds only the address it stands at.
    pub fn by_address(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.holding(address, |_| true)
    }

    /// The same among the symbols that are places, without absolute ones.
    pub(super) fn place_by_address(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.holding(address, |entry| !entry.absolute)
    }

    fn holding(
        &self,
        address: VirtAddr,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Option<(Symbol<'_>, u64)> {
        let order = self.by_address.get_or_init(|| self.sort_by_address());
        let entry = |at: &u32| &self.entries()[*at as usize];
        let address = address.get();
        let after = order.partition_point(|at| entry(at).address <= address);
        // A symbol may lie within another one (a label in assembly), so look
        // back a little for one that is long enough.
        order[..after].iter().rev().take(LOOK_BACK).map(entry).find_map(|entry| {
            let offset = address - entry.address;
            (offset < entry.size.max(1) && wanted(entry)).then(|| (self.symbol(entry), offset))
        })
    }

    /// The last symbol that is not behind `address`, whatever its size: assembler routines
    /// have labels without one.
    pub fn label(&self, address: VirtAddr) -> Option<Symbol<'_>> {
        let order = self.by_address.get_or_init(|| self.sort_by_address());
        let entry = |at: &u32| self.entries().get(*at as usize);
        let address = address.get();
        let after =
            order.partition_point(|at| entry(at).is_some_and(|entry| entry.address <= address));
        let last = order.get(..after)?.last().and_then(entry)?;
        let is_near = address.wrapping_sub(last.address) < LONGEST_ROUTINE;
        is_near.then(|| self.symbol(last))
    }

    /// Builds what the other functions search now, on this thread and those
    /// that have nothing to do.
    pub fn prepare(&self) {
        self.entries();
        rayon::join(
            || self.by_name.get_or_init(|| self.hash_names()),
            || self.by_address.get_or_init(|| self.sort_by_address()),
        );
    }

    fn entries(&self) -> &[Entry] {
        // One at a time through goblin's own iterator this would be the most
        // expensive step of a whole run.
        self.entries.get_or_init(|| {
            let entries = self.table.chunks_exact(self.decode.size);
            entries.filter_map(|bytes| self.decode.entry(bytes)).collect()
        })
    }

    fn hash_names(&self) -> NameTable {
        NameTable::build(self.entries().iter().map(|entry| self.name_bytes(entry)))
    }

    /// The places of the image's symbols in the order of their addresses.
    fn sort_by_address(&self) -> Vec<u32> {
        let wanted = |entry: &Entry| entry.kind != SymbolKind::Other || entry.global;
        let places = self.entries().iter().enumerate().filter(|(_, entry)| wanted(entry));
        let mut keys: Vec<u64> = places.filter_map(|(at, entry)| self.order(at, entry)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| (key & (MAX_SYMBOLS - 1)) as u32).collect()
    }

    /// What symbols are sorted by: one word, because tens of thousands are sorted in
    /// every run. Of several names for one address the last in this order is shown:
    /// one with a size before one without, a global before a local one.
    fn order(&self, at: usize, entry: &Entry) -> Option<u64> {
        let place = u64::try_from(at).ok().filter(|&at| at < MAX_SYMBOLS)?;
        let offset = entry.address.checked_sub(self.image).filter(|&offset| offset < MAX_IMAGE)?;
        let rank = u64::from(entry.size != 0) << 1 | u64::from(entry.global);
        Some((offset << 2 | rank) * MAX_SYMBOLS + place)
    }

    fn symbol(&self, entry: &Entry) -> Symbol<'_> {
        Symbol {
            name: std::str::from_utf8(self.name_bytes(entry)).unwrap_or_default(),
            address: VirtAddr::new(entry.address),
            size: entry.size,
            global: entry.global,
            absolute: entry.absolute,
            kind: entry.kind,
        }
    }

    fn name_bytes(&self, entry: &Entry) -> &[u8] {
        name_at(&self.strings, entry.name as usize)
    }
}

/// No assembler routine is longer, in bytes.
const LONGEST_ROUTINE: u64 = 4096;

/// How many symbols before an address are looked at for one that holds it.
const LOOK_BACK: usize = 8;

/// A kernel has a hundred thousand symbols at most, in some 30 MB; what lies
/// beyond these bounds is not found by its address. Together they fill a word.
const MAX_SYMBOLS: u64 = 1 << 24;
const MAX_IMAGE: u64 = 1 << 38;

/// Size of an Elf64_Sym.
const SIZE_64: usize = 24;
/// Size of an Elf32_Sym.
const SIZE_32: usize = 16;

/// Bytes of an entry of a symbol table.
pub fn entry_size(arch: Arch) -> usize {
    if arch.pointer_size() == 8 { SIZE_64 } else { SIZE_32 }
}

/// How the symbols of a file are laid out.
#[derive(Debug)]
struct Decode {
    /// Bytes of one symbol.
    size: usize,
    endian: Endian,
}

impl Decode {
    /// The number of the section that a symbol is in.
    fn section(&self, bytes: &[u8]) -> Option<u16> {
        Fields::new(bytes, self.endian).u16(if self.size == SIZE_64 { 6 } else { 14 })
    }

    /// The symbol in one Elf32_Sym or Elf64_Sym; `None` where it has no name,
    /// no address, or is about a file or section.
    fn entry(&self, bytes: &[u8]) -> Option<Entry> {
        let fields = Fields::new(bytes, self.endian);
        let (name, section) = (fields.u32(0)?, self.section(bytes)?);
        let info = fields.u8(if self.size == SIZE_64 { 4 } else { 12 })?;
        let (kind, bind) = (info & 0xf, info >> 4);
        if name == 0 || u32::from(section) == SHN_UNDEF || matches!(kind, STT_FILE | STT_SECTION) {
            return None;
        }
        let (address, size) = match self.size == SIZE_64 {
            true => (fields.u64(8)?, fields.u64(16)?),
            false => (fields.u32(4)?.into(), fields.u32(8)?.into()),
        };
        let kind = match kind {
            STT_FUNC => SymbolKind::Function,
            STT_OBJECT => SymbolKind::Object,
            _ => SymbolKind::Other,
        };
        let absolute = u32::from(section) == SHN_ABS;
        Some(Entry { address, size, name, kind, global: bind != STB_LOCAL, absolute })
    }
}

fn damaged(why: impl ToString) -> KernelError {
    KernelError::Damaged { part: "symbol table", why: why.to_string() }
}
