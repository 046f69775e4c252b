//! Static variables by name, for those without a symbol of that name.
//!
//! A compiler that sees all uses of a static need not keep it as written: clang
//! splits the members of one struct into `uuid_last.0` and `uuid_last.1`, names the static of a
//! function `function.name` and, if it optimises at link time, `name.llvm.HASH`. The
//! debug information keeps an entry under the name in the source, with a location
//! (`location.rs`).
//!
//! The index is built at the first question for such a name, with all units in parallel. It
//! holds hashes and positions but no strings.

use std::sync::OnceLock;

use gimli::{AttributeValue, Operation, constants as dw};
use rayon::prelude::*;

use crate::types::dwarf::Reader;
use crate::types::dwarf::load::{Loader, is_declaration};
use crate::types::dwarf::place::Place;
use crate::types::dwarf::units::{Die, Unit};
use crate::types::model::TypeId;
use crate::types::name_index::hash;
use crate::types::source_path::source_path;
use crate::types::statics::Static;

/// The entries with a fixed location, by the hashes of their names.
#[derive(Debug, Default)]
pub struct StaticIndex {
    sorted: OnceLock<Vec<Entry>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: u64,
    /// Variables of files come before those of functions.
    of_function: bool,
    at: TypeId,
    function: Option<TypeId>,
}

/// The longest chain of entries that refer to each other.
const MOST_ORIGINS: usize = 4;

impl<'a> Reader<'a> {
    /// The variables with that name that have a location: those of files, then those of
    /// functions, each in the order of the debug information. A name that no
    /// section contains costs one search of the sections, but not an index of all units.
    pub fn statics(self, name: &str) -> Vec<Static> {
        if !self.file.sections.mentions(name) {
            return Vec::new();
        }
        let sorted = self.file.statics.sorted.get_or_init(|| self.index_statics());
        let wanted = hash(name);
        let first = sorted.partition_point(|entry| entry.name < wanted);
        let same = sorted[first..].iter().take_while(|entry| entry.name == wanted);
        // A damaged file may have thousands with one name, and an expression may repeat it.
        let affordable = same.take_while(|_| self.types.budget().work(1).is_ok());
        let found = affordable.filter_map(|entry| self.static_of(*entry));
        found.filter(|found| &*found.name == name).collect()
    }

    fn index_statics(self) -> Vec<Entry> {
        let units = self.file.units.as_slice().par_iter();
        let mut found: Vec<Entry> = units.flat_map_iter(|unit| self.statics_of(unit)).collect();
        found.sort_unstable();
        found
    }

    fn statics_of(self, unit: &'a Unit) -> Vec<Entry> {
        let mut found = Vec::new();
        if let Ok(loader) = Loader::of(self, unit) {
            // What was read before the damage is kept.
            let _ = loader.each_static(|entry| found.push(entry));
        }
        found
    }

    fn static_of(self, entry: Entry) -> Option<Static> {
        let place = Place::of(entry.at)?;
        let loader = Loader::at(self, place).ok()?;
        let (name, type_id) = loader.described(&loader.entry(place.offset)?);
        let function = entry.function.and_then(Place::of).and_then(|function| {
            let loader = Loader::at(self, function).ok()?;
            loader.described(&loader.entry(function.offset)?).0
        });
        let file = loader.root.name.as_deref().map(source_path);
        Some(Static { name: name?, type_id: type_id?, file, function, entry: entry.at })
    }
}

impl<'a> Loader<'a> {
    /// Calls `found` for each variable of the unit that has a fixed location.
    fn each_static(&self, mut found: impl FnMut(Entry)) -> gimli::Result<()> {
        let sections = &self.reader.file.sections;
        let mut entries = self.unit.entries(sections, self.abbreviations, self.unit.first_entry());
        let mut die = Die::null();
        // The functions around the current entry, and the depth of each.
        let mut functions: Vec<(isize, u64)> = Vec::new();
        while !entries.is_empty() {
            let at = self.unit.offset + entries.next_offset().0 as u64;
            let level = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            while functions.last().is_some_and(|(around, _)| *around >= level) {
                functions.pop();
            }
            match abbreviation.tag() {
                dw::DW_TAG_subprogram | dw::DW_TAG_inlined_subroutine => {
                    functions.push((level, at));
                    entries.skip_attributes(abbreviation.attributes())?;
                    continue;
                }
                dw::DW_TAG_variable => {}
                _ => {
                    entries.skip_attributes(abbreviation.attributes())?;
                    continue;
                }
            }
            die.tag = abbreviation.tag();
            die.attrs.clear();
            entries.read_attributes(abbreviation.attributes(), &mut die.attrs)?;
            if is_declaration(&die) || !self.is_fixed(&die, functions.is_empty()) {
                continue;
            }
            let id = |offset| self.reader.file.place(self.unit.section, offset).id();
            if let (Some(name), Some(at)) = (self.described(&die).0, id(at)) {
                let function = functions.last().and_then(|(_, at)| id(*at));
                let of_function = function.is_some();
                found(Entry { name: hash(&name), of_function, at, function });
            }
        }
        Ok(())
    }

    /// The name and the type of an entry. They may be in another entry, which this one completes
    /// (DW_AT_specification) or is an instance of (DW_AT_abstract_origin).
    fn described(&self, die: &Die<'a>) -> (Option<Box<str>>, Option<TypeId>) {
        let own_type = |loader: &Loader<'a>, die: &Die<'a>| {
            die.has_attr(dw::DW_AT_type).then(|| loader.target(die))
        };
        let (mut name, mut type_id) = (self.name(die), own_type(self, die));
        let mut next = self.origin(die);
        for _ in 0..MOST_ORIGINS {
            let Some(place) = next.filter(|_| name.is_none() || type_id.is_none()) else { break };
            let Ok(loader) = Loader::at(self.reader, place) else { break };
            let Some(die) = loader.entry(place.offset) else { break };
            name = name.or_else(|| loader.name(&die));
            type_id = type_id.or_else(|| own_type(&loader, &die));
            next = loader.origin(&die);
        }
        (name, type_id)
    }

    fn origin(&self, die: &Die<'a>) -> Option<Place> {
        let named = [dw::DW_AT_specification, dw::DW_AT_abstract_origin];
        let value = named.into_iter().find_map(|name| die.attr_value(name))?;
        self.reference(&value).and_then(Place::of)
    }

    /// Does the entry say where the variable is at every point of the code? A
    /// variable of a function that lives in registers or on the stack does not.
    fn is_fixed(&self, die: &Die<'a>, of_file: bool) -> bool {
        let expression = match die.attr_value(dw::DW_AT_location) {
            Some(AttributeValue::Exprloc(expression)) => expression,
            Some(AttributeValue::Block(block)) => gimli::Expression(block),
            Some(_) => return false,
            None => return of_file && die.has_attr(dw::DW_AT_const_value),
        };
        // The first members of a struct may be nowhere: pieces with a size and no location.
        let mut operations = expression.operations(self.unit.encoding);
        loop {
            return match operations.next() {
                Ok(Some(Operation::Piece { .. })) => continue,
                Ok(Some(Operation::Address { .. } | Operation::AddressIndex { .. })) => true,
                Ok(Some(_)) => of_file,
                Ok(None) | Err(_) => false,
            };
        }
    }

    /// The entry at an offset of the unit's section.
    pub(super) fn entry(&self, offset: u64) -> Option<Die<'a>> {
        let mut die = Die::null();
        let sections = &self.reader.file.sections;
        let read =
            self.unit.entries(sections, self.abbreviations, offset).read_entry(&mut die).ok()?;
        read.then_some(die)
    }
}
