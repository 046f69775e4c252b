//! Files of other programs that are handed over in the place of a dump or a kernel: what
//! each is.
//!
//! A file is known by its first bytes, so that a part of it is enough; by its name only
//! where it is text that could be anything. What is not known here is not refused here:
//! raw memory begins with anything.

mod archive;
mod crash_directory;
mod machine;
mod magic;

use std::fmt;
use std::path::Path;

pub use archive::inside as inside_archive;
pub use archive::{Archive, Compression};
pub use crash_directory::CrashFile;
pub use machine::recognise as of_a_machine;
pub use machine::{DiskImage, MemoryRange, SavedMachine};

/// What a file of another program is. Displayed with its article: `a qcow2 disk image`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherFile {
    /// The memory or the whole state of a machine, in a format of its own.
    Machine(SavedMachine),
    /// The image of a disk, on which there may be a dump device.
    Disk(DiskImage),
    /// An archive, in which there may be a dump or a kernel.
    Archive(Archive),
    /// A compressed file.
    Compressed(Compression),
    /// The archive of what ddb(4) printed (textdump(4)). It holds no memory.
    TextDump,
    /// A file of a crash directory.
    Crash(CrashFile),
}

impl OtherFile {
    /// May there be a dump in it, in another form?
    pub fn may_hold_dump(&self) -> bool {
        match self {
            Self::Machine(_) | Self::Disk(_) | Self::Archive(_) | Self::Compressed(_) => true,
            Self::Crash(file) => matches!(file, CrashFile::EncryptedDump { .. }),
            Self::TextDump => false,
        }
    }
}

impl fmt::Display for OtherFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine(machine) => machine.what(),
            Self::Disk(disk) => disk.what(),
            Self::Archive(archive) => archive.what(),
            Self::Compressed(compression) => compression.what(),
            Self::TextDump => "a text dump",
            Self::Crash(file) => file.what(),
        })
    }
}

/// What the file at `path` is, which begins with `bytes`; `None` if it is not known.
///
/// The bytes need not be all of the file. The more there are the surer the answer is:
/// a tar archive has its mark at 257.
pub fn recognise(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    machine::recognise(bytes)
        .or_else(|| archive::recognise(path, bytes))
        .or_else(|| crash_directory::recognise(path, bytes).map(OtherFile::Crash))
}

/// What a file is by what it ends with.
pub fn by_its_end(bytes: &[u8]) -> Option<OtherFile> {
    machine::by_its_end(bytes)
}
