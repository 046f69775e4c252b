//! Why a file cannot be read or unpacked.

use std::path::PathBuf;

/// A file could not be opened or read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct SourceError {
    pub action: &'static str,
    pub path: PathBuf,
    #[source]
    pub cause: std::io::Error,
}

/// A compressed file cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    #[error("the {packing} stream is damaged: {why}")]
    Damaged { packing: &'static str, why: String },
    #[error("there is not enough room to unpack it: {} has room for {free} bytes", dir.display())]
    NoSpace { dir: PathBuf, free: u64 },
    #[error("cannot {action} a temporary file in {}: {why}", dir.display())]
    File { action: &'static str, dir: PathBuf, why: String },
    #[error("the file cannot be read: {why}")]
    Input { why: String },
}

impl UnpackError {
    /// The one thing to try next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "copy it again, or unpack by other means what can be unpacked",
            Self::NoSpace { .. } | Self::File { .. } => {
                "name a directory that exists and has more room in the environment variable TMPDIR"
            }
            Self::Input { .. } => "copy the file to another disk and try there",
        }
    }
}
