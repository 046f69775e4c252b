//! Why a file is not a dump that can be read.

use crate::budget::Exhausted;
use crate::source::UnpackError;

/// A file is no crash dump that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DumpError {
    #[error("this is {what}, not a crash dump")]
    NotADump { what: String, hint: String },
    #[error("this is {what}: it cannot be read as it is")]
    Wrapped { what: String, hint: String },
    #[error("the {format} header says {field} is {value}, which cannot be: {why}")]
    BadField { format: &'static str, field: &'static str, value: String, why: String },
    #[error("the file ends at {length:#x}, but {what} needs {needed:#x} bytes")]
    Truncated { what: &'static str, needed: u64, length: u64 },
    #[error("{what} is not supported")]
    Unsupported { what: String },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("its program headers are more than the size of the file justifies")]
    Limit(#[from] Exhausted),
}

impl DumpError {
    /// The one thing to try next.
    pub fn hint(&self) -> &str {
        match self {
            Self::NotADump { hint, .. } | Self::Wrapped { hint, .. } => hint,
            Self::BadField { .. } => {
                "the file is damaged: copy it again from where savecore(8) left it"
            }
            Self::Truncated { .. } => {
                "was it copied whole? info.N beside the dump tells its length (Dump Length)"
            }
            Self::Unsupported { .. } => "see docs/formats for the dumps that can be read",
            Self::Unpack(why) => why.hint(),
            Self::Limit(_) => "the file is damaged: copy it again, or take the dump again",
        }
    }
}
