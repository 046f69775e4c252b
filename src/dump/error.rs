//! Why a file is not a dump that can be read.

use std::fmt;

use crate::budget::Exhausted;
use crate::source::UnpackError;
use crate::source::other::OtherFile;

/// A file is not a crash dump that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// It is a file of another kind, and no dump is in it.
    #[error("this is {0}, not a crash dump")]
    NotADump(NotADump),
    /// It is a known file of another program; there may be a dump in it.
    #[error("{}", other_file(.0))]
    OtherFile(OtherFile),
    /// It was unpacked, and is such a file still.
    #[error("this is {0} that is compressed once more: it cannot be read as it is")]
    PackedAgain(OtherFile),
    /// The dump is encrypted, as its header says, by a key of so many bytes.
    #[error("this is an encrypted dump (dumpkeysize is {key_len:#x}): it cannot be read as it is")]
    Encrypted { key_len: u32 },
    /// A field of a header has a value that cannot be.
    #[error("the {format} header says {field} is {value}, which cannot be: {why}")]
    BadField { format: &'static str, field: &'static str, value: String, why: String },
    /// The file ends too early, at `length` of the `needed` bytes.
    #[error("the file ends at {length:#x}, but {what} needs {needed:#x} bytes")]
    Truncated { what: &'static str, needed: u64, length: u64 },
    /// A dump of a kind that is known and cannot be read.
    #[error("{what} is not supported")]
    Unsupported { what: String },
    /// It is compressed, and cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// Its headers would cost more than the budget allows.
    #[error("its program headers are more than the size of the file justifies")]
    Limit(#[from] Exhausted),
}

/// What a file is that is not a dump. Displayed with its article.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotADump {
    /// An empty file.
    Empty,
    /// Nothing is known of its format; its first bytes, at most four.
    Unknown { magic: Vec<u8> },
    /// The same, with the name of VMware's memory files: `.vmem`.
    VmwareMemory,
    /// Only zeros, as far as the file was looked at.
    Zeros { whole: bool },
    /// A device of characters in which no dump was found, such as `/dev/mem`.
    CharacterDevice,
    /// A dump device whose dump savecore(8) has cleared.
    ClearedDevice,
    /// A dump device whose header leads to no dump.
    EmptyDevice,
    /// A text dump on a dump device.
    TextDump,
    /// An ELF file that ends within its header.
    ElfCutOff,
    /// An ELF object file, such as a kernel module.
    ElfObject,
    /// An ELF executable, such as a kernel.
    ElfExecutable,
    /// An ELF file of this unknown `e_type`.
    ElfOfType(u16),
    /// An ELF core without a segment of memory.
    CoreWithoutMemory,
    /// The core of a process.
    ProcessCore,
}

impl fmt::Display for NotADump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Empty => "an empty file",
            Self::Unknown { magic } => {
                f.write_str("data in no format that is known (magic")?;
                magic.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
                ")"
            }
            Self::VmwareMemory => "a memory file of VMware, or the like",
            Self::Zeros { whole: true } => "nothing but zeros, and no magic",
            Self::Zeros { whole: false } => "zeros as far as it was looked at, and no magic",
            Self::CharacterDevice => "a character device",
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
