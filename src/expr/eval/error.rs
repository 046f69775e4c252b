//! Why an expression has no value.

use std::fmt;

use crate::budget::Exhausted;
use crate::fault::Fault;
use crate::shorten::shortened;
use crate::target::ReadError;
use crate::types::TypeError;
use crate::value::model::ValueError;
use crate::vnet::VnetError;
use crate::walk::Problem;

/// An expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExprError {
    /// It is not an expression.
    #[error("{message}")]
    Syntax {
        /// What is wrong, in words.
        message: String,
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
    #[error("{operator} does not apply to {}", value_of(type_name.as_deref(), *kind))]
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
    /// Both operands are lists.
    #[error("an operator takes one list, not two")]
    TwoLists,
    /// A slice ends before it begins.
    #[error("a slice from {from} to {to} has no elements")]
    BackwardSlice {
        /// The first element.
        from: i128,
        /// The last one.
        to: i128,
    },
    /// `@` with a number of elements that is not positive.
    #[error("@{count} asks for no elements")]
    NoElements {
        /// The number.
        count: i128,
    },
    /// A member without a struct stands outside a filter.
    #[error("a member without a struct stands outside a filter")]
    NoFilter,
    /// The elements of a list have no link that such a list could have.
    #[error("{element} has no member that could link the elements of such a list")]
    NoLink {
        /// The elements' type.
        element: String,
    },
    /// A variable that every vnet has a copy of is not in struct vnet.
    #[error("struct vnet has no member {0}: it is a virtualized variable")]
    VariableNotMember(Box<str>),
    /// Only mbufs are in chains of mbufs.
    #[error("{} is not an mbuf, and does not point to one", .type_name.as_deref().unwrap_or("it"))]
    NotAnMbuf {
        /// The type of the value, if that is known.
        type_name: Option<Box<str>>,
    },
    /// A list ends before the element of that number.
    #[error("the list has no element {index}: it ends after {count}")]
    ShortList {
        /// The number, counted from 0.
        index: i128,
        /// How many elements there are.
        count: usize,
    },
    /// A member does not link the elements of a list.
    #[error("{member} does not link the elements of this list")]
    NotALink {
        /// As it was written.
        member: String,
        /// The members that could.
        links: Vec<String>,
    },
    /// The elements of a list have several links, and nothing shows which is meant.
    #[error("the list does not show which member links its elements: {}", links.join(", "))]
    SeveralLinks {
        /// The paths of the members.
        links: Vec<String>,
    },
    /// A list is not known to its end.
    #[error("{function}() is unknown: {problem}")]
    BrokenList {
        /// What was asked of it.
        function: &'static str,
        /// Why it is not.
        problem: Box<Problem>,
    },
    /// The least or largest of no values.
    #[error("{function}() of a list without elements")]
    NothingIn {
        /// Which.
        function: &'static str,
    },
    /// No value is kept under this name.
    #[error("nothing is kept as {name}")]
    NothingKept {
        /// With its `$`.
        name: String,
        /// The names that there are.
        near: Vec<String>,
    },
    /// No thread is known that wrote the dump.
    #[error("curthread is unknown: {why}")]
    NoCurrentThread {
        /// Why.
        why: String,
    },
    /// A question in it has no answer.
    #[error("{why}")]
    Unknown {
        /// The error and its causes.
        why: String,
    },
    /// It would cost more than the budget allows.
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

impl ExprError {
    /// The same error where a string may have been meant: the name in quotes is suggested.
    pub(super) fn or_quoted(self) -> Self {
        match self {
            Self::NoSuchName { name, mut near } => {
                near.insert(0, format!("\"{name}\""));
                Self::NoSuchName { name, near }
            }
            other => other,
        }
    }

    /// Whether the expression is valid but uses a name that nothing has.
    pub fn is_no_match(&self) -> bool {
        match self {
            Self::NoSuchName { .. } | Self::NothingKept { .. } | Self::VariableNotMember(_) => true,
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
    /// `typeof`.
    Typeof,
    /// `offsetof` of a member, with its name.
    OffsetOf(String),
    /// `==`, `<` and the like.
    Comparison,
    /// `@`.
    Repeat,
    /// `[*]`.
    All,
    /// A function of the language, by its name.
    Called(&'static str),
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Cast(type_name) => return write!(f, "({type_name})"),
            Self::OffsetOf(member) => return write!(f, "offsetof(..., {member})"),
            Self::Called(function) => return write!(f, "{function}()"),
            Self::Member(member) => member,
            Self::Index => "[]",
            Self::Dereference => "*",
            Self::AddressOf => "&",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Arithmetic => "arithmetic",
            Self::Sizeof => "sizeof",
            Self::Typeof => "typeof",
            Self::Comparison => "a comparison",
            Self::Repeat => "@",
            Self::All => "[*]",
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
    /// A string that is in no memory.
    Text,
    /// The elements of a list.
    List,
    /// Any other value.
    Value,
}

fn value_of(type_name: Option<&str>, kind: OperandKind) -> String {
    match type_name {
        _ if kind == OperandKind::List => "a list".to_owned(),
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
