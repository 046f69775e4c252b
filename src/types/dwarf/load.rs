//! From one entry of the DWARF tree to one [`Type`].

use std::cell::RefCell;

use gimli::{Abbreviations, AttributeValue, EntriesRaw, Operation, constants as dw};

use crate::budget::{Exhausted, Resource};
use crate::types::dwarf::Reader;
use crate::types::dwarf::place::Place;
use crate::types::dwarf::sections::{Slice, UnitSection, damaged};
use crate::types::dwarf::units::{Die, Root, Unit};
use crate::types::model::*;
use crate::types::spelling;
use crate::types::{TypeError, bits};

/// Reads the entries of one unit.
pub struct Loader<'a> {
    pub reader: Reader<'a>,
    pub unit: &'a Unit,
    pub root: &'a Root,
    pub abbreviations: &'a Abbreviations,
}

impl<'a> Loader<'a> {
    /// A loader for the unit that contains `place`.
    ///
    /// # Errors
    /// No unit contains it, or the unit is damaged.
    pub fn at(reader: Reader<'a>, place: Place) -> Result<Self, TypeError> {
        let unit = reader
            .file
            .units
            .holding(place.section, place.offset)
            .ok_or_else(|| damaged(place.section, place.offset, "no unit holds this offset"))?;
        Self::of(reader, unit)
    }

    /// A loader for one unit.
    ///
    /// # Errors
    /// The unit is damaged.
    pub fn of(reader: Reader<'a>, unit: &'a Unit) -> Result<Self, TypeError> {
        let sections = &reader.file.sections;
        let (root, abbreviations) = (unit.root(sections)?, unit.abbreviations(sections)?);
        Ok(Self { reader, unit, root, abbreviations })
    }

    /// The type whose entry is at `offset` of the unit's section.
    ///
    /// # Errors
    /// The entry is not a type, or is damaged.
    pub fn type_at(&self, offset: u64) -> Result<Type, TypeError> {
        let place = self.reader.file.place(self.unit.section, offset);
        let nested = place.id().and_then(Nested::enter);
        let _nested = nested.ok_or_else(|| self.damaged(offset, "types go in circles"))?;
        self.reader.types.budget().work(1)?;
        let mut entries = self.unit.entries(&self.reader.file.sections, self.abbreviations, offset);
        let mut die = Die::null();
        let read = entries.read_entry(&mut die).map_err(|why| self.damaged(offset, why))?;
        if !read {
            return Err(self.damaged(offset, "no entry begins here"));
        }
        let children = Children { loader: self, entries, more: die.has_children() };
        match die.tag() {
            dw::DW_TAG_base_type => Ok(Type::Base(self.base(&die))),
            dw::DW_TAG_pointer_type
            | dw::DW_TAG_reference_type
            | dw::DW_TAG_rvalue_reference_type => Ok(Type::Pointer(Pointer {
                target: self.target(&die),
                size: self.number(&die, dw::DW_AT_byte_size).unwrap_or(self.address_size()),
            })),
            dw::DW_TAG_typedef => {
                let name = self.name(&die).unwrap_or_default();
                Ok(Type::Typedef(Typedef { name, target: self.target(&die) }))
            }
            dw::DW_TAG_const_type => Ok(self.qualified(&die, Qualifier::Const)),
            dw::DW_TAG_volatile_type => Ok(self.qualified(&die, Qualifier::Volatile)),
            dw::DW_TAG_restrict_type => Ok(self.qualified(&die, Qualifier::Restrict)),
            dw::DW_TAG_atomic_type => Ok(self.qualified(&die, Qualifier::Atomic)),
            dw::DW_TAG_structure_type => self.record(&die, RecordKind::Struct, children),
            dw::DW_TAG_union_type => self.record(&die, RecordKind::Union, children),
            dw::DW_TAG_class_type => self.record(&die, RecordKind::Class, children),
            dw::DW_TAG_enumeration_type => self.enumeration(&die, children),
            dw::DW_TAG_array_type => self.array(&die, children),
            dw::DW_TAG_subroutine_type | dw::DW_TAG_subprogram => self.function(&die, children),
            dw::DW_TAG_unspecified_type => Ok(Type::Void),
            _ => Ok(Type::Base(self.base(&die))),
        }
    }

