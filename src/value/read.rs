//! Bytes and a type to a [`Value`].
//!
//! A variable's memory is read in one piece and then taken apart. Every part
//! that is not readable, has no type or goes past a limit becomes an error in
//! its own place; nothing is left out silently.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::error::TypeError;
use crate::target::Target;
use crate::types::model::*;
use crate::types::{Piece, Types, model::Member};
use crate::value::counter::{Counters, is_counter};
use crate::value::memory_block::MemoryBlock;
use crate::value::model::*;
use crate::value::{bits, float, freed, sockaddr};

/// How much of a value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Elements of one array; the rest is counted and left out.
    pub elements: usize,
    /// Structs within structs.
    pub depth: usize,
    /// Bytes of a string behind a `char *`.
    pub string: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { elements: 200, depth: 16, string: 200 }
    }
}

impl Limits {
    /// All of every array.
    pub fn unlimited() -> Self {
        Self { elements: usize::MAX, ..Self::default() }
    }
}

/// A value of more bytes is not read: no variable is that large, only a damaged size.
pub const MAX_SIZE: u64 = 64 << 20;

/// Reads values of one target.
#[derive(Debug, Clone)]
pub struct ValueReader<'t> {
    target: &'t Target,
    limits: Limits,
    counters: &'t Counters,
    /// What has been found out about types, for this thread alone: an array asks
    /// the same of every element, and the threads would wait for each other.
    shapes: RefCell<FxHashMap<TypeId, Rc<Shape>>>,
}

/// A type as a value is read by it.
#[derive(Debug)]
struct Shape {
    counter: bool,
    /// Behind typedefs and qualifiers, and its definition.
    resolved: Result<(TypeId, Arc<Type>), TypeError>,
    size: Result<u64, TypeError>,
}

impl Shape {
    fn of(types: &Types, id: TypeId) -> Self {
        let counter = is_counter(types, id);
        Self { counter, resolved: types.resolve(id), size: types.size_of(id) }
    }
}

impl<'t> ValueReader<'t> {
    pub fn new(target: &'t Target, counters: &'t Counters, limits: Limits) -> Self {
        Self { target, limits, counters, shapes: RefCell::default() }
    }

    /// The value of type `id` at `address`.
    pub fn read(&self, id: TypeId, address: VirtAddr) -> Value {
        let types = match self.target.types() {
            Ok(types) => types,
            Err(why) => return no_type(&why),
        };
        let size = match types.size_of(id) {
            Ok(size) if size <= MAX_SIZE => size as usize,
            Ok(size) => return too_large(address, size),
            Err(why) => return self.sizeless(types, id, address, &why),
        };
        if let Err(freed) = freed::check_value(self.target.memory(), address, size as u64) {
            return Value::Error(freed.into());
        }
        let block = MemoryBlock::read(self.target.memory(), address, size);
        Decoder { reader: self, types, block: &block }.decode(id, 0, 0)
    }

    /// The value of type `id`, or of a bit-field of it, whose bytes are in pieces; a member
    /// that is nowhere has the reason in its place.
    pub fn read_pieces(&self, id: TypeId, bits: Option<BitField>, pieces: &[Piece]) -> Value {
        let types = match self.target.types() {
            Ok(types) => types,
            Err(why) => return no_type(&why),
        };
        let size = pieces.iter().fold(0u64, |size, piece| size.saturating_add(piece.len));
        if size > MAX_SIZE {
            return too_large(VirtAddr::default(), size);
        }
        let block = MemoryBlock::of_pieces(self.target.memory(), pieces);
        let decoder = Decoder { reader: self, types, block: &block };
        match bits {
            Some(field) => decoder.bit_field(id, 0, field),
            None => decoder.decode(id, 0, 0),
        }
    }

    /// A value of which only the size is known.
    pub fn read_bytes(&self, address: VirtAddr, size: u64) -> Value {
        if size > MAX_SIZE {
            return too_large(address, size);
        }
        let block = MemoryBlock::read(self.target.memory(), address, size as usize);
        match block.get(0..block.len()) {
            Some(Ok(bytes)) => self.shown(bytes),
            Some(Err(why)) => Value::Error(why.clone()),
            None => self.shown(&[]),
        }
    }

    /// As many of the bytes as elements of an array would be shown.
    fn shown(&self, bytes: &[u8]) -> Value {
        let (shown, rest) = bytes.split_at(bytes.len().min(self.limits.elements));
        Value::Bytes(BytesValue { bytes: shown.to_vec(), omitted: rest.len() as u64 })
    }

    /// The value of a bit-field of type `id` in the record member at `address`.
    pub fn read_bit_field(&self, id: TypeId, address: VirtAddr, field: BitField) -> Value {
        let types = match self.target.types() {
            Ok(types) => types,
            Err(why) => return no_type(&why),
        };
        let block = MemoryBlock::read(self.target.memory(), address, bits::bytes_of(field));
        Decoder { reader: self, types, block: &block }.bit_field(id, 0, field)
    }

