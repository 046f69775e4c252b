//! One block of memory, decoded by the plan of its type.

use crate::addr::VirtAddr;
use crate::budget;
use crate::bytes::Endian;
use crate::types::Types;
use crate::types::model::{BitField, Enumeration, Type};
use crate::value::format::Bits;
use crate::value::gathered::Gathered;
use crate::value::meaning::{Found, NumberMeaning};
use crate::value::memory_block::MemoryBlock;
use crate::value::model::*;
use crate::value::number::{self, Number, enum_value, integer};
use crate::value::parts::{CHEAP_PARTS, Depth, Parts};
use crate::value::plan::*;
use crate::value::read::ValueReader;
use crate::value::{bits, freed};

/// Records and arrays within each other, whatever `Limits::depth` says: to follow them
/// takes stack.
pub const DEEPEST: usize = 64;

/// Decodes one block of memory.
pub struct Decoder<'a, 't> {
    reader: &'a ValueReader<'t>,
    types: &'a Types,
    block: &'a MemoryBlock,
    pub(in crate::value) endian: Endian,
    pub(in crate::value) parts: Parts<'a>,
}

impl<'a, 't> Decoder<'a, 't> {
    pub fn new(
        reader: &'a ValueReader<'t>,
        types: &'a Types,
        block: &'a MemoryBlock,
        parts: Parts<'a>,
    ) -> Self {
        Self { reader, types, block, endian: reader.target.arch().endian(), parts }
    }

    /// The whole block as a value.
    pub fn whole(&self, plan: &Plan) -> Value {
        self.value(plan, 0, Depth::default())
    }

    /// The value at `offset` of the block.
    pub(in crate::value) fn value(&self, plan: &Plan, offset: usize, depth: Depth) -> Value {
        match &plan.shape {
            Shape::Number(number) => self.number(*number, offset),
            Shape::Meant(number, meaning) => self.meant(*number, *meaning, offset),
            Shape::Record(record) => match self.missing(plan, offset) {
                None => self.record(record, offset, depth),
                Some(fault) => fault.clone().into(),
            },
            Shape::Array(array) => match self.missing(plan, offset) {
                None => self.dimension(array, &array.counts, offset, depth),
                Some(fault) => fault.clone().into(),
            },
            Shape::Counter => self.counter(offset),
            Shape::Nothing(why) => why.clone().into(),
            scalar => match self.bytes(offset, *plan.size.as_ref().unwrap_or(&0)) {
                Ok(bytes) => self.scalar(scalar, self.address(offset), bytes),
                Err(error) => error,
            },
        }
    }

    pub(in crate::value) fn part(&self, part: &Part, offset: usize, depth: Depth) -> Value {
        match part {
            Part::Known(plan) => self.value(plan, offset, depth),
            Part::Later(id) => self.value(&self.reader.plans.of(self.types, *id), offset, depth),
        }
    }

    /// Why nothing at all of a record or array can be read: one reason in the place of the
    /// whole, not in that of each part.
    pub(in crate::value) fn missing(&self, plan: &Plan, offset: usize) -> Option<&ValueError> {
        let size = usize::try_from(*plan.size.as_ref().ok()?).unwrap_or(usize::MAX);
        self.block.missing(&(offset..offset.saturating_add(size)))
    }

    pub(in crate::value) fn number(&self, number: Number, offset: usize) -> Value {
        match self.bytes(offset, number.size() as u64) {
            Ok(bytes) => {
                let value = number.value_at(bytes, self.address(offset));
                self.reader.told(value, || number.bits(bytes))
            }
            Err(error) => self.reader.told(error, || number.bits(&[])),
        }
    }

    fn meant(&self, number: Number, meaning: NumberMeaning, offset: usize) -> Value {
        match (self.number(number, offset), self.bytes(offset, number.size() as u64)) {
            (value, Ok(bytes)) => self.reader.meant(value, meaning, || number.bits(bytes)),
            (value, Err(_)) => value,
        }
    }

    fn scalar(&self, scalar: &Shape, address: VirtAddr, bytes: &[u8]) -> Value {
        if let Some(why) = freed::number(self.endian, bytes, address) {
            return why.into();
        }
        let raw = || self.endian.uint(bytes.get(..16).unwrap_or(bytes));
        match scalar {
            Shape::Pointer(pointer) => {
                self.reader.pointer_by(*pointer, VirtAddr::new(raw() as u64))
            }
            Shape::Enum(enumeration) => {
                let width = bytes.len() as u64 * 8;
                let value = self.enumerated(enumeration, raw(), width);
                self.reader.told(value, || Bits::new(raw(), width, enumeration.signed))
            }
            Shape::Base(base) => match number::decode(base, bytes, self.endian) {
                Some(value) => self.reader.told(value, || number::bits(base, bytes, self.endian)),
                None => self.reader.shown(bytes),
            },
            _ => self.reader.shown(bytes),
        }
    }

