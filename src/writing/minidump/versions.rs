//! Which versions of minidumps the kernels of an architecture write.

use crate::arch::Arch;
use crate::writing::WriteError;

/// The versions of an architecture's minidumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The first one.
    pub oldest: u32,
    /// The last one.
    pub newest: u32,
    /// The first one with a `dump_avail`.
    pub dump_avail_since: u32,
}

impl Versions {
    /// Those of kernels of `arch` with pages of `page` bytes: MINIDUMP_VERSION in
    /// `sys/ARCH/include/minidump.h`, main.
    #[must_use]
    pub fn of(arch: Arch, page: u64) -> Self {
        let (oldest, newest, dump_avail_since) = match arch {
            Arch::Amd64 => (1, 3, 3),
            // Pages of another size came with the field that says so.
            Arch::Arm64 => (if page == 4 << 10 { 1 } else { 3 }, 3, 2),
            Arch::Riscv64 | Arch::I386 | Arch::Arm | Arch::Powerpc64 | Arch::Powerpc64le => {
                (1, 2, 2)
            }
        };
        Self { oldest, newest, dump_avail_since }
    }

    /// Refuses a version that no kernel writes.
    pub(super) fn check(self, version: u32, arch: Arch) -> Result<(), WriteError> {
        let Self { oldest, newest, .. } = self;
        if (oldest..=newest).contains(&version) {
            return Ok(());
        }
        Err(WriteError::NoSuchVersion { arch, version, oldest, newest })
    }
}
