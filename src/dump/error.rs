//! Why a file is not a readable dump.

use std::fmt;

use crate::budget::Exhausted;
use crate::source::UnpackError;
use crate::source::other::OtherFile;

/// A file is not a readable crash dump.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// It is a file of another kind and contains no dump.
    #[error("this is {0}, not a crash dump")]
    NotADump(NotADump),
    /// It is a known file of another program, and may contain a dump.
    #[error("{}", other_file(.0))]
    OtherFile(OtherFile),
    /// It was unpacked, and what came out is still such a file.
    #[error("this is {0} in a compressed file: it cannot be read as it is")]
    PackedAgain(OtherFile),
    /// The dump is encrypted, according to its kernel dump header.
    #[error("this is an encrypted dump (dumpkeysize is {key_len:#x}): it cannot be read as it is")]
    Encrypted {
        /// The length of the encrypted key that precedes the dump, in bytes.
        key_len: u32,
    },
    /// A header field has an impossible value.
    #[error("the {format} header says {field} is {value}, which is not possible: {why}")]
    BadField {
        /// The format whose header it is.
        format: &'static str,
        /// The field's name in FreeBSD's source or the ELF specification.
        field: &'static str,
        /// Its value, as displayed.
        value: String,
        /// What the value should be.
        why: String,
    },
    /// The file is too short.
    #[error("the file ends at {length:#x}, but {what} needs {needed:#x} bytes")]
    Truncated {
        /// The part that does not fit.
        what: &'static str,
        /// How long the file must be at least, in bytes.
        needed: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// A known kind of dump that cannot be read.
    #[error("{what} is not supported")]
    Unsupported {
        /// The kind of dump, with its article.
        what: String,
    },
    /// It is compressed and cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// Its headers would cost more than the budget allows.
    #[error("a file of this size cannot need that many program headers")]
    Limit(#[from] Exhausted),
}

/// What a file is instead of a dump. Displayed with its article.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotADump {
    /// An empty file.
    Empty,
    /// A file in an unknown format.
    Unknown {
        /// Its first bytes, at most four.
        magic: Vec<u8>,
    },
    /// A file in an unknown format with the name of a VMware memory file, `.vmem`.
    VmwareMemory,
    /// A file of zeros.
    Zeros {
        /// Was all of the file examined, or only its beginning?
        whole: bool,
    },
    /// A device without a length, such as `/dev/mem`: the memory of a running machine, if its
    /// kernel is known.
    Device,
    /// A dump device that savecore(8) has cleared.
    ClearedDevice,
    /// A dump device whose header is not followed by a dump.
    EmptyDevice,
    /// A text dump on a dump device.
    TextDump,
    /// An ELF file that ends within its file header.
    ElfCutOff,
    /// An ELF object file, such as a kernel module.
    ElfObject,
    /// An ELF executable, such as a kernel.
    ElfExecutable,
    /// An ELF file of this unknown `e_type`.
    ElfOfType(u16),
    /// An ELF core without any memory segment.
    CoreWithoutMemory,
    /// The core of a process.
    ProcessCore,
}

impl fmt::Display for NotADump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Empty => "an empty file",
            Self::Unknown { magic } => {
                f.write_str("data in an unknown format (magic")?;
                magic.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
                ")"
            }
            Self::VmwareMemory => "a VMware memory file or something similar",
            Self::Zeros { whole: true } => "only zeros, without a magic",
            Self::Zeros { whole: false } => "only zeros in the part that was read, without a magic",
            Self::Device => "a device",
            Self::ClearedDevice => "a dump device whose dump was cleared",
            Self::EmptyDevice => "a dump device without a dump",
            Self::TextDump => "a text dump",
            Self::ElfCutOff => "the beginning of an ELF file, cut off",
            Self::ElfObject => "an ELF object file or kernel module",
            Self::ElfExecutable => "an ELF executable, such as a kernel",
            Self::ElfOfType(e_type) => {
                return write!(f, "an ELF file of an unknown type (e_type {e_type:#x})");
            }
            Self::CoreWithoutMemory => {
                "an ELF core without any memory in its program headers (e_phoff, e_phnum)"
            }
            Self::ProcessCore => "the core of a process",
        };
        f.write_str(text)
    }
}

impl From<NotADump> for DumpError {
    fn from(what: NotADump) -> Self {
        Self::NotADump(what)
    }
}

impl From<OtherFile> for DumpError {
    fn from(other: OtherFile) -> Self {
        Self::OtherFile(other)
    }
}

fn other_file(other: &OtherFile) -> String {
    match other.may_hold_dump() {
        true => format!("this is {other}: it cannot be read as it is"),
        false => format!("this is {other}, not a crash dump"),
    }
}
