//! Memory that changes while it is read: `/dev/mem`, `/dev/kmem` and their likes.
//!
//! A device has no length and cannot be mapped. It is read by its offset, at the moment of the
//! question, and what it says about one offset may differ from read to read.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Memory that is read at an offset, and that may change between two reads.
pub trait Device: fmt::Debug + Send + Sync {
    /// Reads at `offset` into `buf` and returns the number of bytes read; 0 if there are none.
    ///
    /// # Errors
    /// The device has nothing there, or protects it.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
}

/// `off_t` is signed, so an offset of 2^63 or more is negative for pread(2). FreeBSD accepts it
/// from character devices (`kern_preadv`, `sys/kern/sys_generic.c`, 14.0): the kernel's part of a
/// 64-bit address space is there in `/dev/kmem`. Linux does not.
impl Device for File {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }
}

/// Does a file without a length have bytes, as `/proc/PID/mem` does? An error is a sign of them:
/// a file that is merely empty ends at its beginning.
pub(super) fn has_bytes(file: &File) -> bool {
    !matches!(FileExt::read_at(file, &mut [0], 0), Ok(0))
}

/// Is this the name of a memory device, or a link to one?
pub(super) fn is_memory(path: &Path) -> bool {
    is_named(path, "mem") || is_kernel_memory(path)
}

/// Is this the name of a device of memory by virtual address (`/dev/kmem`), or a link to one?
/// Systems give it different numbers, but the same name.
pub(super) fn is_kernel_memory(path: &Path) -> bool {
    is_named(path, "kmem")
}

fn is_named(path: &Path, name: &str) -> bool {
    let is = |path: &Path| path.file_name().is_some_and(|file| file == name);
    is(path) || path.canonicalize().is_ok_and(|target| is(&target))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_device_of_virtual_memory_is_known_by_its_name() {
        assert!(is_kernel_memory(Path::new("/dev/kmem")) && is_memory(Path::new("/dev/kmem")));
        assert!(!is_kernel_memory(Path::new("/dev/mem")) && is_memory(Path::new("/dev/mem")));
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("kmem"), "").unwrap();
        std::os::unix::fs::symlink(at("kmem"), at("memory")).unwrap();
        assert!(is_kernel_memory(&at("memory")), "its target has the name");
        assert!(!is_kernel_memory(directory.path()));
    }

    #[test]
    fn what_has_bytes_without_a_length_is_no_empty_file() {
        assert!(has_bytes(&File::open("/proc/self/mem").unwrap()), "address 0 cannot be read");
        assert!(has_bytes(&File::open("/proc/self/status").unwrap()));
        assert!(!has_bytes(&tempfile::tempfile().unwrap()));
    }
}
