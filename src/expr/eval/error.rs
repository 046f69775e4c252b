//! Why an expression has no value.

use crate::budget::Exhausted;
use crate::fault::Fault;
use crate::shorten::shortened;
use crate::target::ReadError;
use crate::types::TypeError;
use crate::vnet::VnetError;

/// An expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    #[error("{message}")]
    Syntax { message: String, caret: String },
    #[error(transparent)]
    Vnet(#[from] VnetError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{} is neither a virtualized variable nor a global of this kernel", shortened(name))]
    NoSuchName { name: String, near: Vec<String> },
    #[error("{name} is a variable of a vnet, and no vnet is chosen")]
    NoVnet { name: String },
    #[error("{name} has no copy in this vnet: {why}")]
    NoCopy { name: String, why: String },
    #[error("{operator} does not apply to {operand}")]
    WrongOperand {
        operator: String,
        operand: String,
        /// What would have been right, where that can be told.
        advice: Option<&'static str>,
    },
    #[error("{0} is a type, where a value should be")]
    TypeNotValue(String),
    #[error("a value of type {of} cannot be shifted by {count} bits")]
    ShiftCount {
        count: i128,
        /// The type of what is shifted.
        of: &'static str,
        bits: u32,
    },
    #[error("{0} has been optimised out: no memory holds it")]
    OptimisedOut(String),
    #[error("division by zero")]
    DivisionByZero,
    #[error(transparent)]
    Limit(#[from] Exhausted),
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
