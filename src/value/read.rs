//! Bytes and a type to a [`Value`].
//!
//! A variable's memory is read in one piece and then taken apart. Every part
//! that is not readable, has no type or goes past a limit becomes an error in
//! its own place; nothing is left out silently.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::budget::{self, Budget, Exhausted, Share};
use crate::target::Target;
use crate::types::model::*;
use crate::types::{Piece, TypeError, Types, WantedKind, model::Member};
use crate::value::counter::{Counters, is_counter};
use crate::value::elements::{Elements, Packed};
use crate::value::memory_block::MemoryBlock;
use crate::value::model::*;
use crate::value::number::{self, enum_value, integer, is_char};
use crate::value::{bits, freed, sockaddr};

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

/// Records and arrays within each other, whatever `Limits::depth` says: to follow them
/// takes stack.
const DEEPEST: usize = 64;

/// What one value may be made of: members, elements, and what is left to spend on them.
///
/// A struct that holds itself twice has twice as many members with each level, and
/// its size says that it cannot be. So the members and elements of a value are no more
/// than its bytes justify: [`PARTS_A_BYTE`] of them, since each bit of a byte may have a
/// name, in each of several unions. Those that there is a byte for cost nothing.
struct Parts<'b> {
    budget: &'b Budget,
    share: Share<'b>,
    count: Cell<u64>,
    /// As many as there are bytes.
    free: u64,
}

const PARTS_A_BYTE: u64 = 64;
/// So many a value may have though it has no bytes.
const LEAST_PARTS: u64 = 4096;
/// From here on the memory for parts is counted too.
const CHEAP_PARTS: u64 = 1 << 16;

impl<'b> Parts<'b> {
    fn of(budget: &'b Budget, size: usize) -> Result<Self, Exhausted> {
        const BYTES_A_STEP: u64 = 256;
        let free = size as u64;
        budget.work(free / BYTES_A_STEP)?;
        let most = LEAST_PARTS.saturating_add(free.saturating_mul(PARTS_A_BYTE));
        Ok(Self { budget, share: budget.share("the value", most), count: Cell::new(0), free })
    }

    /// Spends one part.
    fn spend(&self) -> Result<(), Exhausted> {
        let count = self.count.get();
        if count >= self.free {
            self.share.work(1)?;
        }
        if count >= CHEAP_PARTS && count.is_multiple_of(CHEAP_PARTS) {
            self.budget.bytes(CHEAP_PARTS * size_of::<MemberValue>() as u64)?;
        }
        self.count.set(count + 1);
        Ok(())
    }
}

/// How deep within a value one is: in records, and in records and arrays.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    records: usize,
    levels: usize,
}

impl Depth {
    fn of_record(self) -> Self {
        Self { records: self.records + 1, levels: self.levels + 1 }
    }

