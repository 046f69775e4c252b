//! The kernel's file and those of its modules, for a debugger that has none of its own.

use std::path::Path;

use gdbstub::target::ext::host_io::HostIoErrno;

use crate::kernel::{ElfFile, Kernel};
use crate::source::Source;

/// Files by their absolute paths.
pub(super) struct Files(Vec<(String, Source)>);

impl Files {
    /// The kernel's file is the one that has its debug information, if one has.
    pub fn of(kernel: &Kernel) -> Self {
        let file = kernel.debug_file().unwrap_or(kernel.main());
        let path = file.source().path().to_string_lossy();
        Self(vec![(absolute(&path), file.source().clone())])
    }

    /// Adds a file, and returns its absolute path.
    pub fn add(&mut self, path: &str, file: &ElfFile) -> String {
        let path = absolute(path);
        self.0.push((path.clone(), file.source().clone()));
        path
    }

    /// The path of the kernel's.
    pub fn kernel(&self) -> &str {
        self.0.first().map_or("", |(path, _)| path)
    }

    /// The number by which a file is read.
    pub fn number(&self, path: &[u8]) -> Option<u32> {
        let place = self.0.iter().position(|(known, _)| known.as_bytes() == path)?;
        u32::try_from(place).ok()
    }

    /// The file with that number.
    pub fn file(&self, number: u32) -> Result<&Source, HostIoErrno> {
        self.0.get(number as usize).map(|(_, file)| file).ok_or(HostIoErrno::EBADF)
    }
}

/// gdb runs in a directory of its own.
fn absolute(path: &str) -> String {
    std::path::absolute(Path::new(path))
        .map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}
