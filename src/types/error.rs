//! Why a question about types has no answer.

use crate::budget::Exhausted;
use crate::shorten::shortened;

/// A question about types has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    #[error("the kernel has no debug information")]
    NoDebugInfo,
    #[error("the debug information has no {what} named {}", shortened(name))]
    NotFound { what: &'static str, name: String, near: Vec<String> },
    #[error("{type_name} has no member {}", shortened(member))]
    NoMember { type_name: String, member: String, candidates: Vec<String> },
    #[error("{type_name} is declared but never defined in the debug information")]
    Incomplete { type_name: String },
    #[error("{type_name} is not {wanted}")]
    WrongKind { type_name: String, wanted: &'static str },
    #[error("the debug information cannot be read: {why}")]
    Unreadable { why: String },
    #[error("the debug information is damaged at {section}+{offset:#x}: {why}")]
    Damaged { section: &'static str, offset: u64, why: String },
    #[error(transparent)]
    Limit(#[from] Exhausted),
}
