//! The entries of variables in a range of addresses, or at one address.

use std::ops::ControlFlow::{self, Break, Continue};
use std::ops::Range;

use gimli::{AttributeValue, Operation, constants as dw};
use rayon::prelude::*;

use crate::addr::VirtAddr;
use crate::types::dwarf::Reader;
use crate::types::dwarf::addresses::Hit;
use crate::types::dwarf::load::Loader;
use crate::types::dwarf::place::Place;
use crate::types::dwarf::units::Die;
use crate::types::model::{TypeId, Variable};
use crate::types::source_path::source_path;

impl<'a> Reader<'a> {
    /// The variables with link addresses in the range, in any order.
    ///
    /// Only the units that define such variables are read, in parallel, and only
    /// up to the last such variable. A damaged unit loses its own
    /// variables but no others.
    pub fn variables_in(self, range: &Range<u64>) -> Vec<Variable> {
        let hits = self.file.units_about(range);
        hits.par_iter().flat_map_iter(|hit| self.variables_of(*hit, range)).collect()
    }

    /// The variable with exactly this link address.
    pub fn variable_at(self, address: u64) -> Option<Variable> {
        let range = address..address.checked_add(1)?;
        let mut hits = self.file.units_about(&range).into_iter();
        hits.find_map(|hit| self.variables_of(hit, &range).pop())
    }

    /// The variables in a range of addresses.
    fn variables_of(self, hit: Hit<'a>, range: &Range<u64>) -> Vec<Variable> {
        let mut found: Vec<Variable> = Vec::new();
        if let Ok(loader) = Loader::of(self, hit.unit) {
            // What was read before the damage is kept.
            let _ = loader.each_variable(hit.last, |die| {
                let variable = loader.variable(die);
                found.extend(variable.filter(|found| range.contains(&found.address.get())));
                if found.len() < hit.count { Continue(()) } else { Break(()) }
            });
        }
        found
    }
}

impl<'a> Loader<'a> {
    /// Calls `found` for every entry of a variable that begins before `last`,
    /// until it has found enough.
    fn each_variable(
        &self,
        last: u64,
        mut found: impl FnMut(&Die<'a>) -> ControlFlow<()>,
    ) -> gimli::Result<()> {
        let sections = &self.reader.file.sections;
        let mut entries = self.unit.entries(sections, self.abbreviations, self.unit.first_entry());
        let mut die = Die::null();
        while !entries.is_empty() && self.unit.offset + entries.next_offset().0 as u64 <= last {
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            if abbreviation.tag() != dw::DW_TAG_variable {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            die.tag = abbreviation.tag();
            entries.read_attributes(abbreviation.attributes(), &mut die.attrs)?;
            if found(&die).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The variable that an entry defines; `None` if it has no fixed address.
    ///
    /// gcc writes two entries for a variable that was declared before: the definition refers
    /// to the declaration, which has the name and the type.
    fn variable(&self, die: &Die<'a>) -> Option<Variable> {
        let address = self.address(die)?;
        let declared = die.attr_value(dw::DW_AT_specification);
        let declared = declared.and_then(|value| self.reference(&value)).and_then(Place::of);
        let (name, type_id) = match declared {
            Some(place) => Loader::at(self.reader, place).ok()?.name_and_type(place.offset)?,
            None => (None, None),
        };
        let own_type = die.has_attr(dw::DW_AT_type).then(|| self.target(die));
        Some(Variable {
            name: self.name(die).or(name)?,
            type_id: own_type.or(type_id)?,
            address,
            file: self.root.name.as_deref().map(source_path),
        })
    }

    fn name_and_type(&self, offset: u64) -> Option<(Option<Box<str>>, Option<TypeId>)> {
        let mut die = Die::null();
        let sections = &self.reader.file.sections;
        self.unit.entries(sections, self.abbreviations, offset).read_entry(&mut die).ok()?;
        let type_id = die.has_attr(dw::DW_AT_type).then(|| self.target(&die));
        Some((self.name(&die), type_id))
    }

    /// The address in DW_AT_location, if it is a plain address.
    fn address(&self, die: &Die<'a>) -> Option<VirtAddr> {
        let expression = match die.attr_value(dw::DW_AT_location)? {
            AttributeValue::Exprloc(expression) => expression,
            AttributeValue::Block(block) => gimli::Expression(block),
            _ => return None,
        };
        let mut operations = expression.operations(self.unit.encoding);
        let base = match operations.next().ok()?? {
            Operation::Address { address } => address,
            Operation::AddressIndex { index } => {
                self.reader.file.sections.indexed_address(index.0 as u64, &self.root.bases)?
            }
            _ => return None,
        };
        match operations.next() {
            Ok(None) => Some(VirtAddr::new(base)),
            // Compilers that merge small statics into one object record where in
            // it each of them is.
            Ok(Some(Operation::PlusConstant { value })) => {
                Some(VirtAddr::new(base.wrapping_add(value)))
            }
            _ => None,
        }
    }
}