    /// The type unit that a declaration refers to (DW_AT_signature).
    pub fn signed(&self, die: &Die<'a>) -> Option<TypeId> {
        match die.attr_value(dw::DW_AT_signature)? {
            AttributeValue::DebugTypesRef(signature) => self.signed_type(signature.0),
            _ => None,
        }
    }

    /// The type in DW_AT_type; void if there is none.
    pub fn target(&self, die: &Die<'a>) -> TypeId {
        die.attr_value(dw::DW_AT_type)
            .and_then(|value| self.reference(&value))
            .unwrap_or(TypeId::VOID)
    }

    /// The entry that an attribute refers to.
    pub fn reference(&self, value: &AttributeValue<Slice<'a>>) -> Option<TypeId> {
        let place = match *value {
            AttributeValue::UnitRef(at) => self
                .reader
                .file
                .place(self.unit.section, self.unit.offset.checked_add(at.0 as u64)?),
            AttributeValue::DebugInfoRef(at) => {
                self.reader.file.place(UnitSection::Info, at.0 as u64)
            }
            AttributeValue::DebugTypesRef(signature) => return self.signed_type(signature.0),
            _ => return None,
        };
        place.id()
    }

    pub fn name(&self, die: &Die<'a>) -> Option<Box<str>> {
        self.name_str(die).map(Box::from)
    }

