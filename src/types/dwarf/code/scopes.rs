//! The function at an address, the functions that were inlined there, and their variables.

use std::rc::Rc;

use gimli::{AttributeValue, UnitRef, constants as dw};

use super::ranges::each_range;
use crate::types::dwarf::code::Code;
use crate::types::dwarf::sections::{Slice, UnitSection};
use crate::types::model::TypeId;

/// A function at an address, with its parameters and variables.
#[derive(Debug, Clone, Default)]
pub struct Scope<'t> {
    /// In the order of the source. Those of nested blocks that contain the address are among
    /// them.
    pub variables: Vec<ScopedVariable<'t>>,
    /// How the frame's base is computed (DW_AT_frame_base).
    pub(super) frame_base: Option<AttributeValue<Slice<'t>>>,
}

/// A parameter or a variable.
#[derive(Debug, Clone)]
pub struct ScopedVariable<'t> {
    /// Its name.
    pub name: Box<str>,
    /// Its type, by the ids of [`Code::types`].
    pub type_id: TypeId,
    /// Whether it is a parameter.
    pub is_parameter: bool,
    /// DW_AT_location, or DW_AT_const_value.
    pub(super) location: Option<AttributeValue<Slice<'t>>>,
    pub(super) is_constant: bool,
    /// The offset of the header of its unit.
    pub(super) unit: u64,
}

/// The deepest nesting of blocks and inlined functions.
const DEEPEST: isize = 256;
/// The most variables of one function.
const MOST_VARIABLES: usize = 1024;

impl<'t> Code<'t> {
    /// The functions at an address, innermost first: those that were inlined there, and last
    /// the one that is called. `None` if there is none, or the unit is damaged.
    pub fn scopes(&self, address: u64) -> Option<Rc<[Scope<'t>]>> {
        if let Some(known) = self.scopes.borrow().get(&address) {
            return known.clone();
        }
        let found = self.walk(address).map(Rc::from);
        self.scopes.borrow_mut().insert(address, found.clone());
        found
    }

    fn walk(&self, address: u64) -> Option<Vec<Scope<'t>>> {
        let at = self.units().find(address)?;
        let unit = self.unit(at)?;
        let walk = Walk { code: self, unit: unit.unit_ref(&self.dwarf), at, address };
        walk.run().ok().flatten()
    }
}

struct Walk<'a, 't> {
    code: &'a Code<'t>,
    unit: UnitRef<'a, Slice<'t>>,
    /// The offset of the unit's header.
    at: u64,
    address: u64,
}

impl<'t> Walk<'_, 't> {
    /// Walks all entries of the unit, and takes those around the address.
    fn run(&self) -> gimli::Result<Option<Vec<Scope<'t>>>> {
        let mut scopes: Vec<Scope<'t>> = Vec::new();
        // The depths of the entries around the present one that contain the address, and of the
        // outermost one that does not.
        let (mut around, mut outside): (Vec<isize>, Option<isize>) = (Vec::new(), None);
        let mut entries = self.unit.entries_raw(None)?;
        let mut count = 0;
        let budget = self.code.reader.types.budget();
        let exhausted = |_| gimli::Error::UnexpectedEof(gimli::ReaderOffsetId(0));
        while !entries.is_empty() {
            let depth = entries.next_depth();
            if depth > DEEPEST {
                return Ok(None);
            }
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            count += 1;
            if count % 64 == 0 {
                budget.work(1).map_err(exhausted)?;
            }
            if outside.is_some_and(|outer| depth <= outer) {
                outside = None;
            }
            while around.last().is_some_and(|inner| depth <= *inner) {
                around.pop();
            }
            let tag = abbreviation.tag();
            let is_scope = matches!(
                tag,
                dw::DW_TAG_subprogram | dw::DW_TAG_inlined_subroutine | dw::DW_TAG_lexical_block
            );
            let is_variable = matches!(tag, dw::DW_TAG_formal_parameter | dw::DW_TAG_variable)
                && around.last().is_some_and(|inner| depth == inner + 1);
            if outside.is_some() || !(is_scope || is_variable) {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            let mut die = gimli::DebuggingInformationEntry::null();
            die.tag = tag;
            entries.read_attributes(abbreviation.attributes(), &mut die.attrs)?;
            if is_variable {
                let Some(scope) = scopes.last_mut() else { continue };
                if scope.variables.len() < MOST_VARIABLES {
                    scope.variables.extend(self.variable(&die));
                }
                continue;
            }
            let nested = tag != dw::DW_TAG_subprogram;
            if nested == around.is_empty() || !self.contains(&die)? {
                outside = abbreviation.has_children().then_some(depth);
                continue;
            }
            if abbreviation.has_children() {
                around.push(depth);
            }
            if tag != dw::DW_TAG_lexical_block {
                let base = die.attr_value(dw::DW_AT_frame_base);
                let frame_base = base.or_else(|| scopes.last().and_then(|s| s.frame_base));
                scopes.push(Scope { variables: Vec::new(), frame_base });
            }
        }
        scopes.reverse();
        Ok((!scopes.is_empty()).then_some(scopes))
    }

    fn contains(&self, die: &gimli::DebuggingInformationEntry<Slice<'t>>) -> gimli::Result<bool> {
        let mut contains = false;
        each_range(self.unit, die, |range| {
            contains = (range.begin..range.end).contains(&self.address);
            !contains && self.code.reader.types.budget().work(1).is_ok()
        })?;
        Ok(contains)
    }

    /// Name and type may be in the entry of the function that was inlined.
    fn variable(
        &self,
        die: &gimli::DebuggingInformationEntry<Slice<'t>>,
    ) -> Option<ScopedVariable<'t>> {
        let mut own = die.clone();
        let (mut name, mut type_of) = (None, None);
        for _ in 0..4 {
            name = name.or_else(|| own.attr_value(dw::DW_AT_name));
            type_of = type_of.or_else(|| own.attr_value(dw::DW_AT_type));
            let Some(AttributeValue::UnitRef(origin)) = own.attr_value(dw::DW_AT_abstract_origin)
            else {
                break;
            };
            own = self.unit.entry(origin).ok()?;
        }
        let name = self.unit.attr_string(name?).ok()?;
        let section = UnitSection::Info;
        let type_id = match type_of? {
            AttributeValue::UnitRef(to) => {
                let offset = self.at.checked_add(to.0 as u64)?;
                self.code.reader.file.place(section, offset).id()?
            }
            AttributeValue::DebugInfoRef(to) => {
                self.code.reader.file.place(section, to.0 as u64).id()?
            }
            _ => return None,
        };
        let location = die.attr_value(dw::DW_AT_location);
        let constant = || die.attr_value(dw::DW_AT_const_value);
        Some(ScopedVariable {
            name: name.to_string_lossy().into_owned().into(),
            type_id,
            is_parameter: die.tag() == dw::DW_TAG_formal_parameter,
            is_constant: location.is_none(),
            location: location.or_else(constant),
            unit: self.at,
        })
    }
}