    fn of_array(self) -> Self {
        Self { levels: self.levels + 1, ..self }
    }
}

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
        match Parts::of(self.target.budget(), size) {
            Ok(parts) => {
                let block = MemoryBlock::read(self.target.memory(), address, size);
                Decoder { reader: self, types, block: &block, parts }.whole(id)
            }
            Err(why) => Value::Error(why.into()),
        }
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
        let parts = match Parts::of(self.target.budget(), size as usize) {
            Ok(parts) => parts,
            Err(why) => return Value::Error(why.into()),
        };
        let block = MemoryBlock::of_pieces(self.target.memory(), pieces);
        let decoder = Decoder { reader: self, types, block: &block, parts };
        match bits {
            Some(field) => decoder.bit_field(id, 0, field),
            None => decoder.whole(id),
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
        let size = bits::bytes_of(field);
        match Parts::of(self.target.budget(), size) {
            Ok(parts) => {
                let block = MemoryBlock::read(self.target.memory(), address, size);
                Decoder { reader: self, types, block: &block, parts }.bit_field(id, 0, field)
            }
            Err(why) => Value::Error(why.into()),
        }
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

/// What an array is of, and its bytes.
#[derive(Debug, Clone, Copy)]
struct ElementType {
    id: TypeId,
    size: u64,
}

/// Takes one block of memory apart.
struct Decoder<'a, 't> {
    reader: &'a ValueReader<'t>,
    types: &'a Types,
    block: &'a MemoryBlock,
    parts: Parts<'a>,
}

impl Decoder<'_, '_> {
    /// The value of type `id` that the block is.
    fn whole(&self, id: TypeId) -> Value {
        self.decode(id, 0, Depth::default())
    }

    /// The value of type `id` at `offset` of the block.
    fn decode(&self, id: TypeId, offset: usize, depth: Depth) -> Value {
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
                let wanted = WantedKind::Valued;
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
        if let Some(why) = freed::number(endian, bytes, address) {
            return Value::Error(why);
        }
        let raw = || endian.uint(&bytes[..bytes.len().min(16)]);
        let width = bytes.len() as u64 * 8;
        match scalar {
            Type::Pointer(pointer) => {
                self.reader.pointer(VirtAddr::new(raw() as u64), pointer.target)
            }
            Type::Enum(enumeration) => self.enumerated(enumeration, raw(), width),
            Type::Base(base) => {
                number::decode(base, bytes, endian).unwrap_or_else(|| self.reader.shown(bytes))
            }
            _ => self.reader.shown(bytes),
        }
    }

    /// Every value of an enum is looked for among its enumerators, of which there may be
    /// millions.
    fn enumerated(&self, enumeration: &Enumeration, raw: u128, width: u64) -> Value {
        const ENUMERATORS_A_STEP: u64 = 32;
        let steps = enumeration.enumerators.len() as u64 / ENUMERATORS_A_STEP;
        match self.parts.budget.work(steps) {
            Ok(()) => enum_value(enumeration, raw, width),
            Err(why) => Value::Error(why.into()),
        }
    }

    fn record(&self, record: &Record, offset: usize, depth: Depth) -> Value {
        if let Err(why) = budget::level("the value", depth.levels, DEEPEST) {
            return Value::Error(why.into());
        }
        if depth.records >= self.reader.limits.depth {
            return Value::Error(ValueError {
                kind: ErrorKind::Depth,
                address: Some(self.address(offset)),
                message: "nested deeper than the depth limit".into(),
            });
        }
        let mut members = Vec::new();
        self.collect(&record.members, offset, depth.of_record(), &mut members);
        let size = record.size.unwrap_or(0);
        let bytes = self.bytes(offset, size).unwrap_or_default();
        let note = record
            .name
            .as_deref()
            .and_then(|name| sockaddr::note(name, bytes, self.reader.target, self.address(offset)));
        Value::Record(RecordValue { members, note: note.map(String::into_boxed_str) })
    }

    /// Adds the members of a record; those of anonymous ones stand among them. Where
    /// no parts are left, the reason stands in the place of the rest.
    fn collect(&self, members: &[Member], offset: usize, depth: Depth, out: &mut Vec<MemberValue>) {
        for member in members {
            if let Err(why) = self.parts.spend() {
                leave_out(out, why.into());
                return;
            }
            let at = offset.saturating_add(usize::try_from(member.offset).unwrap_or(usize::MAX));
            let value = match member.bits {
                Some(field) => self.bit_field(member.type_id, at, field),
                None => self.decode(member.type_id, at, depth),
            };
            match (&member.name, value) {
                (Some(name), value) => out.push(MemberValue { name: name.clone(), value }),
                (None, Value::Record(anonymous)) => out.extend(anonymous.members),
                (None, Value::Error(why)) if member.bits.is_none() => leave_out(out, why),
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
            Ok(Type::Enum(enumeration)) => self.enumerated(enumeration, raw, field.bit_size),
            Ok(Type::Base(base)) => integer(base, raw, field.bit_size),
            Ok(_) => Value::Int(raw as i128),
            Err(why) => no_type(why),
        }
    }

    fn array(&self, array: &Array, offset: usize, depth: Depth) -> Value {
        let counts: Vec<u64> = array.counts.iter().map(|count| count.unwrap_or(0)).collect();
        match &self.shape(array.element).size {
            Ok(size) => {
                let element = ElementType { id: array.element, size: *size };
                self.dimension(element, &counts, offset, depth)
            }
            Err(why) => no_type(why),
        }
    }

    /// One dimension of an array, and within it the others.
    fn dimension(
        &self,
        element: ElementType,
        counts: &[u64],
        offset: usize,
        depth: Depth,
    ) -> Value {
        let Some((&count, inner)) = counts.split_first() else {
            return self.decode(element.id, offset, depth);
        };
        if let Err(why) = budget::level("the value", depth.levels, DEEPEST) {
            return Value::Error(why.into());
        }
        if let ([], Some(text)) = (inner, self.text(element, count, offset)) {
            return Value::Text(text);
        }
        let stride = inner.iter().fold(element.size, |size, count| size.saturating_mul(*count));
        let shown = count.min(self.reader.limits.elements as u64).min(self.block.len() as u64);
        let omitted = count - shown;
        if let ([], Some(elements)) = (inner, self.numbers(element, shown, offset)) {
            return Value::Array(ArrayValue { elements, omitted });
        }
        let mut elements = Vec::new();
        for index in 0..shown {
            if let Err(why) = self.parts.spend() {
                elements.push(Value::Error(why.into()));
                break;
            }
            let distance = usize::try_from(index.saturating_mul(stride)).unwrap_or(usize::MAX);
            let at = offset.saturating_add(distance);
            elements.push(self.dimension(element, inner, at, depth.of_array()));
        }
        Value::Array(ArrayValue { elements: elements.into(), omitted })
    }

    /// So many numbers in a row, which stay bytes; `None` where they are no numbers.
    fn numbers(&self, element: ElementType, count: u64, offset: usize) -> Option<Elements> {
        let shape = self.shape(element.id);
        let Ok((_, found)) = &shape.resolved else { return None };
        let Type::Base(base) = &**found else { return None };
        if shape.counter || !number::is_word(base) {
            return None;
        }
        let end = offset.checked_add(usize::try_from(count.checked_mul(base.size)?).ok()?)?;
        let (bytes, holes) = self.block.with_holes(offset..end)?;
        let endian = self.reader.target.arch().endian();
        let (bytes, base, address) = (bytes.into(), base.clone(), self.address(offset));
        Some(Elements::packed(Packed { bytes, base, endian, address, holes }))
    }

    /// The string in a char array: up to its NUL, if all before that is printable.
    fn text(&self, element: ElementType, count: u64, offset: usize) -> Option<Box<str>> {
        let shape = self.shape(element.id);
        let Ok((_, found)) = &shape.resolved else { return None };
        let Type::Base(base) = &**found else { return None };
        if element.size != 1 || count == 0 || !is_char(base) {
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

/// Puts the reason in the place of members that have no names to stand for them, once.
fn leave_out(members: &mut Vec<MemberValue>, why: ValueError) {
    const LEFT_OUT: &str = "...";
    let value = Value::Error(why);
    if members.last().is_none_or(|last| &*last.name != LEFT_OUT || last.value != value) {
        members.push(MemberValue { name: LEFT_OUT.into(), value });
    }
}

fn is_printable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}

fn no_type(why: &TypeError) -> Value {
    Value::Error(why.clone().into())
}

fn too_large(address: VirtAddr, size: u64) -> Value {
    Value::Error(ValueError {
        kind: ErrorKind::TooLarge,
        address: Some(address),
        message: format!("{size} bytes are more than any variable has").into(),
    })
}
