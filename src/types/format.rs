//! The formats that types are read from.

use std::fmt;

use serde::Serialize;

use crate::kernel::{ElfFile, Kernel};

/// A format of types. All give the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The debug information of compilers, in debug files. It has everything.
    Dwarf,
    /// What FreeBSD puts into every kernel and module for dtrace(1) (`.SUNW_ctf`): types,
    /// and those of variables that have a symbol.
    Ctf,
}

impl Format {
    /// All of them, the one that says most first.
    pub const ALL: [Self; 2] = [Self::Dwarf, Self::Ctf];

    /// The format in which a file's types are read, unless one is wanted; `None` if it has no
    /// types.
    pub fn of(elf: &ElfFile, wanted: Option<Self>) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.is_wanted(wanted) && format.is_in(elf))
    }

    /// The half of a kernel that has types in this format; `None` if neither has.
    pub fn file_of(self, kernel: &Kernel) -> Option<&ElfFile> {
        match self {
            Self::Dwarf => kernel.debug_file(),
            Self::Ctf => kernel.ctf_file(),
        }
    }

    /// Does a file have types in this format?
    pub fn is_in(self, elf: &ElfFile) -> bool {
        match self {
            Self::Dwarf => elf.has_debug_info(),
            Self::Ctf => elf.has_ctf(),
        }
    }

    /// Is it the wanted one? Without a wish every format is.
    pub fn is_wanted(self, wanted: Option<Self>) -> bool {
        wanted.is_none_or(|wanted| wanted == self)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dwarf => "DWARF",
            Self::Ctf => "CTF",
        })
    }
}

/// What the types of a file were read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum Origin {
    /// Debug information.
    Dwarf {
        /// Compilation and type units.
        units: usize,
    },
    /// The section `.SUNW_ctf`.
    Ctf {
        /// The version of the format, 2 or 3.
        version: u8,
        /// The number of types.
        types: usize,
        /// The release that the kernel says it is of: `FreeBSD 14.0-RELEASE amd64 1400097`.
        label: Option<Box<str>>,
    },
}

impl Origin {
    /// The format.
    pub fn format(&self) -> Format {
        match self {
            Self::Dwarf { .. } => Format::Dwarf,
            Self::Ctf { .. } => Format::Ctf,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dwarf { units } => write!(f, "{units} units of debug information"),
            Self::Ctf { version, types, label } => {
                write!(f, "{types} types of CTF version {version}")?;
                label.as_ref().map_or(Ok(()), |label| write!(f, ", {label}"))
            }
        }
    }
}