    /// This searches all enumerators for each value, and an enum may have millions.
    fn enumerated(&self, enumeration: &Enumeration, raw: u128, width: u64) -> Value {
        const ENUMERATORS_A_STEP: u64 = 32;
        match self.parts.work(enumeration.enumerators.len() as u64 / ENUMERATORS_A_STEP) {
            Ok(()) => enum_value(enumeration, raw, width),
            Err(why) => ValueError::from(why).into(),
        }
    }

    fn record(&self, plan: &RecordPlan, offset: usize, depth: Depth) -> Value {
        if let Err(why) = self.enter(offset, depth) {
            return why.into();
        }
        let meaning = plan.meaning.filter(|_| self.reader.tells_meaning());
        let mut members = Gathered::of(&plan.names, meaning.is_some());
        self.members(plan, offset, depth.of_record(), &mut members);
        let note = meaning.and_then(|meaning| {
            meaning.note(&mut Found {
                target: self.reader.target,
                address: self.address(offset),
                bytes: self.bytes(offset, plan.size).unwrap_or_default(),
                members: &mut members,
            })
        });
        Value::Record(members.into_record(note))
    }

    /// Whether the limits allow a record to be read.
    pub(in crate::value) fn enter(&self, offset: usize, depth: Depth) -> Result<(), ValueError> {
        budget::level("the value", depth.levels, DEEPEST)?;
        if depth.records >= self.reader.limits.depth {
            return Err(ValueError {
                kind: ErrorKind::Depth,
                address: Some(self.address(offset)),
                message: "nested deeper than the depth limit".into(),
            });
        }
        Ok(())
    }

    /// Adds the members of a record; those of anonymous ones stand among them. Where
    /// no parts are left, the reason stands in the place of the rest.
    fn members(&self, plan: &RecordPlan, offset: usize, depth: Depth, out: &mut Gathered<'_>) {
        let start = out.len();
        for member in &plan.members {
            if let Err(why) = self.parts.spend() {
                out.leave_out(start, why.into());
                return;
            }
            let at = offset.saturating_add(member.offset);
            match (&member.place, &member.kind) {
                (Place::Named, MemberKind::Value(part)) => out.push(self.part(part, at, depth)),
                (Place::Named, MemberKind::Bits(field, found, meaning)) => {
                    out.push(self.bit_field(found, at, *field, *meaning));
                }
                (Place::Among(count), MemberKind::Value(Part::Known(plan))) => {
                    let behind = out.names_used() + count;
                    if let Err(why) = self.anonymous(plan, at, depth, out) {
                        out.leave_out(start, why);
                    }
                    out.use_names(behind);
                }
                (_, MemberKind::Value(part)) => match self.part(part, at, depth) {
                    Value::Record(anonymous) => out.append(anonymous),
                    Value::Error(why) => out.leave_out(start, *why),
                    _ => {}
                },
                // Padding has neither a name nor a meaning.
                (_, MemberKind::Bits(..)) => {}
            }
        }
    }

    /// Adds the members of an anonymous record to those of the one it is in.
    fn anonymous(
        &self,
        plan: &Plan,
        offset: usize,
        depth: Depth,
        out: &mut Gathered<'_>,
    ) -> Result<(), ValueError> {
        if let Some(fault) = self.missing(plan, offset) {
            return Err(fault.clone());
        }
        self.enter(offset, depth)?;
        if let Shape::Record(plan) = &plan.shape {
            self.members(plan, offset, depth.of_record(), out);
        }
        Ok(())
    }

