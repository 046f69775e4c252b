//! Hints for expressions that have no value.

use vnetkvm::error::{ExprError, OperandKind, Operator, VnetError};
use vnetkvm::kernel::LinkerSet;

use super::suggestion::did_you_mean;
use super::{read, vnet};

pub fn hint(error: &ExprError) -> Option<String> {
    match error {
        ExprError::Syntax { .. } => Some("docs/expressions.md describes expressions".into()),
        ExprError::Vnet(VnetError::NoSuchThread(_)) => {
            Some("`vnetkvm threads --all` lists the threads".into())
        }
        ExprError::Vnet(why) => vnet::hint(why),
        ExprError::Read(why) => read::hint(why),
        ExprError::NoSuchName { name, near } if near.is_empty() && is_like_a_macro(name) => {
            Some("macros are not in the debug information: write the number".into())
        }
        ExprError::VariableNotMember(name) => Some(format!("write V_{name}")),
        ExprError::NoSuchName { name, near } => {
            did_you_mean(near).or_else(|| Some(vnet::search_variables(LinkerSet::Vnet, name)))
        }
        ExprError::NoVnet { .. } => Some("choose one with --vnet".into()),
        ExprError::NoCopy { .. } => {
            Some("vnet_entry_NAME is the initial value in the kernel's own set".into())
        }
        ExprError::NoCopyOfCpu { .. } => {
            Some("pcpu_entry_NAME is the initial value in the kernel's own set".into())
        }
        ExprError::WrongOperand { operator, kind, .. } => {
            wrong_operand(operator, *kind).map(Into::into)
        }
        ExprError::TypeNotValue(name) => {
            Some(format!("to cast, put the operand in parentheses too: ({name})(x)"))
        }
        ExprError::ShiftCount { bits: 32, .. } => {
            Some("shift by 0 to 31; for a wider number, write 1ULL or (uint64_t)x".into())
        }
        ExprError::ShiftCount { bits, .. } => Some(format!("shift by 0 to {}", bits - 1)),
        ExprError::TwoLists => Some("choose one element of one of them with [0..0]".into()),
        ExprError::BackwardSlice { .. } => {
            Some("write the first and the last element: [0..7] is eight of them".into())
        }
        ExprError::SeveralLinks { links } => {
            Some(format!("name the member: [*{}]", links.first()?))
        }
        ExprError::ShortList { count: 1.., .. } => {
            Some("elements are counted from 0; count(LIST) tells how many there are".into())
        }
        ExprError::NotALink { links, .. } => {
            Some(format!("members that could: {}", links.join(", ")))
        }
        ExprError::NoLink { .. } => {
            Some("to follow a pointer that each element has to the next, name it: [*m_next]".into())
        }
        ExprError::NothingKept { near, .. } => did_you_mean(near),
        ExprError::BrokenList { .. } => {
            Some("print the list itself to see what can be read of it".into())
        }
        ExprError::DivisionByZero => Some("print the divisor alone to see why it is 0".into()),
        _ => None,
    }
}

/// `IFF_UP`
fn is_like_a_macro(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.contains('_') && !name.starts_with("V_") && name.chars().all(is_part)
}

fn wrong_operand(operator: &Operator, kind: OperandKind) -> Option<&'static str> {
    match (operator, kind) {
        (_, OperandKind::Untyped) => Some("give it a type: *(struct x *)&name"),
        (_, OperandKind::Function) => Some("a function has an address but no value"),
        (_, OperandKind::BitField) => None,
        (_, OperandKind::Text) => Some("a string can only be compared: [.if_xname == \"lo0\"]"),
        (_, OperandKind::List) => Some("an operator is applied to each element of a list"),
        (Operator::All, _) => Some("[*] goes over arrays, and over the heads of lists and trees"),
        (Operator::Repeat, _) => Some("the left side of @ is the first element: *pointer@3"),
        (_, OperandKind::InPieces) => {
            Some("the compiler keeps it in pieces: take the address of one of its members")
        }
        (Operator::AddressOf, _) => Some("only objects in memory have an address"),
        (Operator::Dereference, OperandKind::Record) => {
            Some("it is not a pointer: leave out the *")
        }
        (Operator::Index, OperandKind::Record) => {
            Some("choose one of its members with .; only the head of a list has elements")
        }
        (_, OperandKind::Record) => Some("choose one of its members with ."),
        (Operator::Plus, _) => Some("pointers can be subtracted but not added"),
        (Operator::Minus, _) => {
            Some("subtract a pointer to the same type, or cast to u_long to compute with addresses")
        }
        (_, OperandKind::Array) => Some("choose one of its elements with []"),
        (_, OperandKind::Float) => {
            Some("expressions compute with integers only, as the kernel does")
        }
        (Operator::Arithmetic | Operator::Sizeof, _) => None,
        (Operator::Cast(_), _) => {
            Some("cast the number to a pointer and follow it: *(struct x *)0x1000")
        }
        _ => Some("cast it to a pointer: ((struct ifnet *)0xfffff80003a51800)->if_xname"),
    }
}
