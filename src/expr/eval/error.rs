//! Why an expression has no value.

use std::fmt;

use crate::budget::Exhausted;
use crate::fault::Fault;
use crate::shorten::shortened;
use crate::target::ReadError;
use crate::types::TypeError;
use crate::value::model::ValueError;
use crate::vnet::VnetError;

/// An expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExprError {
    /// It is not an expression.
    #[error("{message}")]
    Syntax {
        /// What is wrong, in words.
        message: String,
        /// The expression, and below it the mistake underlined.
        caret: String,
    },
    /// A vnet, jail or variable that it names cannot be found.
    #[error(transparent)]
    Vnet(#[from] VnetError),
    /// Its memory cannot be read, or a type is not what the expression needs.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing has the name.
    #[error("{} is neither a virtualized variable nor a global of this kernel", shortened(name))]
    NoSuchName {
        /// As it was written.
        name: String,
        /// Names that may be meant, the likeliest first.
        near: Vec<String>,
    },
    /// Each vnet has the variable, and none was chosen.
    #[error("{name} is a variable of a vnet, and no vnet is chosen")]
    NoVnet {
        /// As it was written.
        name: String,
    },
    /// The vnet has no copy of the variable.
    #[error("{name} has no copy in this vnet: {why}")]
    NoCopy {
        /// As it was written.
        name: String,
        /// The state of the vnet, in words.
        why: String,
    },
    /// The CPU has no copy of the variable.
    #[error("DPCPU({name}) cannot be found: {}", why.message)]
    NoCopyOfCpu {
        /// As it was written.
        name: String,
        /// Which CPU, and why.
        why: ValueError,
    },
    /// The kernel has no struct pcpu for the CPU.
    #[error("CPU {cpu} has no struct pcpu")]
    NoPcpu {
        /// Its id.
        cpu: u64,
    },
    /// An operator does not apply to its operand.
    #[error("{operator} does not apply to {}", value_of(type_name.as_deref()))]
    WrongOperand {
        /// The operator.
        operator: Operator,
        /// The operand's type, where that is known.
        type_name: Option<String>,
        /// What kind of operand it is.
        kind: OperandKind,
    },
    /// A type is used where a value is needed.
    #[error("{0} is a type, but a value is needed here")]
    TypeNotValue(String),
    /// A shift by a negative number or by the width of the shifted type, `of`, or more.
    #[error("a value of type {of} cannot be shifted by {count} bits")]
    ShiftCount {
        /// By how many bits it was to be shifted.
        count: i128,
        /// The type of what is shifted.
        of: &'static str,
        /// The width of that type.
        bits: u32,
    },
    /// The compiler optimised out the variable, or this part of it.
    #[error("{0} has been optimised out: no memory holds it")]
    OptimisedOut(String),
    /// A division or remainder by 0.
    #[error("division by zero")]
    DivisionByZero,
    /// It would cost more than the budget allows.
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

impl ExprError {
    /// Whether the expression is valid but uses a name that nothing has.
    pub fn is_no_match(&self) -> bool {
        match self {
            Self::NoSuchName { .. } => true,
            Self::Vnet(why) => why.is_no_match(),
            Self::Read(ReadError::Type(why)) => why.is_no_match(),
            _ => false,
        }
    }
}

/// An operator, as an expression has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operator {
    /// `(TYPE)`, with the type's name.
    Cast(String),
    /// `.NAME` or `->NAME`, as written.
    Member(String),
    /// `[]`.
    Index,
    /// `*` before its operand.
    Dereference,
    /// `&` before its operand.
    AddressOf,
    /// `+` of an address.
    Plus,
    /// `-` of an address.
    Minus,
    /// Any other arithmetic.
    Arithmetic,
    /// `sizeof`.
    Sizeof,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Cast(type_name) => return write!(f, "({type_name})"),
            Self::Member(member) => member,
            Self::Index => "[]",
            Self::Dereference => "*",
            Self::AddressOf => "&",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Arithmetic => "arithmetic",
            Self::Sizeof => "sizeof",
        };
        f.write_str(text)
    }
}

/// The kind of operand that an operator does not apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperandKind {
    /// A variable whose type is not known.
    Untyped,
    /// A function.
    Function,
    /// A bit-field.
    BitField,
    /// A variable in pieces, which has no address of its own.
    InPieces,
    /// A struct or union.
    Record,
    /// An array.
    Array,
    /// A floating-point number.
    Float,
    /// Any other value.
    Value,
}

fn value_of(type_name: Option<&str>) -> String {
    match type_name {
        Some(name) => format!("a value of type {name}"),
        None => "a variable whose type is not known".to_owned(),
    }
}

impl From<TypeError> for ExprError {
    fn from(why: TypeError) -> Self {
        Self::Read(why.into())
    }
}

impl From<Fault> for ExprError {
    fn from(fault: Fault) -> Self {
        Self::Read(fault.into())
    }
}
