//! Why a question about types has no answer.

use std::fmt;
use std::sync::Arc;

use crate::budget::Exhausted;
use crate::kernel::CTF_SECTION;
use crate::shorten::shortened;

/// A question about types has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// No file of the kernel has DWARF.
    #[error("the kernel has no debug information")]
    NoDebugInfo,
    /// CTF was wanted, and no file of the kernel has it.
    #[error("the kernel has no CTF")]
    NoCtf,
    /// CTF has a type for each data symbol, in their order, but the file has not as many symbols.
    #[error(
        "no variable has a type: CTF has the types of {ids} data symbols, and .symtab has {symbols}"
    )]
    OtherSymbols {
        /// The number of types.
        ids: usize,
        /// The number of symbols.
        symbols: usize,
    },
    /// Nothing has that name.
    #[error("the debug information has no {what} named {}", shortened(name))]
    NotFound {
        /// What was searched for.
        what: NameKind,
        /// The name.
        name: String,
        /// Names that may have been meant, the likeliest first.
        near: Vec<String>,
    },
    /// No unit of the source file has that name.
    #[error("the debug information has no {what} named {}@{file}", shortened(name))]
    NotInFile {
        /// What was searched for.
        what: NameKind,
        /// The name.
        name: String,
        /// The end of the source file's path.
        file: Box<str>,
        /// Other source files that have the name.
        elsewhere: Box<[String]>,
    },
    /// Types of this name are numbered, because CTF does not say their source files.
    #[error(
        "there is no {what} named {}@{file}: the kernel's types are CTF, which has no source files; {}",
        shortened(name),
        match count {
            1 => "there is only one of that name".to_owned(),
            count => format!("those of one name are numbered from 1 to {count}"),
        }
    )]
    Numbered {
        /// What was searched for.
        what: NameKind,
        /// The name.
        name: String,
        /// What was given instead of a number.
        file: Box<str>,
        /// How many types have the name.
        count: usize,
    },
    /// The struct or union has no such member.
    #[error("{type_name} has no member {}", shortened(member))]
    NoMember {
        /// The type, in C.
        type_name: String,
        /// The name of the member.
        member: String,
        /// The members that it has, the likeliest first.
        candidates: Arc<[String]>,
    },
    /// A bit-field whose bits cannot be told from the padding behind them.
    #[error("CTF does not say the width of a bit-field that is an enum: it has 1 to {most} bits")]
    UnknownWidth {
        /// The bits up to the next member.
        most: u64,
    },
    /// Only its declaration is known.
    #[error("{type_name} is declared but never defined in the debug information")]
    Incomplete {
        /// The type, in C.
        type_name: String,
    },
    /// The type is of the wrong kind for the question.
    #[error("{type_name} is not {wanted}")]
    WrongKind {
        /// The type, in C.
        type_name: String,
        /// The kind that the question needs.
        wanted: WantedKind,
    },
    /// A section of the debug information cannot be read.
    #[error("the debug information cannot be read: {why}")]
    Unreadable {
        /// The reason, as a clause.
        why: String,
    },
    /// The CTF cannot be read.
    #[error("the CTF cannot be read: {why}")]
    UnreadableCtf {
        /// The reason, as a clause.
        why: String,
    },
    /// An entry of the debug information, or of the CTF, is damaged.
    #[error("{} is damaged at {section}+{offset:#x}: {why}", format_of(section))]
    Damaged {
        /// The section, such as `.debug_info`.
        section: &'static str,
        /// Where in the section, in bytes.
        offset: u64,
        /// What is wrong.
        why: String,
    },
    /// The answer would cost more than the budget allows.
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

impl TypeError {
    /// Is it about CTF, and not about debug information?
    pub fn is_about_ctf(&self) -> bool {
        match self {
            Self::NoCtf | Self::UnreadableCtf { .. } => true,
            Self::Damaged { section, .. } => *section == CTF_SECTION,
            _ => false,
        }
    }

    /// Was the question valid, but nothing has the name?
    pub fn is_no_match(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::NotInFile { .. } | Self::Numbered { .. })
    }
}

/// What a section is part of, with its article.
fn format_of(section: &str) -> &'static str {
    match section {
        CTF_SECTION => "the CTF",
        _ => "the debug information",
    }
}

/// A kind of thing with a name in the debug information.
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
    /// A type with members.
    Record,
    /// A pointer.
    Pointer,
    /// An array.
    Array,
    /// A type with a size.
    Sized,
    /// A type with values.
    Valued,
    /// The head of a list or tail queue (queue(3)).
    QueueHead,
    /// A counter(9), or an array of them.
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
