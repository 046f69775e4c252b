//! The DWARF sections of one file, and how strings and addresses are found in
//! them. gimli decodes the bytes; this file provides them.

use std::ops::Range;

use gimli::{
    AttributeSpecification, AttributeValue, DebugAbbrev, DebugAbbrevOffset, DwAt, DwForm,
    EndianSlice, Reader, RunTimeEndian,
};
use memchr::memmem::Finder;
use rayon::prelude::*;

use crate::kernel::{ElfFile, KernelError, SectionBytes, relocate};
use crate::types::TypeError;

/// Returns the load address of a section of a relocatable module, by its name; `None` if it is
/// not loaded.
pub type SectionAddress<'a> = &'a (dyn Fn(&str) -> Option<u64> + Sync);

/// A part of a section, in gimli's terms.
pub type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// The sections that types and variables are read from.
#[derive(Debug)]
pub struct Sections {
    pub endian: RunTimeEndian,
    pub(super) info: SectionBytes,
    pub(super) types: SectionBytes,
    pub(super) abbrev: SectionBytes,
    pub(super) strings: SectionBytes,
    pub(super) line_strings: SectionBytes,
    pub(super) string_offsets: SectionBytes,
    pub(super) addresses: SectionBytes,
}

/// The two sections that hold units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitSection {
    /// `.debug_info`
    Info,
    /// `.debug_types`: the type units of DWARF 4
    Types,
}

impl UnitSection {
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => ".debug_info",
            Self::Types => ".debug_types",
        }
    }
}

/// Where a unit's tables for indexed forms (strx, addrx) begin.
#[derive(Debug, Clone, Copy)]
pub struct Bases {
    pub string_offsets: u64,
    pub addresses: u64,
    /// Size of an entry of .debug_str_offsets.
    pub format_word: u8,
    pub address_size: u8,
}

impl Sections {
    /// Finds the sections in `elf`. Compressed ones are unpacked in parallel,
    /// because that costs more than everything that follows. Those of a relocatable file
    /// are relocated by the addresses that `placed` returns.
    ///
    /// # Errors
    /// There is no .debug_info, or a section is damaged.
    pub fn load(elf: &ElfFile, placed: SectionAddress<'_>) -> Result<Self, TypeError> {
        if !elf.has_debug_info() {
            return Err(TypeError::NoDebugInfo);
        }
        const NAMES: [&str; 7] = [
            ".debug_info",
            ".debug_types",
            ".debug_abbrev",
            ".debug_str",
            ".debug_line_str",
            ".debug_str_offsets",
            ".debug_addr",
        ];
        let loaded: Result<Vec<_>, _> =
            NAMES.par_iter().map(|name| load(elf, name, placed)).collect();
        let mut loaded = loaded?.into_iter();
        let mut next = || loaded.next().unwrap_or_else(SectionBytes::empty);
        Ok(Self {
            endian: elf.arch().endian().into(),
            info: next(),
            types: next(),
            abbrev: next(),
            strings: next(),
            line_strings: next(),
            string_offsets: next(),
            addresses: next(),
        })
    }

    /// The bytes of a section that holds units.
    pub fn units(&self, section: UnitSection) -> &[u8] {
        match section {
            UnitSection::Info => &self.info,
            UnitSection::Types => &self.types,
        }
    }

    /// The bytes of .debug_addr: the addresses that DW_FORM_addrx and DW_OP_addrx index.
    pub fn addresses(&self) -> &[u8] {
        &self.addresses
    }

