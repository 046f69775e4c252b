//! The forms of compressed files.

use std::fmt;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes of a file; `None` if they are of neither.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const GZIP: &[u8] = b"\x1f\x8b";
        const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
        if bytes.starts_with(GZIP) {
            Some(Self::Gzip)
        } else if bytes.starts_with(ZSTD) {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// `gzip` or `zstd`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