    /// The name in place, without a copy.
    pub fn name_str(&self, die: &Die<'a>) -> Option<&'a str> {
        let value = die.attr_value(dw::DW_AT_name)?;
        self.reader.file.sections.string(&value, &self.root.bases)
    }

    fn signed_type(&self, signature: u64) -> Option<TypeId> {
        let unit = self.reader.file.units.signed(signature)?;
        let (_, at) = unit.signature?;
        self.reader.file.place(unit.section, unit.offset.checked_add(at)?).id()
    }

    fn base(&self, die: &Die<'a>) -> Base {
        let name = self.name_str(die).map(spelling::canonical).unwrap_or_default().into();
        let encoding = match die.attr_value(dw::DW_AT_encoding) {
            Some(AttributeValue::Encoding(encoding)) => encoding_of(encoding),
            _ => Encoding::Other,
        };
        let size = self.number(die, dw::DW_AT_byte_size).unwrap_or(0);
        Base { name, size, encoding }
    }

    fn qualified(&self, die: &Die<'a>, qualifier: Qualifier) -> Type {
        Type::Qualified(Qualified { qualifier, target: self.target(die) })
    }

    fn record(
        &self,
        die: &Die<'a>,
        kind: RecordKind,
        mut children: Children<'_, 'a>,
    ) -> Result<Type, TypeError> {
        // In a file with type units, this entry may only point
        // to the one that has the members.
        if let Some(place) = self.signed(die).and_then(Place::of) {
            return Loader::at(self.reader, place)?.type_at(place.offset);
        }
        let mut members = Vec::new();
        while let Some(child) = children.next()? {
            if child.tag() == dw::DW_TAG_member && !child.has_attr(dw::DW_AT_external) {
                let member = self.member(&child)?;
                self.keep::<Member>(member.name.as_deref())?;
                members.push(member);
            }
        }
        Ok(Type::Record(Record {
            kind,
            name: self.name(die),
            size: self.number(die, dw::DW_AT_byte_size),
            members,
            declaration: is_declaration(die),
        }))
    }

    fn member(&self, die: &Die<'a>) -> Result<Member, TypeError> {
        let type_id = self.target(die);
        let location = self.member_location(die).unwrap_or(0);
        let (offset, bits) = match self.number(die, dw::DW_AT_bit_size) {
            None => (location, None),
            Some(size) => {
                let first = self.first_bit(die, location, size, type_id);
                let first = first.ok_or_else(|| {
                    let offset = self.unit.offset + die.offset().0 as u64;
                    self.damaged(offset, "a bit-field begins before its struct")
                })?;
                (first / 8, Some(BitField { bit_offset: first % 8, bit_size: size, exact: true }))
            }
        };
        Ok(Member { name: self.name(die), type_id, offset, bits })
    }

    fn first_bit(&self, die: &Die<'a>, location: u64, size: u64, type_id: TypeId) -> Option<u64> {
        if let Some(bits) = self.number(die, dw::DW_AT_data_bit_offset) {
            return location.checked_mul(8)?.checked_add(bits);
        }
        // Raw, because only the form distinguishes a negative offset from a large one.
        let Some(from_top) = die.attr_value_raw(dw::DW_AT_bit_offset) else {
            return location.checked_mul(8);
        };
        let storage = self
            .number(die, dw::DW_AT_byte_size)
            .or_else(|| self.reader.types.size_of(type_id).ok())?;
        bits::first_bit(
            self.reader.types.endian(),
            location,
            storage,
            from_top.sdata_value()?,
            size,
        )
    }

    /// DW_AT_data_member_location: a number since DWARF 3. In DWARF 2, which FreeBSD kernels up to
    /// 12 use, it is an expression that adds one (`DW_OP_plus_uconst`).
    fn member_location(&self, die: &Die<'a>) -> Option<u64> {
        let value = die.attr_value(dw::DW_AT_data_member_location)?;
        let expression = match value {
            AttributeValue::Exprloc(expression) => expression.0,
            AttributeValue::Block(block) => block,
            // gimli takes DW_FORM_data4 for a location list in DWARF 2 and 3.
            AttributeValue::LocationListsRef(offset) => return Some(offset.0 as u64),
            AttributeValue::SecOffset(offset) => return Some(offset as u64),
            other => return other.udata_value(),
        };
        let mut operations = gimli::Expression(expression).operations(self.unit.encoding);
        match operations.next().ok()?? {
            Operation::PlusConstant { value } => Some(value),
            Operation::UnsignedConstant { value } => Some(value),
            Operation::SignedConstant { value } => u64::try_from(value).ok(),
            _ => None,
        }
    }

    fn enumeration(
        &self,
        die: &Die<'a>,
        mut children: Children<'_, 'a>,
    ) -> Result<Type, TypeError> {
        if let Some(place) = self.signed(die).and_then(Place::of) {
            return Loader::at(self.reader, place)?.type_at(place.offset);
        }
        let size = self.number(die, dw::DW_AT_byte_size);
        let underlying = die.has_attr(dw::DW_AT_type).then(|| self.target(die));
        let size = size.or_else(|| self.reader.types.size_of(underlying?).ok()).unwrap_or(4);
        let mut enumerators = Vec::new();
        while let Some(child) = children.next()? {
            if child.tag() == dw::DW_TAG_enumerator {
                let value = child.attr_value(dw::DW_AT_const_value);
                let value = value.and_then(|value| constant(&value)).unwrap_or(0);
                let name = self.name(&child).unwrap_or_default();
                self.keep::<Enumerator>(Some(&name))?;
                enumerators.push(Enumerator { name, value });
            }
        }
        let declared = underlying.and_then(|id| self.reader.types.is_signed(id).ok());
        let negative = enumerators.iter().any(|enumerator| enumerator.value < 0);
        let signed = negative || declared.unwrap_or(false);
        for enumerator in &mut enumerators {
            enumerator.value = bits::truncate(enumerator.value, size.saturating_mul(8), signed);
        }
        let name = self.name(die);
        let declaration = is_declaration(die);
        Ok(Type::Enum(Enumeration { name, size, signed, enumerators, declaration }))
    }

    fn array(&self, die: &Die<'a>, mut children: Children<'_, 'a>) -> Result<Type, TypeError> {
        let mut counts = Vec::new();
        while let Some(child) = children.next()? {
            if matches!(child.tag(), dw::DW_TAG_subrange_type | dw::DW_TAG_enumeration_type) {
                if counts.len() as u64 == MOST_DIMENSIONS {
                    let resource = Resource::Levels("the array");
                    return Err(Exhausted { resource, limit: MOST_DIMENSIONS }.into());
                }
                counts.push(self.element_count(&child));
            }
        }
        if counts.is_empty() {
            counts.push(None);
        }
        Ok(Type::Array(Array { element: self.target(die), counts }))
    }

    fn element_count(&self, die: &Die<'a>) -> Option<u64> {
        if let Some(count) = die.attr_value(dw::DW_AT_count) {
            return count.udata_value();
        }
        let last = die.attr_value(dw::DW_AT_upper_bound)?;
        let width = match last {
            AttributeValue::Data4(_) => 32,
            _ => 64,
        };
        // An empty array ends at −1, which gcc writes in the width of
        // the index type.
        let last = bits::truncate(constant(&last)?, width, true);
        u64::try_from(last + 1).ok()
    }

    fn function(&self, die: &Die<'a>, mut children: Children<'_, 'a>) -> Result<Type, TypeError> {
        let mut parameters = Vec::new();
        let mut variadic = false;
        while let Some(child) = children.next()? {
            match child.tag() {
                dw::DW_TAG_formal_parameter => {
                    self.keep::<TypeId>(None)?;
                    parameters.push(self.target(&child));
                }
                dw::DW_TAG_unspecified_parameters => variadic = true,
                _ => {}
            }
        }
        let prototyped = flag(die, dw::DW_AT_prototyped);
        Ok(Type::Function(Function { returns: self.target(die), parameters, variadic, prototyped }))
    }

    /// Spends memory for a part of a type.
    fn keep<T>(&self, name: Option<&str>) -> Result<(), Exhausted> {
        let name = name.map_or(0, str::len);
        self.reader.types.budget().bytes((size_of::<T>() + name) as u64)
    }

    fn number(&self, die: &Die<'a>, name: gimli::DwAt) -> Option<u64> {
        die.attr_value(name)?.udata_value()
    }

    fn address_size(&self) -> u64 {
        u64::from(self.unit.encoding.address_size)
    }

    fn damaged(&self, offset: u64, why: impl ToString) -> TypeError {
        damaged(self.unit.section, offset, why)
    }
}

/// Reading one type may need another: the definition behind a signature, or the
/// size of a bit-field's type. In a damaged file, two types may need each other.
struct Nested;

impl Nested {
    const DEEPEST: usize = 32;