    /// A pointer value of type "pointer to `pointee`".
    pub fn pointer(&self, address: VirtAddr, pointee: TypeId) -> Value {
        let kind = self.target.types().and_then(|types| Ok(types.strip(pointee)?.1));
        let function = matches!(kind.as_deref(), Ok(Type::Function(_)));
        let text = match kind.as_deref() {
            Ok(Type::Base(base)) if is_char(base) => self.text_at(address),
            _ => None,
        };
        Value::Pointer(PointerValue { address, symbol: self.symbol_at(address), function, text })
    }

    /// A number as a value of an arithmetic type or enum, which it fits.
    pub fn number(&self, type_id: TypeId, value: i128) -> Value {
        let kind = self.target.types().and_then(|types| types.resolve(type_id));
        match kind.as_ref().map(|(_, kind)| &**kind) {
            Ok(Type::Base(base)) if base.encoding != Encoding::Float => {
                integer(base, value as u128, base.size.saturating_mul(8).min(128))
            }
            Ok(Type::Enum(enumeration)) => {
                enum_value(enumeration, value as u128, enumeration.size.saturating_mul(8).min(128))
            }
            _ => Value::Int(value),
        }
    }

    /// The value of a function's name: its address.
    pub fn function(&self, address: VirtAddr) -> Value {
        let symbol = self.symbol_at(address);
        Value::Pointer(PointerValue { address, symbol, function: true, text: None })
    }

    fn symbol_at(&self, address: VirtAddr) -> Option<SymbolAt> {
        let (name, offset) = self.target.label(address)?;
        Some(SymbolAt { name: name.into(), offset })
    }

    fn text_at(&self, address: VirtAddr) -> Option<Box<str>> {
        if address.is_null() {
            return None;
        }
        let bytes = self.target.memory().c_string(address, self.limits.string).ok()?;
        let text = std::str::from_utf8(&bytes).ok().filter(|text| is_printable(text))?;
        Some(text.into())
    }

    /// Functions have an address and no bytes; an incomplete type has neither.
    fn sizeless(&self, types: &Types, id: TypeId, address: VirtAddr, why: &TypeError) -> Value {
        match types.resolve(id).map(|(_, found)| found).as_deref() {
            Ok(Type::Function(_)) => self.pointer(address, id),
            _ => no_type(why),
        }
    }
}

/// Takes one block of memory apart.
struct Decoder<'a, 't> {
    reader: &'a ValueReader<'t>,
    types: &'a Types,
    block: &'a MemoryBlock,
}

impl Decoder<'_, '_> {
    /// The value of type `id` at `offset` of the block.
    fn decode(&self, id: TypeId, offset: usize, depth: usize) -> Value {
        let shape = self.shape(id);
        if shape.counter {
            return self.counter(offset);
        }
        let (id, found) = match &shape.resolved {
            Ok((id, found)) => (*id, found),
            Err(why) => return no_type(why),
        };
        if let (Type::Record(_) | Type::Array(_), Ok(size)) = (&**found, &shape.size) {
            // One reason in the place of the whole, not in that of each part.
            let end = offset.saturating_add(usize::try_from(*size).unwrap_or(usize::MAX));
            if let Some(fault) = self.block.missing(&(offset..end)) {
                return Value::Error(fault.clone());
            }
        }
        match &**found {
            Type::Record(record) if record.declaration => {
                no_type(&TypeError::Incomplete { type_name: self.types.name(id) })
            }
            Type::Record(record) => self.record(record, offset, depth),
            Type::Array(array) => self.array(array, offset, depth),
            Type::Void | Type::Function(_) => {
                let wanted = "something that has a value";
                no_type(&TypeError::WrongKind { type_name: self.types.name(id), wanted })
            }
            scalar => match self.bytes(offset, *shape.size.as_ref().unwrap_or(&0)) {
                Ok(bytes) => self.scalar(scalar, self.address(offset), bytes),
                Err(error) => error,
            },
        }
    }

    fn scalar(&self, scalar: &Type, address: VirtAddr, bytes: &[u8]) -> Value {
        let endian = self.reader.target.arch().endian();
        if freed::is_pattern(endian, bytes) {
            let message =
                format!("it is {:#x}, which freed memory is filled with", endian.uint(bytes));
            return Value::Error(ValueError {
                kind: ErrorKind::Freed,
                address: Some(address),
                message: message.into(),
            });
        }
        let raw = || endian.uint(&bytes[..bytes.len().min(16)]);
        let width = bytes.len() as u64 * 8;
        match scalar {
            Type::Pointer(pointer) => {
                self.reader.pointer(VirtAddr::new(raw() as u64), pointer.target)
            }
            Type::Enum(enumeration) => enum_value(enumeration, raw(), width),
            Type::Base(base) => match base.encoding {
                Encoding::Float => float::decode(bytes, endian)
                    .map_or_else(|| self.reader.shown(bytes), Value::Float),
                Encoding::Other => self.reader.shown(bytes),
                _ if bytes.len() > 16 => self.reader.shown(bytes),
                _ => integer(base, raw(), width),
            },
            _ => self.reader.shown(bytes),
        }
    }