    /// The value of a bit-field of a type.
    pub fn bit_field(
        &self,
        found: &BitType,
        offset: usize,
        field: BitField,
        meaning: Option<NumberMeaning>,
    ) -> Value {
        let bytes = match self.bytes(offset, bits::bytes_of(field) as u64) {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        let field = match field.known() {
            Ok(field) => field,
            Err(why) => return ValueError::from(why).into(),
        };
        let raw = bits::extract(self.endian, bytes, field);
        // As gdb writes them: as numbers of their type, and not of so few bits.
        let bits = |size: u64, signed: bool| {
            let number = if signed { bits::sign_extend(raw, field.bit_size) } else { raw as i128 };
            Bits::new(number as u128, size.saturating_mul(8), signed)
        };
        match found.as_deref() {
            Ok(Type::Enum(enumeration)) => {
                let value = self.enumerated(enumeration, raw, field.bit_size);
                self.reader.told(value, || bits(enumeration.size, enumeration.signed))
            }
            Ok(Type::Base(base)) => {
                let value = integer(base, raw, field.bit_size);
                let bits = || bits(base.size, number::is_signed(base));
                let value = self.reader.told(value, bits);
                match meaning {
                    Some(meaning) => self.reader.meant(value, meaning, bits),
                    None => value,
                }
            }
            Ok(_) => Value::Int(raw as i128),
            Err(why) => why.clone().into(),
        }
    }

    /// One dimension of an array, and within it the others.
    fn dimension(&self, plan: &ArrayPlan, counts: &[u64], offset: usize, depth: Depth) -> Value {
        let Some((&count, inner)) = counts.split_first() else {
            return self.part(&plan.element, offset, depth);
        };
        if let Err(why) = budget::level("the value", depth.levels, DEEPEST) {
            return ValueError::from(why).into();
        }
        let plain = inner.is_empty().then(|| self.plain_row(plan, count, offset)).flatten();
        match plain {
            Some(value) if self.reader.tells_row(plan) => {
                let text = self.reader.is_string(plan).then(|| self.text(count, offset)).flatten();
                let elements = || self.elements(plan, count, inner, offset, depth);
                self.reader.shown_as(value, text.map_or_else(elements, Value::Text))
            }
            Some(value) => value,
            None => self.elements(plan, count, inner, offset, depth),
        }
    }

    /// An array of one dimension as a program is given it: text, or numbers as their bytes.
    /// `None` if it has other elements.
    fn plain_row(&self, plan: &ArrayPlan, count: u64, offset: usize) -> Option<Value> {
        if let Some(text) = plan.characters.then(|| self.text(count, offset)).flatten() {
            return Some(Value::Text(text));
        }
        let shown = self.shown(count);
        let elements = self.numbers(plan.number?, shown, offset)?;
        Some(Value::Array(ArrayValue { elements, omitted: count - shown }))
    }

    /// The elements one by one, each of them an array if there are `inner` dimensions.
    fn elements(
        &self,
        plan: &ArrayPlan,
        count: u64,
        inner: &[u64],
        offset: usize,
        depth: Depth,
    ) -> Value {
        let shown = self.shown(count);
        let stride = inner.iter().fold(plan.size, |size, count| size.saturating_mul(*count));
        // Each spends from the budget on its own.
        let mut elements = Vec::with_capacity(shown.min(CHEAP_PARTS) as usize);
        for index in 0..shown {
            if let Err(why) = self.parts.spend() {
                elements.push(ValueError::from(why).into());
                break;
            }
            let distance = usize::try_from(index.saturating_mul(stride)).unwrap_or(usize::MAX);
            let at = offset.saturating_add(distance);
            elements.push(self.dimension(plan, inner, at, depth.of_array()));
            // Where the budget ends, one reason stands for the rest.
            if matches!(elements.last(), Some(Value::Error(why)) if why.kind == ErrorKind::Limit) {
                break;
            }
        }
        Value::Array(ArrayValue { elements: elements.into(), omitted: count - shown })
    }

    /// How many elements of an array are read, of so many that it has.
    pub(in crate::value) fn shown(&self, count: u64) -> u64 {
        count.min(self.reader.limits.elements as u64).min(self.block.len() as u64)
    }

    /// The bytes of so many numbers in a row, if they are numbers and all can be read.
    pub(in crate::value) fn whole_numbers(
        &self,
        array: &ArrayPlan,
        count: u64,
        offset: usize,
    ) -> Option<(Number, &[u8])> {
        let number = array.number?;
        let size = number.size().checked_mul(usize::try_from(count).ok()?)?;
        let bytes = self.block.get(offset..offset.checked_add(size)?)?.ok()?;
        Some((number, bytes))
    }

    /// `count` adjacent numbers, kept as bytes; `None` if they extend past the block.
    fn numbers(&self, number: Number, count: u64, offset: usize) -> Option<Elements> {
        let size = number.size().checked_mul(usize::try_from(count).ok()?)?;
        let (bytes, holes) = self.block.with_holes(offset..offset.checked_add(size)?)?;
        Some(Elements::numbers(number, bytes, self.address(offset), holes))
    }

    /// The string in a char array: up to its NUL, if all before that is printable.
    pub(in crate::value) fn text(&self, count: u64, offset: usize) -> Option<Box<str>> {
        if count == 0 {
            return None;
        }
        let bytes = self.bytes(offset, count).ok()?;
        let end = memchr::memchr(0, bytes)?;
        // A buffer that merely begins with a zero byte is not an empty string.
        if end == 0 && bytes.iter().any(|byte| *byte != 0) {
            return None;
        }
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        is_printable(text).then(|| text.into())
    }

    fn counter(&self, offset: usize) -> Value {
        let target = self.reader.target;
        match self.bytes(offset, target.arch().pointer_size()) {
            Ok(bytes) => {
                let raw = self.endian.uint(bytes) as u64;
                let value = self.reader.counters.value(target, VirtAddr::new(raw));
                match value {
                    Value::Counter { sum, .. } => {
                        self.reader.told(value, || Bits::new(sum.into(), 64, false))
                    }
                    value => value,
                }
            }
            Err(error) => error,
        }
    }

    /// `size` bytes at `offset`, or the error that stands in their place.
    #[inline]
    pub(in crate::value) fn bytes(&self, offset: usize, size: u64) -> Result<&[u8], Value> {
        let end = offset.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        match self.block.get(offset..end) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(why)) => Err(why.clone().into()),
            None => Err(self.outside(offset)),
        }
    }

    #[cold]
    fn outside(&self, offset: usize) -> Value {
        Value::from(ValueError {
            kind: ErrorKind::NoType,
            address: Some(self.address(offset)),
            message: "the type places this outside the variable".into(),
        })
    }

    pub(in crate::value) fn address(&self, offset: usize) -> VirtAddr {
        self.block.address.wrapping_add(offset as u64)
    }
}

/// Whether the text is printable.
pub fn is_printable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}
