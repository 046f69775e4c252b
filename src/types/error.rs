//! Why a question about types has no answer.

use std::fmt;

use crate::budget::Exhausted;
use crate::shorten::shortened;

/// A question about types has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// No file of the kernel has DWARF.
    #[error("the kernel has no debug information")]
    NoDebugInfo,
    /// Nothing has the name; `near` are names that may be meant, the likeliest first.
    #[error("the debug information has no {what} named {}", shortened(name))]
    NotFound { what: NameKind, name: String, near: Vec<String> },
    /// No unit of the source file has the name; `elsewhere` are files that have it.
    #[error("the debug information has no {what} named {}@{file}", shortened(name))]
    NotInFile { what: NameKind, name: String, file: Box<str>, elsewhere: Box<[String]> },
    /// The struct or union has no such member; `candidates` are those it has, the likeliest
    /// first.
    #[error("{type_name} has no member {}", shortened(member))]
    NoMember { type_name: String, member: String, candidates: Vec<String> },
    /// Its declaration alone is known.
    #[error("{type_name} is declared but never defined in the debug information")]
    Incomplete { type_name: String },
    /// The type is of another kind than what was asked of it needs.
    #[error("{type_name} is not {wanted}")]
    WrongKind { type_name: String, wanted: WantedKind },
    /// A section of the debug information cannot be read.
    #[error("the debug information cannot be read: {why}")]
    Unreadable { why: String },
    /// An entry of the debug information is damaged, at `offset` in its section.
    #[error("the debug information is damaged at {section}+{offset:#x}: {why}")]
    Damaged { section: &'static str, offset: u64, why: String },
    /// The answer would cost more than the budget allows.
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

impl TypeError {
    /// Was the question in order, and nothing has the name?
    pub fn is_no_match(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::NotInFile { .. })
    }
}

/// What debug information has names for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameKind {
    /// `struct NAME`.
    Struct,
    /// `union NAME`.
    Union,
    /// `enum NAME`.
    Enum,
    /// A type of any kind.
    Type,
    /// A variable.
    Variable,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Enum => "enum",
            Self::Type => "type",
            Self::Variable => "variable",
        })
    }
}

/// The kind of type that a question needs. Displayed with its article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WantedKind {
    /// One with members.
    Record,
    /// A pointer.
    Pointer,
    /// An array.
    Array,
    /// One that has a size.
    Sized,
    /// One that has values.
    Valued,
    /// The head of a list or tail queue (queue(3)).
    QueueHead,
    /// counter(9), or an array of it.
    Counter,
}

impl fmt::Display for WantedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "a struct or union",
            Self::Pointer => "a pointer",
            Self::Array => "an array",
            Self::Sized => "something that has a size",
            Self::Valued => "something that has a value",
            Self::QueueHead => "the head of a list or tail queue",
            Self::Counter => "a counter_u64_t or an array of them",
        })
    }
}
