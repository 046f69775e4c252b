//! The chain of units in .debug_info and .debug_types.
//!
//! A kernel has one or two thousand units. Their headers are all read at once, which
//! takes a millisecond. The rest of a unit (its root entry, its
//! abbreviations) is read when something asks for it.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use gimli::{
    Abbreviations, AttributeSpecification, AttributeValue, DebugInfo, DebugTypes,
    DebuggingInformationEntry, Encoding, EntriesRaw, Reader, UnitHeader, UnitOffset, UnitType,
};
use rustc_hash::FxHashMap;

use crate::types::TypeError;
use crate::types::dwarf::sections::{Bases, Sections, Slice, UnitSection, damaged};

/// One entry of the tree, with its attributes.
pub type Die<'a> = DebuggingInformationEntry<Slice<'a>>;

/// All units of one file, in the order of the sections.
#[derive(Debug)]
pub struct Units {
    units: Vec<Unit>,
    /// Type units by their signature.
    signatures: OnceLock<FxHashMap<u64, usize>>,
    /// The damage that ended the chain of headers before the end of the section.
    pub damage: Option<TypeError>,
}

/// A unit, by its header.
#[derive(Debug)]
pub struct Unit {
    pub section: UnitSection,
    /// The offset of its header in the section.
    pub offset: u64,
    /// The offset of the next unit in the section.
    pub end: u64,
    header_size: u64,
    pub encoding: Encoding,
    table: Arc<Table>,
    /// Signature and place (from the unit's start) of the type in a type unit.
    pub signature: Option<(u64, u64)>,
    root: OnceLock<Result<Root, TypeError>>,
}

/// An abbreviation table. Units may share it.
#[derive(Debug)]
struct Table {
    /// Its range, up to the start of the next table. If overlapping tables were read,
    /// each unit would read the same bytes again.
    range: Range<u64>,
    read: OnceLock<Result<Abbreviations, gimli::Error>>,
}

impl Table {
    fn new(range: Range<u64>) -> Arc<Self> {
        Arc::new(Self { range, read: OnceLock::new() })
    }

    fn read(&self, sections: &Sections) -> Result<&Abbreviations, gimli::Error> {
        self.read.get_or_init(|| sections.abbreviations(&self.range)).as_ref().map_err(|why| *why)
    }
}

/// The contents of a unit's root entry.
#[derive(Debug)]
pub struct Root {
    pub bases: Bases,
    /// The source file, as given to the compiler.
    pub name: Option<Box<str>>,
}

impl Units {
    /// Reads the headers of all units. A damaged chain ends at the damage;
    /// the units before it remain usable.
    pub fn read(sections: &Sections) -> Self {
        let mut units = Vec::new();
        let mut damage = None;
        let info = DebugInfo::from(sections.slice(sections.units(UnitSection::Info)));
        let mut headers = info.units();
        loop {
            match headers.next() {
                Ok(Some(header)) => units.push(Unit::new(UnitSection::Info, &header)),
                Ok(None) => break,
                Err(why) => {
                    let end = units.last().map_or(0, |unit: &Unit| unit.end);
                    damage = Some(damaged(UnitSection::Info, end, why));
                    break;
                }
            }
        }
        let types = DebugTypes::from(sections.slice(sections.units(UnitSection::Types)));
        let mut headers = types.units();
        while let Ok(Some(header)) = headers.next() {
            units.push(Unit::new(UnitSection::Types, &header));
        }
        share_tables(&mut units);
        Self { units, signatures: OnceLock::new(), damage }
    }

    pub fn as_slice(&self) -> &[Unit] {
        &self.units
    }

    /// The unit that contains an offset of a section.
    pub fn holding(&self, section: UnitSection, offset: u64) -> Option<&Unit> {
        let after = self.units.partition_point(|u| (u.section, u.offset) <= (section, offset));
        let unit = self.units.get(after.checked_sub(1)?)?;
        (unit.section == section && offset < unit.end).then_some(unit)
    }

    /// The type unit with this signature.
    pub fn signed(&self, signature: u64) -> Option<&Unit> {
        let signatures = self.signatures.get_or_init(|| {
            let signed = |(at, unit): (usize, &Unit)| unit.signature.map(|(sign, _)| (sign, at));
            self.units.iter().enumerate().filter_map(signed).collect()
        });
        signatures.get(&signature).map(|&at| &self.units[at])
    }
}

