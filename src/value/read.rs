//! Bytes and a type to a [`Value`].
//!
//! A variable's memory is read in one piece and then taken apart. Every part
//! that is not readable, has no type or exceeds a limit becomes an error in
//! its own place; nothing is left out silently.

use std::rc::Rc;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::target::code::RunningCode;
use crate::types::model::*;
use crate::types::{Piece, TypeError, Types};
use crate::value::counter::Counters;
use crate::value::decode::{Decoder, is_printable};
use crate::value::format::{Bits, Format, Letter};
use crate::value::meaning::NumberMeaning;
use crate::value::memory_block::MemoryBlock;
use crate::value::model::*;
use crate::value::number::{enum_value, integer, is_signed};
use crate::value::parts::{Depth, Parts};
use crate::value::plan::{self, Plans, PointerPlan};
use crate::value::{bits, freed};

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
    #[must_use]
    pub fn unlimited() -> Self {
        Self { elements: usize::MAX, ..Self::default() }
    }
}

/// The largest value that is read, in bytes. No variable is larger; a larger size is damage.
pub const MAX_SIZE: u64 = 64 << 20;

/// Reads values of one target.
#[derive(Debug, Clone)]
pub struct ValueReader<'t> {
    pub(in crate::value) target: &'t Target,
    pub(in crate::value) limits: Limits,
    /// `None` is for programs, which are shown nothing.
    pub(in crate::value) format: Option<Format>,
    pub(in crate::value) counters: &'t Counters,
    pub(in crate::value) plans: &'t Plans,
    /// For the places of functions in the source; `None` if they are not looked up.
    code: Option<Rc<RunningCode<'t>>>,
}

impl<'t> ValueReader<'t> {
    /// `counters` and `plans` are those of the target; `plans` grows with what is read.
    pub fn new(
        target: &'t Target,
        counters: &'t Counters,
        plans: &'t Plans,
        limits: Limits,
    ) -> Self {
        Self { target, limits, format: None, counters, plans, code: None }
    }

    /// The same reader, which adds to values what people are shown of them.
    #[must_use]
    pub fn for_people(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// The same reader, which adds to pointers to functions where these are in the source. The first
    /// such pointer costs an index of all code.
    #[must_use]
    pub fn with_places(self, code: Rc<RunningCode<'t>>) -> Self {
        Self { code: Some(code), ..self }
    }

    /// How much of a value it reads.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The value of type `id` at `address`.
    #[must_use]
    pub fn read(&self, id: TypeId, address: VirtAddr) -> Value {
        self.read_meant(id, address, None)
    }

    /// The value of a member of type `id` at `address`, or of a bit-field of it, which may mean
    /// more than its type says.
    pub(crate) fn read_member(
        &self,
        id: TypeId,
        address: VirtAddr,
        bits: Option<BitField>,
        meaning: Option<NumberMeaning>,
    ) -> Value {
        match bits {
            Some(field) => self.read_bit_field(id, address, field, meaning),
            None => self.read_meant(id, address, meaning),
        }
    }

    fn read_meant(&self, id: TypeId, address: VirtAddr, meaning: Option<NumberMeaning>) -> Value {
        let types = match self.target.types() {
            Ok(types) => types,
            Err(why) => return no_type(&why),
        };
        let plan = self.plans.of(types, id);
        let plan = match meaning {
            Some(meaning) => plan.meaning(meaning),
            None => plan,
        };
        let size = match &plan.size {
            Ok(size) if *size <= MAX_SIZE => *size as usize,
            Ok(size) => return too_large(address, *size),
            Err(why) => return self.sizeless(types, id, address, why),
        };
        if let Err(freed) = freed::check_value(self.target.memory(), address, size as u64) {
            return ValueError::from(freed).into();
        }
        match Parts::of(self.target.budget(), size) {
            Ok(parts) => {
                let block = MemoryBlock::read(self.target.memory(), address, size);
                Decoder::new(self, types, &block, parts).whole(&plan)
            }
            Err(why) => ValueError::from(why).into(),
        }
    }

    /// The target whose values it reads.
    pub(crate) fn target(&self) -> &'t Target {
        self.target
    }

