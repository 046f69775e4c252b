//! The symbol table: by name, by address, and the virtualized variables in it.

use std::ops::Range;
use std::sync::OnceLock;

use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB};
use goblin::elf::sym::{STB_LOCAL, STT_FILE, STT_FUNC, STT_OBJECT, STT_SECTION, Sym};

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::kernel::elf::{ElfFile, Section, SectionBytes};
use crate::kernel::name_table::NameTable;
use crate::kernel::string_table::name_at;
use crate::kernel::{KernelError, LinkerSet};

/// The symbols of a kernel or module. The table is decoded at the first question.
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
    /// Its name, with `vnet_entry_` for a virtualized variable.
    pub name: &'a str,
    /// Its address: the link address in a `Kernel`, the memory address in a `RunningKernel` or
    /// module.
    pub address: VirtAddr,
    /// Its size in bytes; 0 if the linker or assembler did not record one.
    pub size: u64,
    /// Is it visible to other files? Static variables and functions are not.
    pub global: bool,
    /// Is it a number rather than an address (SHN_ABS)? Then it does not move with the kernel.
    pub absolute: bool,
    /// What it names.
    pub kind: SymbolKind,
}

/// The symbol of a variable, without its name: whoever looks at all of them needs few names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSymbol {
    /// Its place among all symbols.
    pub place: usize,
    /// Its address.
    pub address: VirtAddr,
    /// Its size in bytes.
    pub size: u64,
    /// Is it visible to other files?
    pub global: bool,
}

/// The kind of thing that a symbol names (its STT_ type).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    /// A function.
    Function,
    /// A variable.
    Object,
    /// Anything else, such as a label in assembly code.
    Other,
}

/// One symbol in the file's terms.
#[derive(Debug, Clone, Copy)]
struct Entry {
    address: u64,
    size: u64,
    name: u32,
    kind: SymbolKind,
    global: bool,
    /// A number rather than an address (SHN_ABS).
    absolute: bool,
}

impl Symbols {
    /// Uses .symtab, or .dynsym if the file was stripped of .symtab. Never both, because
    /// the global variables of the set are in both tables.
    ///
    /// # Errors
    /// The table lies outside the file.
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

    /// The symbols of a module, from the copies of its tables that the kernel keeps in
    /// memory. `address` turns a symbol's value into an address.
    ///
    /// Symbols that the module only imports (section 0) are omitted.
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