    fn record(&self, record: &Record, offset: usize, depth: usize) -> Value {
        if depth >= self.reader.limits.depth {
            return Value::Error(ValueError {
                kind: ErrorKind::Limit,
                address: Some(self.address(offset)),
                message: "nested deeper than the depth limit".into(),
            });
        }
        let mut members = Vec::with_capacity(record.members.len());
        self.collect(&record.members, offset, depth, &mut members);
        let size = record.size.unwrap_or(0);
        let bytes = self.bytes(offset, size).unwrap_or_default();
        let note = record
            .name
            .as_deref()
            .and_then(|name| sockaddr::note(name, bytes, self.reader.target, self.address(offset)));
        Value::Record(RecordValue { members, note: note.map(String::into_boxed_str) })
    }

    /// Adds the members of a record; those of anonymous ones stand among them.
    fn collect(&self, members: &[Member], offset: usize, depth: usize, out: &mut Vec<MemberValue>) {
        for member in members {
            let at = offset.saturating_add(usize::try_from(member.offset).unwrap_or(usize::MAX));
            let value = match member.bits {
                Some(field) => self.bit_field(member.type_id, at, field),
                None => self.decode(member.type_id, at, depth + 1),
            };
            match (&member.name, value) {
                (Some(name), value) => out.push(MemberValue { name: name.clone(), value }),
                (None, Value::Record(anonymous)) => out.extend(anonymous.members),
                // Padding has neither a name nor a meaning.
                (None, _) => {}
            }
        }
    }

    fn bit_field(&self, id: TypeId, offset: usize, field: BitField) -> Value {
        let bytes = match self.bytes(offset, bits::bytes_of(field) as u64) {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        let raw = bits::extract(self.reader.target.arch().endian(), bytes, field);
        match self.types.resolve(id).map(|(_, found)| found).as_deref() {
            Ok(Type::Enum(enumeration)) => enum_value(enumeration, raw, field.bit_size),
            Ok(Type::Base(base)) => integer(base, raw, field.bit_size),
            Ok(_) => Value::Int(raw as i128),
            Err(why) => no_type(why),
        }
    }

    fn array(&self, array: &Array, offset: usize, depth: usize) -> Value {
        let counts: Vec<u64> = array.counts.iter().map(|count| count.unwrap_or(0)).collect();
        match &self.shape(array.element).size {
            Ok(size) => self.dimension(array.element, &counts, *size, offset, depth),
            Err(why) => no_type(why),
        }
    }

    /// One dimension of an array, and within it the others.
    fn dimension(
        &self,
        element: TypeId,
        counts: &[u64],
        size: u64,
        offset: usize,
        depth: usize,
    ) -> Value {
        let Some((&count, inner)) = counts.split_first() else {
            return self.decode(element, offset, depth);
        };
        if let ([], Some(text)) = (inner, self.text(element, count, offset, size)) {
            return Value::Text(text);
        }
        let stride = inner.iter().fold(size, |size, count| size.saturating_mul(*count));
        let shown = count.min(self.reader.limits.elements as u64).min(self.block.len() as u64);
        let at = |index: u64| {
            let distance = usize::try_from(index.saturating_mul(stride)).unwrap_or(usize::MAX);
            offset.saturating_add(distance)
        };
        let elements = (0..shown).map(|i| self.dimension(element, inner, size, at(i), depth));
        Value::Array(ArrayValue { elements: elements.collect(), omitted: count - shown })
    }

    /// The string in a char array: up to its NUL, if all before that is printable.
    fn text(&self, element: TypeId, count: u64, offset: usize, size: u64) -> Option<Box<str>> {
        let shape = self.shape(element);
        let Ok((_, element)) = &shape.resolved else { return None };
        let Type::Base(base) = &**element else { return None };
        if size != 1 || count == 0 || !is_char(base) {
            return None;
        }
        let bytes = self.bytes(offset, count).ok()?;
        let end = memchr::memchr(0, bytes)?;
        // A buffer that merely begins with a zero byte is no empty string.
        if end == 0 && bytes.iter().any(|byte| *byte != 0) {
            return None;
        }
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        is_printable(text).then(|| text.into())
    }

    fn shape(&self, id: TypeId) -> Rc<Shape> {
        let known = self.reader.shapes.borrow().get(&id).cloned();
        known.unwrap_or_else(|| {
            let shape = Rc::new(Shape::of(self.types, id));
            self.reader.shapes.borrow_mut().insert(id, Rc::clone(&shape));
            shape
        })
    }

    fn counter(&self, offset: usize) -> Value {
        let target = self.reader.target;
        match self.bytes(offset, target.arch().pointer_size()) {
            Ok(bytes) => {
                let raw = target.arch().endian().uint(bytes) as u64;
                self.reader.counters.value(target, VirtAddr::new(raw))
            }
            Err(error) => error,
        }
    }

    /// `size` bytes at `offset`, or the error that stands in their place.
    fn bytes(&self, offset: usize, size: u64) -> Result<&[u8], Value> {
        let end = offset.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        match self.block.get(offset..end) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(why)) => Err(Value::Error(why.clone())),
            None => Err(Value::Error(ValueError {
                kind: ErrorKind::NoType,
                address: Some(self.address(offset)),
                message: "the type says this lies outside of the variable".into(),
            })),
        }
    }

    fn address(&self, offset: usize) -> VirtAddr {
        self.block.address.wrapping_add(offset as u64)
    }
}

