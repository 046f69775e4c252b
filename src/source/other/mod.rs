//! Recognises files of other programs that were given in place of a dump or a kernel.
//!
//! A file is recognised by its first bytes, so a part of it is enough. Its name is used only
//! for text that could be anything. Unknown files are not refused here, because
//! raw memory may begin with anything.

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
    /// The memory or the whole state of a machine, in a special format.
    Machine(SavedMachine),
    /// The image of a disk, which may contain a dump device.
    Disk(DiskImage),
    /// An archive, which may contain a dump or a kernel.
    Archive(Archive),
    /// A compressed file.
    Compressed(Compression),
    /// The output of ddb(4) in an archive (textdump(4)). It contains no memory.
    TextDump,
    /// A file of a crash directory.
    Crash(CrashFile),
}

impl OtherFile {
    /// Can it contain a dump in another form?
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

/// Recognises the file at `path` that begins with `bytes`; `None` if it is unknown.
///
/// `bytes` need not be the whole file, but more of them make the answer more certain:
/// the mark of a tar archive is at offset 257.
pub fn recognise(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    machine::recognise(bytes)
        .or_else(|| archive::recognise(path, bytes))
        .or_else(|| crash_directory::recognise(path, bytes).map(OtherFile::Crash))
}

/// Recognises a file by its last bytes.
pub fn by_its_end(bytes: &[u8]) -> Option<OtherFile> {
    machine::by_its_end(bytes)
}
