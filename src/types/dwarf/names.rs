//! What the units of a file define at their top level, by name.

use gimli::{DwTag, UnitOffset, constants as dw};
use rayon::prelude::*;

use crate::types::dwarf::Reader;
use crate::types::dwarf::load::{Loader, is_declaration};
use crate::types::dwarf::place::Place;
use crate::types::dwarf::units::{Die, Unit};
use crate::types::model::TypeId;
use crate::types::name_index::{Class, NameIndex, Named, Outline, hash};
use crate::types::source_path::{is_end_of_path, source_path};
use crate::types::spelling;

impl<'a> Reader<'a> {
    /// An index of all names. All units are read in parallel.
    pub fn index_names(self) -> NameIndex {
        let units = self.file.units.as_slice().par_iter();
        let parts: Vec<_> = units.map(|unit| self.names_of(unit)).collect();
        let mut index = NameIndex::default();
        for named in parts.into_iter().flatten() {
            index.add(named);
        }
        index
    }

    fn names_of(self, unit: &'a Unit) -> Vec<Named> {
        let mut found = Vec::new();
        if let Ok(loader) = Loader::of(self, unit) {
            // What was read before the damage is kept.
            let _ = loader.each_named(false, |named| found.push(named));
        }
        found
    }

    /// The name of a type, without reading its members.
    pub fn name_of(self, id: TypeId) -> Option<String> {
        let place = Place::of(id)?;
        let loader = Loader::at(self, place).ok()?;
        let entry = loader.entry(place.offset)?;
        let name = loader.name_str(&entry)?;
        Some(match entry.tag() {
            dw::DW_TAG_base_type => spelling::canonical(name),
            _ => name.to_owned(),
        })
    }

    /// The type with that name in the unit that has a variable with this link address.
    pub fn named_at(self, address: u64, class: Class, name: &str) -> Option<TypeId> {
        let hits = self.file.units_about(&(address..address.checked_add(1)?));
        hits.into_iter().find_map(|hit| Loader::of(self, hit.unit).ok()?.find_named(class, name))
    }

    /// The first type with that name in the units of a source file, which is given by the end of
    /// its path.
    pub fn named_in(self, class: Class, name: &str, source: &str) -> Option<TypeId> {
        self.file.units.as_slice().iter().find_map(|unit| {
            let root = unit.root(&self.file.sections).ok()?;
            let path = source_path(root.name.as_deref()?);
            let loader = Loader::of(self, unit).ok().filter(|_| is_end_of_path(&path, source))?;
            loader.find_named(class, name)
        })
    }

    /// The source file of a type's unit, below `sys/`.
    pub fn source_of(self, id: TypeId) -> Option<Box<str>> {
        let place = Place::of(id)?;
        let unit = self.file.units.holding(place.section, place.offset)?;
        unit.root(&self.file.sections).ok()?.name.as_deref().map(source_path)
    }
}

impl<'a> Loader<'a> {
    /// The first type with that name at the unit's top level.
    fn find_named(&self, class: Class, name: &str) -> Option<TypeId> {
        let mut found = None;
        let _ = self.each_named(true, |named| {
            if found.is_none() && named.key == (class, hash(name)) {
                found = Some(named.id);
            }
        });
        found
    }

    /// Calls `found` for what the unit defines at its top level. With `signed`, also for
    /// what takes the place of the type in a type unit.
    fn each_named(&self, signed: bool, mut found: impl FnMut(Named)) -> gimli::Result<()> {
        let sections = &self.reader.file.sections;
        let mut entries = self.unit.entries(sections, self.abbreviations, self.unit.first_entry());
        let mut depth = 0;
        let mut die = Die::null();
        while !entries.is_empty() {
            let at = self.unit.offset + entries.next_offset().0 as u64;
            let level = depth + entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            let class = class_of(abbreviation.tag()).filter(|_| level == 1);
            let Some(class) = class else {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            };
            die.tag = abbreviation.tag();
            die.attrs.clear();
            entries.read_attributes(abbreviation.attributes(), &mut die.attrs)?;
            let is_reference = die.has_attr(dw::DW_AT_signature);
            if (is_reference && signed) || (!is_reference && !is_declaration(&die)) {
                let place = self.reader.file.place(self.unit.section, at);
                let first = || self.name_at(self.unit.offset + entries.next_offset().0 as u64);
                let name = match (self.name_str(&die), class) {
                    (Some(name), _) if die.tag() == dw::DW_TAG_base_type => {
                        Some(hash(&spelling::canonical(name)))
                    }
                    (Some(name), _) => Some(hash(name)),
                    // The name of its first constant tells an enum without a name from others.
                    (None, Class::Enum) if abbreviation.has_children() => Some(unnamed(first())),
                    (None, _) => None,
                };
                if let Some((name, id)) = name.zip(place.id()) {
                    let mut outline = Outline::of(&die);
                    if abbreviation.has_children() && class != Class::Enum {
                        outline.first = first() as u32;
                    }
                    found(Named { key: (class, name), id, outline });
                }
            }
            // gcc records where the next entry of this level is; clang does not.
            let sibling = die.attr_value(dw::DW_AT_sibling).filter(|_| abbreviation.has_children());
            if let Some(gimli::AttributeValue::UnitRef(UnitOffset(next))) = sibling {
                let next = self.unit.offset.saturating_add(next as u64);
                if next > at && next < self.unit.end {
                    entries = self.unit.entries(sections, self.abbreviations, next);
                    depth = 1;
                }
            }
        }
        Ok(())
    }
}

impl Loader<'_> {
    /// The hash of the name that the entry at an offset of the section has.
    fn name_at(&self, offset: u64) -> u64 {
        let entry = self.entry(offset);
        entry.and_then(|entry| self.name_str(&entry)).map_or(0, hash)
    }
}

/// The key of an enum without a name, whose first constant's name has this hash.
fn unnamed(first: u64) -> u64 {
    first.rotate_left(1) ^ u64::MAX
}

fn class_of(tag: DwTag) -> Option<Class> {
    match tag {
        dw::DW_TAG_structure_type | dw::DW_TAG_class_type => Some(Class::Struct),
        dw::DW_TAG_union_type => Some(Class::Union),
        dw::DW_TAG_enumeration_type => Some(Class::Enum),
        dw::DW_TAG_typedef | dw::DW_TAG_base_type => Some(Class::Plain),
        dw::DW_TAG_variable => Some(Class::Variable),
        _ => None,
    }
}

impl Outline {
    fn of(die: &Die<'_>) -> Self {
        let number = |at| die.attr_value(at).and_then(|value| value.udata_value()).unwrap_or(0);
        let (size, line) = (number(dw::DW_AT_byte_size), number(dw::DW_AT_decl_line));
        Self { size: size as u32, line: line as u32, first: 0 }
    }
}