    /// Goes one level deeper on this thread until it is dropped. `None` past the deepest level,
    /// and if the type is already being read: each of its parts would read it again.
    fn enter(id: TypeId) -> Option<Self> {
        READING.with_borrow_mut(|reading| {
            (reading.len() < Self::DEEPEST && !reading.contains(&id)).then(|| {
                reading.push(id);
                Self
            })
        })
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        READING.with_borrow_mut(|reading| reading.pop());
    }
}

thread_local! {
    static READING: RefCell<Vec<TypeId>> = const { RefCell::new(Vec::new()) };
}

/// C compilers must support only 12 dimensions, and no kernel uses that many.
const MOST_DIMENSIONS: u64 = 64;

/// The direct children of the entry that was read last.
struct Children<'l, 'a> {
    loader: &'l Loader<'a>,
    entries: EntriesRaw<'a, Slice<'a>>,
    more: bool,
}

impl<'a> Children<'_, 'a> {
    fn next(&mut self) -> Result<Option<Die<'a>>, TypeError> {
        let mut die = Die::null();
        while self.more && !self.entries.is_empty() {
            let depth = self.entries.next_depth();
            let offset = self.loader.unit.offset + self.entries.next_offset().0 as u64;
            let failed = |why| self.loader.damaged(offset, why);
            self.loader.reader.types.budget().work(1)?;
            if depth == 1 {
                if self.entries.read_entry(&mut die).map_err(failed)? {
                    return Ok(Some(die));
                }
                self.more = false;
            } else if let Some(abbreviation) = self.entries.read_abbreviation().map_err(failed)? {
                let attributes = abbreviation.attributes();
                self.entries.skip_attributes(attributes).map_err(failed)?;
            }
        }
        Ok(None)
    }
}

/// Is the entry only a declaration of what another one defines?
pub fn is_declaration(die: &Die<'_>) -> bool {
    flag(die, dw::DW_AT_declaration)
}

fn flag(die: &Die<'_>, name: gimli::DwAt) -> bool {
    matches!(die.attr_value(name), Some(AttributeValue::Flag(true)))
}

fn encoding_of(encoding: gimli::DwAte) -> Encoding {
    match encoding {
        dw::DW_ATE_boolean => Encoding::Bool,
        dw::DW_ATE_signed => Encoding::Signed,
        dw::DW_ATE_unsigned | dw::DW_ATE_address => Encoding::Unsigned,
        dw::DW_ATE_signed_char => Encoding::SignedChar,
        dw::DW_ATE_unsigned_char => Encoding::UnsignedChar,
        dw::DW_ATE_UTF | dw::DW_ATE_UCS | dw::DW_ATE_ASCII => Encoding::Utf,
        dw::DW_ATE_float => Encoding::Float,
        _ => Encoding::Other,
    }
}

/// A constant, which is negative only if its form says so.
fn constant(value: &AttributeValue<Slice<'_>>) -> Option<i128> {
    match *value {
        AttributeValue::Sdata(value) => Some(value.into()),
        AttributeValue::Data16(value) => Some(value as i128),
        ref other => other.udata_value().map(i128::from),
    }
}
