//! The machines FreeBSD runs on, as far as reading their memory needs to know.

use std::fmt;

use crate::bytes::Endian;

/// A machine architecture, by FreeBSD's name for it (`MACHINE_ARCH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    Amd64,
}

impl Arch {
    /// The architecture of an ELF file with these header fields, if FreeBSD runs on it.
    pub fn from_elf(e_machine: u16, is_64: bool, endian: Endian) -> Option<Self> {
        const EM_X86_64: u16 = 62;
        match (e_machine, is_64, endian) {
            (EM_X86_64, true, Endian::Little) => Some(Self::Amd64),
            _ => None,
        }
    }

    /// FreeBSD's name: `amd64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
        }
    }

    /// Size of a pointer and of a `long`, in bytes.
    pub fn pointer_size(self) -> u64 {
        match self {
            Self::Amd64 => 8,
        }
    }

    /// Order of the bytes in a number.
    pub fn endian(self) -> Endian {
        match self {
            Self::Amd64 => Endian::Little,
        }
    }

    /// `value` cut to a pointer's width: kernel address arithmetic wraps there.
    pub fn wrap(self, value: u64) -> u64 {
        match self.pointer_size() {
            4 => value & 0xffff_ffff,
            _ => value,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
