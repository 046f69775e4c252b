//! The result of an expression, before its memory is read.

use crate::addr::VirtAddr;
use crate::expr::eval::scattered::Scattered;
use crate::expr::eval::{ExprError, OperandKind, Operator};
use crate::expr::integer::Integer;
use crate::fault::Fault;
use crate::target::Target;
use crate::types::model::{BitField, Encoding, Type};
use crate::types::{Kept, Piece, TypeId};
use crate::value::model::{ArrayValue, ValueError};
use crate::value::{NumberMeaning, Value, ValueReader};
use crate::walk::Problems;

/// The result of an expression, before its memory is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Something in memory. A member or variable may mean more than its type says.
    Place {
        type_id: TypeId,
        address: VirtAddr,
        bits: Option<BitField>,
        meaning: Option<NumberMeaning>,
    },
    /// A static variable in pieces.
    Scattered(Scattered),
    /// A variable whose type is unknown.
    Untyped { address: VirtAddr, size: u64 },
    /// A function, which has an address and no value.
    Function { address: VirtAddr },
    /// The result of arithmetic.
    Integer(Integer),
    /// An address, or the result of a cast: a value that fits its type.
    Number { value: i128, type_id: TypeId },
    /// A string, which is in no memory.
    Text(Box<str>),
    /// Several operands: the elements of a list.
    Many(Many),
    /// An element of a list whose memory cannot be read.
    Unreadable(Box<Fault>),
}

/// Several operands, and why others may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Many {
    /// In the order of the list.
    pub elements: Vec<Operand>,
    /// What broke the list off.
    pub problems: Problems,
}

impl Operand {
    /// A value of that type in memory.
    pub fn place(type_id: TypeId, address: VirtAddr) -> Self {
        Self::Place { type_id, address, bits: None, meaning: None }
    }

    /// The same, if it is in memory, with what it means.
    pub(super) fn meaning(mut self, means: Option<NumberMeaning>) -> Self {
        if let Self::Place { meaning, .. } = &mut self {
            *meaning = means;
        }
        self
    }

    /// A static variable or a part of one: a place like any other if one piece of memory
    /// holds it.
    ///
    /// # Errors
    /// All of it was optimised out.
    pub fn of_pieces(found: Scattered) -> Result<Self, ExprError> {
        if found.pieces.iter().all(|piece| piece.kept == Kept::Nowhere) {
            return Err(ExprError::OptimisedOut(found.name.into()));
        }
        Ok(match found.pieces.as_slice() {
            [Piece { kept: Kept::At(address), .. }] => Self::Place {
                type_id: found.type_id,
                address: *address,
                bits: found.bits,
                meaning: None,
            },
            _ => Self::Scattered(found),
        })
    }

    /// Its address, if it is in memory and begins at a byte.
    pub fn address(&self) -> Option<VirtAddr> {
        match self {
            Self::Place { address, .. } | Self::Untyped { address, .. } => Some(*address),
            Self::Function { address } => Some(*address),
            Self::Integer(_)
            | Self::Number { .. }
            | Self::Scattered(_)
            | Self::Text(_)
            | Self::Many(_)
            | Self::Unreadable(_) => None,
        }
    }

    /// Its type as C spells it.
    pub fn type_name(&self, target: &Target) -> Option<String> {
        match self {
            Self::Place { type_id, .. }
            | Self::Scattered(Scattered { type_id, .. })
            | Self::Number { type_id, .. } => target.types().ok().map(|types| types.name(*type_id)),
            Self::Many(Many { elements, .. }) => {
                // The elements of a list are of one type.
                elements.iter().find_map(|element| match element {
                    Self::Place { type_id, .. } | Self::Number { type_id, .. } => {
                        Some(target.types().ok()?.declare(*type_id, "[*]"))
                    }
                    other => Some(format!("{} [*]", other.type_name(target)?)),
                })
            }
            Self::Untyped { .. } | Self::Unreadable(_) => None,
            Self::Text(text) => Some(format!("char [{}]", text.len() + 1)),
            Self::Function { .. } => Some("function".into()),
            Self::Integer(integer) => Some(integer.of.name().into()),
        }
    }

    /// Its value, read from memory if it is there.
    pub fn read(&self, target: &Target, reader: &ValueReader<'_>) -> Value {
        match *self {
            Self::Place { type_id, address, bits, meaning } => {
                reader.read_member(type_id, address, bits, meaning)
            }
            Self::Scattered(Scattered { type_id, bits, ref pieces, .. }) => {
                reader.read_pieces(type_id, bits, pieces)
            }
            Self::Untyped { address, size } => reader.read_bytes(address, size),
            Self::Function { address } => reader.function(address),
            // The model's integers end at 2^127.
            Self::Integer(Integer { value: value @ ..0, of }) if of.unsigned => {
                Value::Bytes(value.to_le_bytes().to_vec().into())
            }
            Self::Integer(Integer { value, of }) => {
                reader.computed(value, of.bits(target.arch()).into(), of.unsigned)
            }
            Self::Text(ref text) => Value::Text(text.clone()),
            Self::Unreadable(ref fault) => ValueError::from((**fault).clone()).into(),
            Self::Many(Many { ref elements, .. }) => {
                let read = elements.len().min(reader.limits().elements);
                let values = elements.iter().take(read).map(|element| element.read(target, reader));
                let values: Vec<Value> = values.collect();
                let omitted = (elements.len() - read) as u64;
                Value::Array(ArrayValue { elements: values.into(), omitted })
            }
            Self::Number { value, type_id } => {
                match target.types().ok().and_then(|types| types.pointee(type_id).ok()) {
                    Some(to) => reader.pointer(VirtAddr::new(value as u64), to),
                    None => reader.number(type_id, value),
                }
            }
        }
    }

    /// The error that `operator` does not apply to it.
    pub(super) fn refused(&self, operator: Operator, target: &Target) -> ExprError {
        let kind = self.kind(&operator, target);
        ExprError::WrongOperand { operator, type_name: self.type_name(target), kind }
    }

    fn kind(&self, operator: &Operator, target: &Target) -> OperandKind {
        let type_id = match self {
            Self::Untyped { .. } => return OperandKind::Untyped,
            Self::Function { .. } => return OperandKind::Function,
            Self::Place { bits: Some(_), .. } => return OperandKind::BitField,
            Self::Scattered(_) if *operator == Operator::AddressOf => return OperandKind::InPieces,
            Self::Many(_) => return OperandKind::List,
            Self::Text(_) => return OperandKind::Text,
            Self::Integer(_) | Self::Unreadable(_) => return OperandKind::Value,
            Self::Place { type_id, .. }
            | Self::Scattered(Scattered { type_id, .. })
            | Self::Number { type_id, .. } => *type_id,
        };
        let kind = target.types().ok().and_then(|types| Some(types.resolve(type_id).ok()?.1));
        match kind.as_deref() {
            Some(Type::Record(_)) => OperandKind::Record,
            Some(Type::Array(_)) => OperandKind::Array,
            Some(Type::Base(base)) if base.encoding == Encoding::Float => OperandKind::Float,
            _ => OperandKind::Value,
        }
    }
}
