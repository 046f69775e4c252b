//! Why a file cannot be read or unpacked.

use std::fmt;
use std::path::{Path, PathBuf};

use super::device;

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

/// What was done to a file. Displayed as the verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// It was opened.
    Open,
    /// It was opened, and it is a memory device or has the name of one.
    OpenMemory,
    /// It, or its metadata, was read.
    Read,
    /// It was mapped into memory.
    Map,
    /// Its pages were read after it was mapped.
    ReadMapped,
}

impl Access {
    /// Opening the file at `path`.
    pub(super) fn open(path: &Path) -> Self {
        if device::is_memory(path) { Self::OpenMemory } else { Self::Open }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::OpenMemory => "open the memory device",
            Self::Read => "read",
            Self::Map => "map",
            Self::ReadMapped => "read all of",
        })
    }
}

/// A compressed file could not be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The compressed stream is damaged.
    #[error("the {packing} stream is damaged: {why}")]
    Damaged {
        /// The compression format: `gzip` or `zstd`.
        packing: &'static str,
        /// What is wrong, and where if known.
        why: String,
    },
    /// The directory for temporary files does not have enough room.
    #[error("there is not enough room to unpack it: {} has room for {free} bytes", dir.display())]
    NoSpace {
        /// The directory.
        dir: PathBuf,
        /// How many bytes are free in its file system.
        free: u64,
    },
    /// A temporary file cannot be created, written or mapped.
    #[error("cannot {action} a temporary file in {}: {why}", dir.display())]
    File {
        /// What was done to the file: a verb.
        action: &'static str,
        /// Its directory.
        dir: PathBuf,
        /// The error of the operating system.
        why: String,
    },
    /// The compressed file itself cannot be read.
    #[error("the file cannot be read: {why}")]
    Input {
        /// The error of the operating system.
        why: String,
    },
}
