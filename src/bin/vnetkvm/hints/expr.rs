//! Expressions that have no value.

use vnetkvm::error::{ExprError, OperandKind, Operator};

use super::suggestion::did_you_mean;
use super::{read, vnet};

pub fn hint(error: &ExprError) -> Option<String> {
    match error {
        ExprError::Syntax { .. } => Some("see docs/expressions.md for what can be written".into()),
        ExprError::Vnet(why) => vnet::hint(why),
        ExprError::Read(why) => read::hint(why),
        ExprError::NoSuchName { near, .. } => did_you_mean(near),
        ExprError::NoVnet { .. } => Some("choose one with --vnet".into()),
        ExprError::NoCopy { .. } => {
            Some("vnet_entry_NAME is the initial value in the kernel's own set".into())
        }
        ExprError::WrongOperand { operator, kind, .. } => {
            wrong_operand(operator, *kind).map(Into::into)
        }
        ExprError::TypeNotValue(name) => {
            Some(format!("a cast has its operand in parentheses too: ({name})(x)"))
        }
        ExprError::ShiftCount { bits: 32, .. } => {
            Some("from 0 to 31; to shift a wider number, write 1ULL or (uint64_t)x".into())
        }
        ExprError::ShiftCount { bits, .. } => Some(format!("from 0 to {}", bits - 1)),
        ExprError::DivisionByZero => {
            Some("print the divisor alone to see where its 0 is from".into())
        }
        _ => None,
    }
}

fn wrong_operand(operator: &Operator, kind: OperandKind) -> Option<&'static str> {
    match (operator, kind) {
        (_, OperandKind::Untyped) => Some("give it a type: *(struct x *)&name"),
        (_, OperandKind::Function) => Some("a function has an address and no value"),
        (_, OperandKind::BitField) => None,
        (_, OperandKind::InPieces) => {
            Some("the compiler keeps it in pieces: its members have addresses")
        }
        (Operator::AddressOf, _) => Some("only what lies in memory has an address"),
        (Operator::Dereference, OperandKind::Record) => {
            Some("it is not a pointer: leave out the *")
        }
        (_, OperandKind::Record) => Some("choose a member of it, with ."),
        (Operator::Plus, _) => Some("two pointers have a difference and no sum"),
        (Operator::Minus, _) => Some(
            "it can be subtracted from a pointer to the same type; \
             cast to u_long to compute with addresses",
        ),
        (_, OperandKind::Array) => Some("choose an element of it, with []"),
        (_, OperandKind::Float) => Some("the kernel computes with integers, and so do expressions"),
        (Operator::Arithmetic | Operator::Sizeof, _) => None,
        (Operator::Cast(_), _) => {
            Some("a number is cast to a pointer, and that is followed: *(struct x *)0x1000")
        }
        _ => Some("cast it to a pointer: ((struct ifnet *)0xfffff80003a51800)->if_xname"),
    }
}
