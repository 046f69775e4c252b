//! Writers: what the kernel's dump code would put on the dump device.
//!
//! There is one file for each format and for each thing that may surround a dump: its
//! device, its compression. They see the machine's memory but not the
//! kernel in it, and share no code and no layouts with the readers of dumps. The formats that a
//! conversion writes too are in [`crate::writing`].
//! Both follow FreeBSD's sources, which is the only reason that they agree.

mod contents;
mod device;
mod elf_core;
mod file;
mod info_file;
mod kernel_header;
mod minidump;
mod packed;
mod qemu;
mod raw;
mod virtual_core;

use std::io::{Seek, Write};

pub use self::contents::Contents;
pub use self::file::{DumpFile, Wrapping};
pub(super) use self::info_file::info_file;
pub use self::kernel_header::{HeaderVersion, Origin};

use super::ImageError;
use super::machine::Paging;

/// The formats in which an image can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// amd64 7.0 to 8.1, and the first version of other architectures.
    MinidumpV1,
    /// amd64 8.2 to 12; other architectures since 13.0.
    MinidumpV2,
    /// amd64 since 13.0, and arm64 since 14.0.
    MinidumpV3,
    /// A full dump: an ELF core by physical addresses.
    Full,
    /// Physical memory, byte for byte, without a header.
    Raw,
    /// The output of QEMU's dump-guest-memory: an ELF core with CPU registers.
    Qemu,
    /// An ELF core by kernel virtual addresses.
    Virtual,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::MinidumpV1,
        Self::MinidumpV2,
        Self::MinidumpV3,
        Self::Full,
        Self::Raw,
        Self::Qemu,
        Self::Virtual,
    ];

    /// Its name in scenarios, which is also the end of the file name: `minidump-v2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MinidumpV1 => "minidump-v1",
            Self::MinidumpV2 => "minidump-v2",
            Self::MinidumpV3 => "minidump-v3",
            Self::Full => "full",
            Self::Raw => "raw",
            Self::Qemu => "qemu",
            Self::Virtual => "virtual",
        }
    }

    fn is_minidump(self) -> bool {
        matches!(self, Self::MinidumpV1 | Self::MinidumpV2 | Self::MinidumpV3)
    }

    /// Does the kernel itself write it?
    fn is_kernels_own(self) -> bool {
        self.is_minidump() || self == Self::Full
    }

    fn write(
        self,
        contents: &Contents<'_>,
        out: &mut (impl Write + Seek),
    ) -> Result<(), ImageError> {
        if contents.machine.options().paging == Some(Paging::Lpae) && !self.is_minidump() {
            let why = "only minidumps say that an armv7 kernel's page tables have the long format";
            return Err(ImageError::Format(why.into()));
        }
        let is_physical = matches!(self, Self::Full | Self::Raw | Self::Qemu);
        if contents.machine.options().paging == Some(Paging::Hashed) && is_physical {
            let why = "the hashed page table is the hypervisor's: the machine's memory has none";
            return Err(ImageError::Format(why.into()));
        }
        match self {
            Self::MinidumpV1 => minidump::write(contents, 1, out),
            Self::MinidumpV2 => minidump::write(contents, 2, out),
            Self::MinidumpV3 => minidump::write(contents, 3, out),
            Self::Full => elf_core::write(contents, out),
            Self::Raw => raw::write(contents, out),
            Self::Qemu => qemu::write(contents, out),
            Self::Virtual => virtual_core::write(contents, out),
        }
    }
}
