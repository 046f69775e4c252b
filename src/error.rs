//! All errors of the library: the errors of its layers, joined.
//!
//! Each layer owns its error: what went wrong, with details that a caller may need in
//! fields. Every error is a sentence.

use std::path::PathBuf;

use crate::shorten::shortened;

pub use crate::convert::ConvertError;
pub use crate::dump::{DumpError, NotADump};
pub use crate::expr::eval::{ExprError, OperandKind, Operator};
pub use crate::fault::{Fault, FaultKind, Stage};
pub use crate::kernel::{KernelError, NotAKernel};
pub use crate::source::{Access, SourceError, UnpackError};
pub use crate::target::{ReadError, TargetError};
pub use crate::types::{NameKind, TypeError, WantedKind};
pub use crate::value::FormatError;
pub use crate::vnet::{VnetCandidate, VnetError, WantedThread, WantedVnet};

/// Any error of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be opened or read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file at `path` is not a dump that can be read.
    #[error("{} is not a usable dump", path.display())]
    Dump {
        /// As it was given.
        path: PathBuf,
        /// Why it is not.
        source: DumpError,
    },
    /// The file at `path` is not a usable kernel.
    #[error("{} is not a usable kernel", path.display())]
    Kernel {
        /// As it was given, or where it was found.
        path: PathBuf,
        /// Why it is not.
        source: KernelError,
    },
    /// No kernel was given, and none that wrote the dump was found. The log has the places
    /// that were searched, what was found there, and why it was refused.
    #[error("no kernel was given, and {}", none_found(*refused, *cut_off))]
    NoKernel {
        /// The number of kernels that were found and refused.
        refused: usize,
        /// The number of pages that are missing from the dump.
        cut_off: u64,
    },
    /// The kernel and the dump cannot be joined.
    #[error("{}", joining(.0))]
    Target(#[from] TargetError),
    /// The question needs types, but they are unknown.
    #[error("types are needed for this")]
    Types(#[from] TypeError),
    /// No type has a name that was asked for.
    #[error(transparent)]
    NoSuchType(TypeError),
    /// The name is not a type's but a variable's or function's.
    #[error("{name} is a variable or function, not a type")]
    NotAType {
        /// As it was written.
        name: String,
        /// The types that have names like it.
        source: TypeError,
    },
    /// The kernel's memory cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The dump cannot be written in another form.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// A question about vnets, and what is in them, has no answer.
    #[error(transparent)]
    Vnet(#[from] VnetError),
    /// The letters before an expression do not say how its value is written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// An expression has no value.
    #[error("cannot evaluate {}", shortened(expression))]
    Expr {
        /// As it was written.
        expression: Box<str>,
        /// The expression, and below it the mistake underlined; `None` if it is all of it.
        caret: Option<Box<str>>,
        /// Why it has no value.
        source: ExprError,
    },
}

/// An error and its causes in one sentence.
pub(crate) fn story(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |why| why.source());
    causes.fold(error.to_string(), |story, cause| format!("{story}: {cause}"))
}

impl Error {
    /// The error and its causes in one sentence.
    #[must_use]
    pub fn story(&self) -> String {
        story(self)
    }

    /// Whether the question was valid but nothing matches it. A name that nothing has is such an
    /// error; a name that may be in unreadable memory is not.
    pub fn is_no_match(&self) -> bool {
        match self {
            Self::Vnet(why) => why.is_no_match(),
            Self::Expr { source, .. } => source.is_no_match(),
            Self::NoSuchType(why) | Self::NotAType { source: why, .. } => why.is_no_match(),
            Self::Source(_)
            | Self::Dump { .. }
            | Self::Kernel { .. }
            | Self::NoKernel { .. }
            | Self::Target(_)
            | Self::Convert(_)
            | Self::Format(_)
            | Self::Types(_)
            | Self::Read(_) => false,
        }
    }
}

fn joining(why: &TargetError) -> &'static str {
    match why {
        TargetError::CutOff { .. } => "the dump is not complete",
        TargetError::NotLoaded { .. } | TargetError::NoMemoryList { .. } => {
            "the memory of the running machine cannot be read"
        }
        _ => "kernel and dump do not match",
    }
}

fn none_found(refused: usize, cut_off: u64) -> String {
    match (refused, cut_off) {
        (0, _) => "there is none beside the dump or where kernels are installed".to_owned(),
        (_, 1..) => format!(
            "the dump file is cut off: {cut_off} pages that could identify its kernel are missing"
        ),
        (1, 0) => "the only one that was found did not write this dump".to_owned(),
        (count, 0) => format!("none of the {count} that were found wrote this dump"),
    }
}