impl Unit {
    fn new(section: UnitSection, header: &UnitHeader<Slice<'_>>) -> Self {
        let offset = header.offset().0 as u64;
        Self {
            section,
            offset,
            end: offset + header.length_including_self() as u64,
            header_size: header.root_offset().0 as u64,
            encoding: header.encoding(),
            table: Table::new(header.debug_abbrev_offset().0 as u64..u64::MAX),
            signature: match header.type_() {
                UnitType::Type { type_signature, type_offset }
                | UnitType::SplitType { type_signature, type_offset } => {
                    Some((type_signature.0, type_offset.0 as u64))
                }
                _ => None,
            },
            root: OnceLock::new(),
        }
    }

    /// Bases and name, read at the first call and without the other abbreviations.
    ///
    /// # Errors
    /// The root entry is damaged.
    pub fn root(&self, sections: &Sections) -> Result<&Root, TypeError> {
        let root = self.root.get_or_init(|| {
            self.read_root(sections).map_err(|why| damaged(self.section, self.offset, why))
        });
        root.as_ref().map_err(Clone::clone)
    }

    /// The shapes of the unit's entries, read at the first call.
    ///
    /// # Errors
    /// They are damaged.
    pub fn abbreviations(&self, sections: &Sections) -> Result<&Abbreviations, TypeError> {
        self.table.read(sections).map_err(|why| damaged(self.section, self.offset, why))
    }

    /// The attributes of the root entry.
    fn root_attributes(
        &self,
        sections: &Sections,
        code: u64,
    ) -> gimli::Result<Vec<AttributeSpecification>> {
        if let Some(early) = sections.early_abbreviation(&self.table.range, code)? {
            return Ok(early);
        }
        let found = self.table.read(sections)?.get(code);
        let found = found.ok_or(gimli::Error::InvalidAbbreviationCode(code))?;
        Ok(found.attributes().to_vec())
    }

    /// The section offset of the unit's first entry.
    pub fn first_entry(&self) -> u64 {
        self.offset + self.header_size
    }

    /// Walks the entries from `offset` of the section to the end of the unit.
    pub fn entries<'a>(
        &self,
        sections: &'a Sections,
        abbreviations: &'a Abbreviations,
        offset: u64,
    ) -> EntriesRaw<'a, Slice<'a>> {
        let bytes = sections.units(self.section);
        let bytes = bytes.get(offset as usize..self.end as usize).unwrap_or_default();
        let place = UnitOffset((offset - self.offset) as usize);
        EntriesRaw::new(sections.slice(bytes), self.encoding, abbreviations, place)
    }

    fn read_root(&self, sections: &Sections) -> gimli::Result<Root> {
        let mut bases = Bases::unset(self.encoding);
        let mut name = None;
        let bytes = sections.units(self.section);
        let bytes = bytes.get(self.first_entry() as usize..self.end as usize).unwrap_or_default();
        let mut input = sections.slice(bytes);
        let code = input.read_uleb128()?;
        let specifications = self.root_attributes(sections, code)?;
        let none = Abbreviations::default();
        let mut entries = EntriesRaw::new(input, self.encoding, &none, UnitOffset(0));
        for specification in specifications {
            let attribute = entries.read_attribute(specification)?;
            match attribute.value() {
                AttributeValue::DebugStrOffsetsBase(base) => bases.string_offsets = base.0 as u64,
                AttributeValue::DebugAddrBase(base) => bases.addresses = base.0 as u64,
                value if attribute.name() == gimli::DW_AT_name => name = Some(value),
                _ => {}
            }
        }
        let name = name.and_then(|value| sections.string(&value, &bases)).map(Box::from);
        Ok(Root { bases, name })
    }
}

/// Gives all units whose tables begin at one offset the same table. It ends where the next
/// one begins.
fn share_tables(units: &mut [Unit]) {
    let mut starts: Vec<u64> = units.iter().map(|unit| unit.table.range.start).collect();
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([u64::MAX]);
    let tables: Vec<Arc<Table>> =
        starts.iter().zip(ends).map(|(&start, end)| Table::new(start..end)).collect();
    for unit in units {
        let place = starts.partition_point(|start| *start < unit.table.range.start);
        if let Some(table) = tables.get(place) {
            unit.table = Arc::clone(table);
        }
    }
}
