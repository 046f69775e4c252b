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
#[non_exhaustive]
pub enum UnpackError {
    /// The compressed stream is damaged.
    #[error("the {packing} stream is damaged: {why}")]
    Damaged { packing: &'static str, why: String },
    /// The directory of temporary files has room for `free` bytes, which is not enough.
    #[error("there is not enough room to unpack it: {} has room for {free} bytes", dir.display())]
    NoSpace { dir: PathBuf, free: u64 },
    /// A temporary file in `dir` cannot be made, written or mapped.
    #[error("cannot {action} a temporary file in {}: {why}", dir.display())]
    File { action: &'static str, dir: PathBuf, why: String },
    /// The compressed file itself cannot be read.
    #[error("the file cannot be read: {why}")]
    Input { why: String },
}
