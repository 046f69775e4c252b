//! Files of other programs that are handed over in the place of a dump or a kernel:
//! what each is, and the one thing to do with it.
//!
//! A file is known by its first bytes, so that a part of it is enough; by its name only
//! where it is text that could be anything. What is not known here is not refused here:
//! raw memory begins with anything.

mod archive;
mod crash_directory;
mod machine;

use std::path::Path;

pub use archive::inside as inside_archive;
pub use crash_directory::decrypt;
pub use machine::recognise as of_a_machine;

/// What a file is, and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFile {
    /// With its article: `a qcow2 disk image`.
    pub what: String,
    /// May there be a dump in it, in another form?
    pub may_hold_dump: bool,
    /// What to do where a dump was wanted.
    pub for_dump: String,
    /// What to do where a kernel was wanted, if there is anything but to name another file.
    pub for_kernel: Option<String>,
}

/// What the file at `path` is, which begins with `bytes`; `None` if it is not known.
///
/// The bytes need not be all of the file. The more there are the surer the answer is:
/// a tar archive has its mark at 257.
pub fn recognise(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    machine::recognise(path, bytes)
        .or_else(|| archive::recognise(path, bytes))
        .or_else(|| crash_directory::recognise(path, bytes))
}

/// What a file is by what it ends with.
pub fn by_its_end(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    machine::by_its_end(path, bytes)
}

/// Does a file that begins with `bytes` begin with `magic`, as far as it goes?
fn begins(bytes: &[u8], magic: &[u8]) -> bool {
    /// Fewer bytes may be anything.
    const FEWEST: usize = 4;
    let cut_off = bytes.len() >= FEWEST && magic.starts_with(bytes);
    bytes.starts_with(magic) || cut_off
}
