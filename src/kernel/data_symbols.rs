//! The symbols of variables in the order of the file's .symtab, which is how CTF speaks of
//! them.

use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SHT_SYMTAB};
use goblin::elf::sym::{STB_LOCAL, STT_OBJECT};

use crate::bytes::Fields;
use crate::kernel::elf::{ElfFile, SectionBytes};
use crate::kernel::string_table::name_at;
use crate::kernel::{KernelError, symbols};

/// The symbols that CTF has a type for, one after the other.
#[derive(Debug)]
pub struct DataSymbols {
    symbols: Vec<DataSymbol>,
    strings: SectionBytes,
}

/// The symbol of a variable, in the file's terms.
#[derive(Debug, Clone, Copy)]
pub struct DataSymbol {
    /// Its address; in a relocatable file, its offset in its section.
    pub value: u64,
    /// Bytes.
    pub size: u64,
    /// The number of its section.
    section: u32,
    name: u32,
    /// Is it visible to other files?
    pub global: bool,
}

impl DataSymbols {
    /// The symbols of .symtab that are STT_OBJECT, have a name, are defined, are not
    /// absolute with value 0, and are not named `_START_` or `_END_`. That is the rule of
    /// ctfconvert and ctfmerge (`ignore_symbol`, cddl/contrib/opensolaris/tools/ctf/cvt/ctf.c,
    /// FreeBSD 12.1 and 14.0). Empty without a .symtab.
    ///
    /// # Errors
    /// The table lies outside the file, or cannot be unpacked.
    pub fn of(elf: &ElfFile) -> Result<Self, KernelError> {
        let is_table = |wanted: u32| elf.sections().find(|s| s.header().sh_type == wanted);
        let table = is_table(SHT_SYMTAB).filter(|table| table.has_bytes());
        let strings = table.and_then(|table| elf.section_at(table.header().sh_link as usize));
        let (Some(table), Some(strings)) = (table, strings) else {
            return Ok(Self { symbols: Vec::new(), strings: SectionBytes::empty() });
        };
        let (table, strings) = (elf.section_bytes(table)?, elf.section_bytes(strings)?);
        let size = symbols::entry_size(elf.arch());
        let wide = elf.arch().pointer_size() == 8;
        let endian = elf.arch().endian();
        let entries = table.chunks_exact(size).filter_map(|bytes| {
            let info = *bytes.get(if wide { 4 } else { 12 })?;
            if info & 0xf != STT_OBJECT {
                return None;
            }
            let fields = Fields::new(bytes, endian);
            let name = fields.u32(0).filter(|name| *name != 0)?;
            let section = u32::from(fields.u16(if wide { 6 } else { 14 })?);
            let (value, size) = match wide {
                true => (fields.u64(8)?, fields.u64(16)?),
                false => (fields.u32(4)?.into(), fields.u32(8)?.into()),
            };
            let nothing = section == SHN_UNDEF || section == SHN_ABS && value == 0;
            let bound = [&b"_START_"[..], b"_END_"].contains(&name_at(&strings, name as usize));
            let global = info >> 4 != STB_LOCAL;
            (!nothing && !bound).then_some(DataSymbol { value, size, section, name, global })
        });
        Ok(Self { symbols: entries.collect(), strings })
    }

    /// The symbols, in the order of the table.
    pub fn all(&self) -> &[DataSymbol] {
        &self.symbols
    }

    /// The name of one of them.
    pub fn name(&self, symbol: &DataSymbol) -> &[u8] {
        name_at(&self.strings, symbol.name as usize)
    }

    /// The name of the section that one of them is in, in `elf`, from which they were read; `None`
    /// for an absolute symbol.
    pub fn section<'e>(&self, symbol: &DataSymbol, elf: &'e ElfFile) -> Option<&'e str> {
        elf.section_at(symbol.section as usize).map(|section| section.name)
    }
}