    /// The value of a counter that holds `pointer`.
    pub(crate) fn counter(&self, pointer: VirtAddr) -> Value {
        self.counters.value(self.target, pointer)
    }

    /// A pointer to something that is no function and no text.
    pub(crate) fn plain_pointer(&self, address: VirtAddr) -> Value {
        self.pointer_by(PointerPlan::default(), address)
    }

    /// The text in `size` characters at `offset` in a block that was read before; `None` if it is
    /// not terminated or not printable.
    pub(crate) fn text_in(&self, block: &MemoryBlock, offset: usize, size: u64) -> Option<Value> {
        let value = self.decode_in(block, |_, decoder| match decoder.text(size, offset) {
            Some(text) => Value::Text(text),
            None => self.shown(&[]),
        });
        matches!(value, Value::Text(_)).then_some(value)
    }

    /// The value of type `id` at `offset` in a block that was read before.
    pub(crate) fn read_in(&self, id: TypeId, block: &MemoryBlock, offset: usize) -> Value {
        self.decode_in(block, |types, decoder| {
            decoder.value(&self.plans.of(types, id), offset, Depth::default())
        })
    }

    /// The value of a bit-field of type `id` in the record member at `offset` in such a block.
    pub(crate) fn read_bit_field_in(
        &self,
        id: TypeId,
        block: &MemoryBlock,
        offset: usize,
        field: BitField,
    ) -> Value {
        self.decode_in(block, |types, decoder| {
            decoder.bit_field(&plan::bit_field(types, id), offset, field, None)
        })
    }

    fn decode_in(
        &self,
        block: &MemoryBlock,
        decode: impl FnOnce(&Types, &Decoder<'_, '_>) -> Value,
    ) -> Value {
        let types = match self.target.types() {
            Ok(types) => types,
            Err(why) => return no_type(&why),
        };
        match Parts::of(self.target.budget(), 0) {
            Ok(parts) => decode(types, &Decoder::new(self, types, block, parts)),
            Err(why) => ValueError::from(why).into(),
        }
    }

    /// Whether a value of type `id` can contain the sum of a counter.
    #[must_use]
    pub fn may_hold_sums(&self, id: TypeId) -> bool {
        self.target.types().is_ok_and(|types| self.plans.of(types, id).counters)
    }

