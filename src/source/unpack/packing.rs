//! The formats of compressed files.

use std::fmt;

/// The format of a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing {
    /// gzip(1), RFC 1952; one or several members.
    Gzip,
    /// zstd(1), RFC 8878; one or several frames.
    Zstd,
}

impl Packing {
    /// Recognises the first bytes of a file; `None` if they are neither.
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