    pub fn slice<'a>(&self, bytes: &'a [u8]) -> Slice<'a> {
        EndianSlice::new(bytes, self.endian)
    }

    /// The abbreviations in a range of .debug_abbrev.
    ///
    /// # Errors
    /// They are damaged.
    pub fn abbreviations(&self, range: &Range<u64>) -> Result<gimli::Abbreviations, gimli::Error> {
        let mut input = self.table(range)?;
        // gimli reports any other damage.
        while let Ok(Some((code, specifications))) = next_abbreviation(&mut input) {
            if specifications.len() > MOST_ATTRIBUTES {
                return Err(gimli::Error::InvalidAbbreviationCode(code));
            }
        }
        DebugAbbrev::from(self.table(range)?).abbreviations(DebugAbbrevOffset(0))
    }

    /// The attributes of an abbreviation near the start of a table, without reading the
    /// later ones: the root's is first in every table. `None` if it is not near the start.
    ///
    /// # Errors
    /// The table is damaged.
    pub fn early_abbreviation(
        &self,
        range: &Range<u64>,
        wanted: u64,
    ) -> Result<Option<Vec<AttributeSpecification>>, gimli::Error> {
        const NEAR: usize = 512;
        let table = self.table(range)?.slice();
        let mut input = self.slice(table.get(..NEAR).unwrap_or(table));
        while let Ok(Some((code, specifications))) = next_abbreviation(&mut input) {
            if code == wanted {
                return Ok(Some(specifications));
            }
        }
        Ok(None)
    }

    fn table(&self, range: &Range<u64>) -> Result<Slice<'_>, gimli::Error> {
        let outside = gimli::Error::OffsetOutOfBounds(range.start);
        let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end))
        else {
            return Err(outside);
        };
        let end = end.min(self.abbrev.len());
        Ok(self.slice(self.abbrev.get(start..end).ok_or(outside)?))
    }

    /// The text of a string attribute, in whichever section its form puts it; `None` if it
    /// is not a string, or lies outside its section. Thousands of entries may name
    /// one string, so a very long one is cut after [`LONGEST_TEXT`] bytes.
    pub fn string<'a>(
        &'a self,
        value: &AttributeValue<Slice<'a>>,
        bases: &Bases,
    ) -> Option<&'a str> {
        let bytes = match *value {
            AttributeValue::String(text) => return str_of(text.slice()),
            AttributeValue::DebugStrRef(at) => self.strings.get(at.0..)?,
            AttributeValue::DebugLineStrRef(at) => self.line_strings.get(at.0..)?,
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let word = u64::from(bases.format_word);
                let place =
                    bases.string_offsets.checked_add((index.0 as u64).checked_mul(word)?)?;
                let bytes = self.string_offsets.get(usize::try_from(place).ok()?..)?;
                let at = self.slice(bytes).read_uint(word as usize).ok()?;
                self.strings.get(usize::try_from(at).ok()?..)?
            }
            _ => return None,
        };
        let near = &bytes[..bytes.len().min(LONGEST_TEXT + 1)];
        match memchr::memchr(0, near) {
            Some(end) => str_of(&near[..end]),
            None if near.len() > LONGEST_TEXT => str_of(near),
            None => None,
        }
    }

    /// Does this text occur in any section that holds names?
    pub fn mentions(&self, name: &str) -> bool {
        let mut text = name.as_bytes().to_vec();
        text.push(0);
        let finder = Finder::new(&text);
        let sections = [&self.strings, &self.info, &self.types];
        sections.into_iter().any(|section| finder.find(section).is_some())
    }

    /// The address with this index in the unit's part of .debug_addr.
    pub fn indexed_address(&self, index: u64, bases: &Bases) -> Option<u64> {
        let size = u64::from(bases.address_size);
        let place = bases.addresses.checked_add(index.checked_mul(size)?)?;
        let mut bytes = self.slice(self.addresses.get(usize::try_from(place).ok()?..)?);
        bytes.read_address(bases.address_size).ok()
    }
}

/// The most attributes of one entry. Real ones have a tenth. In a damaged file, attributes
/// that occupy no bytes would be read for every entry.
const MOST_ATTRIBUTES: usize = 256;

/// The code and the attributes of the abbreviation that begins here; `None` at the end.
fn next_abbreviation(
    input: &mut Slice<'_>,
) -> Result<Option<(u64, Vec<AttributeSpecification>)>, gimli::Error> {
    let code = input.read_uleb128()?;
    if code == 0 {
        return Ok(None);
    }
    let _tag = input.read_uleb128()?;
    let _has_children = input.read_u8()?;
    let mut specifications = Vec::new();
    loop {
        let name = DwAt(input.read_uleb128_u16()?);
        let form = DwForm(input.read_uleb128_u16()?);
        if name.0 == 0 && form.0 == 0 {
            return Ok(Some((code, specifications)));
        }
        let implicit = form == gimli::DW_FORM_implicit_const;
        let value = implicit.then(|| input.read_sleb128()).transpose()?;
        specifications.push(AttributeSpecification::new(name, form, value));
    }
}

/// The length of the longest name or path, in bytes. No identifier is a quarter of that.
const LONGEST_TEXT: usize = 4096;

/// The text up to the longest length.
fn str_of(bytes: &[u8]) -> Option<&str> {
    if bytes.len() <= LONGEST_TEXT {
        return std::str::from_utf8(bytes).ok();
    }
    let cut = bytes.get(..LONGEST_TEXT)?;
    match std::str::from_utf8(cut) {
        Ok(text) => Some(text),
        // The cut may be within a character.
        Err(why) => std::str::from_utf8(cut.get(..why.valid_up_to())?).ok(),
    }
}

/// A section of a debug file, relocated if the file is an object; empty if it has none.
///
/// # Errors
/// It cannot be unpacked or relocated.
pub fn load(
    elf: &ElfFile,
    name: &str,
    placed: SectionAddress<'_>,
) -> Result<SectionBytes, TypeError> {
    let unreadable = |why: KernelError| TypeError::Unreadable { why: why.to_string() };
    match elf.section(name) {
        Some(section) if section.has_bytes() && elf.is_relocatable() => {
            relocate::relocated(elf, section, placed).map_err(unreadable)
        }
        Some(section) if section.has_bytes() => elf.section_bytes(section).map_err(unreadable),
        _ => Ok(SectionBytes::empty()),
    }
}

/// The error for damage at an offset of `section`.
pub fn damaged(section: UnitSection, offset: u64, why: impl ToString) -> TypeError {
    TypeError::Damaged { section: section.name(), offset, why: why.to_string() }
}

impl Bases {
    /// Without DW_AT_str_offsets_base and DW_AT_addr_base, the tables begin
    /// after the first contribution's header.
    pub fn unset(encoding: gimli::Encoding) -> Self {
        let (header, format_word) = match encoding.format {
            gimli::Format::Dwarf32 => (8, 4),
            gimli::Format::Dwarf64 => (16, 8),
        };
        Self {
            string_offsets: header,
            addresses: header,
            format_word,
            address_size: encoding.address_size,
        }
    }
}