    /// The symbols of a module's file. `place` turns a symbol's section and value into an
    /// address; if it returns `None`, the symbol is omitted.
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
        let placed = entries.iter().filter(|entry| !entry.absolute);
        Ok(Self {
            image: placed.map(|entry| entry.address).min().unwrap_or(0),
            entries: entries.into(),
            ..plain
        })
    }

    /// All symbols that have a name and an address.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.entries().iter().map(|entry| self.symbol(entry))
    }

    /// The symbols of the variables of a linker set that lie in `range`, global and
    /// local, in the order of the table.
    pub fn in_set(
        &self,
        set: LinkerSet,
        range: Range<VirtAddr>,
    ) -> impl Iterator<Item = Symbol<'_>> {
        let (start, stop) = (range.start.get(), range.end.get());
        let inside = self.entries().iter().filter(move |e| (start..stop).contains(&e.address));
        let symbols = inside.map(|entry| self.symbol(entry));
        symbols.filter(move |symbol| symbol.name.starts_with(set.prefix()))
    }

    /// The symbols of variables, in the order of the table: those that CTF has a type for.
    ///
    /// They are STT_OBJECT, not absolute with value 0, and not named `_START_` or `_END_`
    /// (`ignore_symbol`, cddl/contrib/opensolaris/tools/ctf/cvt/symbol.c, FreeBSD 12.1 and 14.0).
    pub fn data(&self) -> impl Iterator<Item = DataSymbol> {
        let objects = self.entries().iter().enumerate();
        let objects = objects.filter(|(_, entry)| entry.kind == SymbolKind::Object);
        let wanted = objects.filter(|(_, entry)| {
            let may_be_bound = self.strings.get(entry.name as usize) == Some(&b'_');
            let is_bound = || [&b"_START_"[..], b"_END_"].contains(&self.name_bytes(entry));
            let is_nothing = entry.absolute && entry.address == 0;
            !(is_nothing || may_be_bound && is_bound())
        });
        wanted.map(|(place, entry)| DataSymbol {
            place,
            address: VirtAddr::new(entry.address),
            size: entry.size,
            global: entry.global,
        })
    }

    /// The symbol at a place among all.
    pub fn get(&self, place: usize) -> Option<Symbol<'_>> {
        self.entries().get(place).map(|entry| self.symbol(entry))
    }

    /// The symbols with exactly this address, each with its place among all symbols.
    pub fn at(&self, address: VirtAddr) -> impl Iterator<Item = (usize, Symbol<'_>)> {
        let order = self.by_address.get_or_init(|| self.sort_by_address());
        let found = |at: &u32| Some((*at as usize, self.entries().get(*at as usize)?));
        let address = address.get();
        let first =
            order.partition_point(|at| found(at).is_some_and(|(_, entry)| entry.address < address));
        let same = order.get(first..).unwrap_or_default().iter().filter_map(found);
        same.take_while(move |(_, entry)| entry.address == address)
            .map(|(place, entry)| (place, self.symbol(entry)))
    }

    /// The number of symbols.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Are there no symbols?
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// All symbols with that name. Static variables of several files may share one.
    pub fn named<'s>(&'s self, name: &str) -> impl Iterator<Item = Symbol<'s>> {
        let table = self.by_name.get_or_init(|| self.hash_names());
        let entries = table.candidates(name.as_bytes()).map(|at| &self.entries()[at as usize]);
        entries.map(|entry| self.symbol(entry)).filter(move |symbol| symbol.name == name)
    }

    /// The symbol with that name; a global one before a local one.
    pub fn by_name(&self, name: &str) -> Option<Symbol<'_>> {
        self.named(name)
            .reduce(|first, other| if other.global && !first.global { other } else { first })
    }

    /// The symbol of the kernel's image whose bytes contain `address`, and the
    /// offset from its start.
    ///
    /// A symbol without a size contains only its own address.
    /// A symbol without a size holds only the address it stands at.
    pub fn by_address(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.holding(address, |_| true)
    }

    /// The same without absolute symbols.
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
        // A symbol may lie within another one (a label in assembly code), so look
        // back a little for one that is long enough.
        order[..after].iter().rev().take(LOOK_BACK).map(entry).find_map(|entry| {
            let offset = address - entry.address;
            (offset < entry.size.max(1) && wanted(entry)).then(|| (self.symbol(entry), offset))
        })
    }

    /// The last symbol at or before `address`, whatever its size. Labels in assembly code
    /// have no size.
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

    /// Builds the tables for the other functions now, on this thread and idle
    /// ones.
    pub fn prepare(&self) {
        self.entries();
        rayon::join(
            || self.by_name.get_or_init(|| self.hash_names()),
            || self.by_address.get_or_init(|| self.sort_by_address()),
        );
    }

    fn entries(&self) -> &[Entry] {
        // goblin's own iterator, one symbol at a time, would be the most
        // expensive step of a whole run.
        self.entries.get_or_init(|| {
            let entries = self.table.chunks_exact(self.decode.size);
            entries.filter_map(|bytes| self.decode.entry(bytes)).collect()
        })
    }

    fn hash_names(&self) -> NameTable {
        NameTable::build(self.entries().iter().map(|entry| self.name_bytes(entry)))
    }

    /// The indices of the image's symbols in the order of their addresses.
    fn sort_by_address(&self) -> Vec<u32> {
        let wanted = |entry: &Entry| entry.kind != SymbolKind::Other || entry.global;
        let places = self.entries().iter().enumerate().filter(|(_, entry)| wanted(entry));
        let mut keys: Vec<u64> = places.filter_map(|(at, entry)| self.order(at, entry)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| (key & (MAX_SYMBOLS - 1)) as u32).collect()
    }

    /// The sort key of symbols: one word, because every run sorts tens of thousands.
    /// Of several names for one address, the last in this order is shown:
    /// one with a size after one without, a global after a local one.
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

/// No assembly routine is longer, in bytes.
pub(crate) const LONGEST_ROUTINE: u64 = 4096;

/// How many symbols before an address are checked for one that contains it.
const LOOK_BACK: usize = 8;

/// A kernel has at most a hundred thousand symbols in some 30 MB. Symbols
/// beyond these bounds are not found by address. Both together fill a word.
const MAX_SYMBOLS: u64 = 1 << 24;
const MAX_IMAGE: u64 = 1 << 38;

/// Size of an Elf64_Sym.
const SIZE_64: usize = 24;
/// Size of an Elf32_Sym.
const SIZE_32: usize = 16;

/// The size of a symbol table entry, in bytes.
pub fn entry_size(arch: Arch) -> usize {
    if arch.pointer_size() == 8 { SIZE_64 } else { SIZE_32 }
}

/// The layout of a file's symbols.
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

    /// The symbol in an Elf32_Sym or Elf64_Sym; `None` if it has no name or
    /// no address, or describes a file or section.
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
