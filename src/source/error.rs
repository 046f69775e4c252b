//! Why a file cannot be read or unpacked.

use std::fmt;
use std::path::PathBuf;

/// A file could not be opened or read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot {access} {}", path.display())]
pub struct SourceError {
    /// What was done to the file.
    pub access: Access,
    /// The file.
    pub path: PathBuf,
    /// Why that failed.
    #[source]
    pub cause: std::io::Error,
}

/// What is done to a file. Displayed as the verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// It is opened.
    Open,
    /// It is read, or what it is.
    Read,
    /// It is mapped into memory.
    Map,
    /// It was mapped, and its pages are read.
    ReadMapped,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Map => "map",
            Self::ReadMapped => "read all of",
        })
    }
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