    /// The value of type `id`, or of a bit-field of it, whose bytes are in pieces; a member
    /// that is nowhere is an error.
    #[must_use]
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
            Err(why) => return ValueError::from(why).into(),
        };
        let block = MemoryBlock::of_pieces(self.target.memory(), pieces);
        let decoder = Decoder::new(self, types, &block, parts);
        match bits {
            Some(field) => decoder.bit_field(&plan::bit_field(types, id), 0, field, None),
            None => decoder.whole(&self.plans.of(types, id)),
        }
    }

    /// A value whose size alone is known.
    #[must_use]
    pub fn read_bytes(&self, address: VirtAddr, size: u64) -> Value {
        if size > MAX_SIZE {
            return too_large(address, size);
        }
        let block = MemoryBlock::read(self.target.memory(), address, size as usize);
        match block.get(0..block.len()) {
            Some(Ok(bytes)) => self.shown(bytes),
            Some(Err(why)) => why.clone().into(),
            None => self.shown(&[]),
        }
    }

    /// As many bytes as an array would show elements.
    pub(in crate::value) fn shown(&self, bytes: &[u8]) -> Value {
        let (shown, rest) = bytes.split_at(bytes.len().min(self.limits.elements));
        Value::Bytes(BytesValue { bytes: shown.into(), omitted: rest.len() as u64 })
    }

    fn read_bit_field(
        &self,
        id: TypeId,
        address: VirtAddr,
        field: BitField,
        meaning: Option<NumberMeaning>,
    ) -> Value {
        let types = match self.target.types() {
            Ok(types) => types,
            Err(why) => return no_type(&why),
        };
        let size = bits::bytes_of(field);
        match Parts::of(self.target.budget(), size) {
            Ok(parts) => {
                let block = MemoryBlock::read(self.target.memory(), address, size);
                let decoder = Decoder::new(self, types, &block, parts);
                decoder.bit_field(&plan::bit_field(types, id), 0, field, meaning)
            }
            Err(why) => ValueError::from(why).into(),
        }
    }

    /// A pointer value of type "pointer to `pointee`".
    #[must_use]
    pub fn pointer(&self, address: VirtAddr, pointee: TypeId) -> Value {
        match self.target.types().map(|types| PointerPlan::to(types, pointee)) {
            Ok(Ok(plan)) => self.pointer_by(plan, address),
            Ok(Err(_)) | Err(_) => self.pointer_by(PointerPlan::default(), address),
        }
    }

    pub(in crate::value) fn pointer_by(&self, plan: PointerPlan, address: VirtAddr) -> Value {
        let mut pointer = PointerValue::new(address, plan.to_function);
        if !address.is_null() {
            let is_text = match self.letter() {
                None => plan.to_text,
                Some(Letter::String) => plan.to_byte,
                Some(_) => false,
            };
            let text = if is_text { self.text_at(address) } else { None };
            pointer = pointer.with_symbol(self.symbol_at(address)).with_text(text);
            if plan.to_function && pointer.symbol().is_some() {
                pointer = pointer.with_place(self.place_of(address));
            }
        }
        let width = self.target.arch().pointer_size() * 8;
        self.told(Value::Pointer(pointer), || Bits::new(address.get().into(), width, false))
    }

    /// A number as a value of an arithmetic type or enum, which it fits.
    #[must_use]
    pub fn number(&self, type_id: TypeId, value: i128) -> Value {
        let kind = self.target.types().and_then(|types| types.resolve(type_id));
        match kind.as_ref().map(|(_, kind)| &**kind) {
            Ok(Type::Base(base)) if base.encoding != Encoding::Float => {
                let width = base.size.saturating_mul(8).min(128);
                let number = integer(base, value as u128, width);
                let bits = || Bits::new(value as u128, width, is_signed(base));
                let meaning = self.target.types().ok();
                match meaning.and_then(|types| NumberMeaning::of(types, type_id)) {
                    Some(meaning) => self.meant(self.told(number, bits), meaning, bits),
                    None => self.told(number, bits),
                }
            }
            Ok(Type::Enum(enumeration)) => {
                let width = enumeration.size.saturating_mul(8).min(128);
                let number = enum_value(enumeration, value as u128, width);
                self.told(number, || Bits::new(value as u128, width, enumeration.signed))
            }
            _ => Value::Int(value),
        }
    }

    /// A computed number of so many bits.
    #[must_use]
    pub fn computed(&self, value: i128, width: u64, unsigned: bool) -> Value {
        self.told(Value::Int(value), || Bits::new(value as u128, width, !unsigned))
    }

    /// The value of a function's name: its address.
    #[must_use]
    pub fn function(&self, address: VirtAddr) -> Value {
        self.pointer_by(PointerPlan { to_function: true, ..PointerPlan::default() }, address)
    }

    fn symbol_at(&self, address: VirtAddr) -> Option<SymbolAt> {
        let (name, offset) = self.target.label(address)?;
        Some(SymbolAt { name: name.into(), offset })
    }

    /// Where the function at an address is in the source.
    fn place_of(&self, address: VirtAddr) -> Option<SourcePlace> {
        const STEPS: u64 = 64;
        let at = self.code.as_ref()?.at(address)?;
        self.target.budget().work(STEPS).ok()?;
        // The last one is the function itself, whatever is inlined at its beginning.
        let frame = at.code.source(at.linked).pop()?;
        Some(SourcePlace { file: frame.file?, line: frame.line? })
    }

    fn text_at(&self, address: VirtAddr) -> Option<Box<str>> {
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

fn no_type(why: &TypeError) -> Value {
    ValueError::from(why.clone()).into()
}

fn too_large(address: VirtAddr, size: u64) -> Value {
    Value::from(ValueError {
        kind: ErrorKind::TooLarge,
        address: Some(address),
        message: format!("{size} bytes are more than any variable has").into(),
    })
}