fn integer(base: &Base, raw: u128, width: u64) -> Value {
    match base.encoding {
        Encoding::Bool => Value::Bool(raw != 0),
        Encoding::Signed => Value::Int(bits::sign_extend(raw, width)),
        Encoding::SignedChar if width == 8 => Value::Char(bits::sign_extend(raw, width)),
        Encoding::SignedChar => Value::Int(bits::sign_extend(raw, width)),
        Encoding::UnsignedChar if width == 8 && is_char(base) => Value::Char(raw as i128),
        // Past 2^127 an unsigned number does not fit the model's integers.
        _ => i128::try_from(raw)
            .map_or_else(|_| Value::Bytes(raw.to_le_bytes().to_vec().into()), Value::Int),
    }
}

fn enum_value(enumeration: &Enumeration, raw: u128, width: u64) -> Value {
    let value = if enumeration.signed { bits::sign_extend(raw, width) } else { raw as i128 };
    let named = enumeration.enumerators.iter().find(|enumerator| enumerator.value == value);
    let name = named.map(|enumerator| enumerator.name.clone());
    Value::Enum { name: name.or_else(|| flags(enumeration, value)), value }
}

/// The names of several flags that are set: `A | B`, as gdb tells them. An enum is of
/// flags if each enumerator is a single bit; bits without a name are told as a number.
fn flags(enumeration: &Enumeration, value: i128) -> Option<Box<str>> {
    let mut names = Vec::new();
    let mut rest = value;
    for Enumerator { name, value: bit } in &enumeration.enumerators {
        if *bit < 0 || bit & (bit.wrapping_sub(1)) != 0 {
            return None;
        }
        // Of two names for one bit the first is told.
        if rest & bit != 0 {
            names.push(name.to_string());
            rest &= !bit;
        }
    }
    if names.is_empty() {
        return None;
    }
    if rest != 0 {
        names.push(format!("unknown: {rest:#x}"));
    }
    Some(names.join(" | ").into())
}

/// `char` itself. `u_char` and `uint8_t` hold numbers.
fn is_char(base: &Base) -> bool {
    &*base.name == "char"
}

fn is_printable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}

fn no_type(why: &TypeError) -> Value {
    let message = why.to_string().into();
    Value::Error(ValueError { kind: ErrorKind::NoType, address: None, message })
}

fn too_large(address: VirtAddr, size: u64) -> Value {
    Value::Error(ValueError {
        kind: ErrorKind::TooLarge,
        address: Some(address),
        message: format!("{size} bytes are more than any variable has").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_by_name() {
        let enumerators = [("A", 1), ("B", 2), ("C", 4), ("D", 4), ("ZERO", 0)];
        let enumerators = enumerators.map(|(name, value)| Enumerator { name: name.into(), value });
        let (name, enumerators) = (None, enumerators.to_vec());
        let mut of_flags =
            Enumeration { name, size: 4, signed: false, enumerators, declaration: false };
        let name = |enumeration: &Enumeration, raw| match enum_value(enumeration, raw, 32) {
            Value::Enum { name, .. } => name.map(String::from),
            other => panic!("{other:?}"),
        };
        for (raw, told) in [(5, "A | C"), (4, "C"), (0, "ZERO"), (0x13, "A | B | unknown: 0x10")] {
            assert_eq!(name(&of_flags, raw).as_deref(), Some(told));
        }
        assert_eq!(name(&of_flags, 0x40), None);
        // A state is none of two others.
        of_flags.enumerators.push(Enumerator { name: "THREE".into(), value: 3 });
        assert_eq!(name(&of_flags, 5), None);
    }
}
