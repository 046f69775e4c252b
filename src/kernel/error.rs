//! Why a file is not a usable kernel.

use std::fmt;

use goblin::elf::header::machine_to_str;

use crate::source::other::OtherFile;

/// A file is not a usable kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// It is a file of another kind.
    #[error("this is {0}, not a kernel ELF file")]
    NotAKernel(NotAKernel),
    /// A part of the ELF file is damaged or missing.
    #[error("the ELF file's {part} is damaged: {why}")]
    Damaged {
        /// The part, such as `section table`.
        part: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A compressed section cannot be unpacked.
    #[error("section {section} is compressed and does not unpack: {why}")]
    Compressed {
        /// Its name.
        section: String,
        /// What is wrong with the stream.
        why: String,
    },
}

/// What a file is instead of a kernel. Displayed with its article.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAKernel {
    /// An empty file.
    Empty,
    /// A file of an unknown kind.
    Unknown,
    /// A known file of another program.
    Other(OtherFile),
    /// A file that begins like a zstd file but cannot be unpacked.
    DamagedZstd {
        /// What is wrong with it.
        why: String,
    },
    /// A crash dump: a minidump.
    Minidump,
    /// A crash dump: an ELF core.
    ElfCore,
    /// An ELF object file, such as an unlinked kernel module.
    Object,
    /// An ELF file of another type, by its `e_type`.
    ElfOfType(u16),
    /// An ELF file for a machine that FreeBSD's kernel does not run on, by its `e_machine`.
    ElfOfMachine(u16),
}

impl fmt::Display for NotAKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty file"),
            Self::Unknown => f.write_str("a file of another kind"),
            Self::Other(other) => other.fmt(f),
            Self::DamagedZstd { why } => write!(f, "a damaged zstd file ({why})"),
            Self::Minidump => f.write_str("a crash dump (a minidump)"),
            Self::ElfCore => f.write_str("a crash dump (an ELF core)"),
            Self::Object => f.write_str("an object file or module"),
            Self::ElfOfType(e_type) => write!(f, "an ELF file of type {e_type}"),
            Self::ElfOfMachine(e_machine) => {
                write!(f, "an ELF file for machine {}", machine_to_str(*e_machine))
            }
        }
    }
}

impl From<NotAKernel> for KernelError {
    fn from(what: NotAKernel) -> Self {
        Self::NotAKernel(what)
    }
}
