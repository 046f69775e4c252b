//! Writers: what the kernel's dump code would put on the dump device.
//!
//! One file per format, and one for each thing that may be around a dump: its
//! device, its compression. They see the machine's memory and nothing of the
//! kernel in it, and share no code and no layouts with the readers of dumps:
//! both follow FreeBSD's sources, and only so do they agree.

mod device;
mod elf;
pub mod elf_core;
mod file;
mod info_file;
mod kernel_header;
pub mod minidump;
mod packed;
pub mod qemu;
pub mod raw;
mod sparse;
pub mod virtual_core;

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::ops::Range;

pub use self::file::{DumpFile, Wrapping};
pub(super) use self::info_file::info_file;
pub use self::kernel_header::{HeaderVersion, Origin};

use self::sparse::Sparse;

use super::ImageError;
use super::machine::{Machine, Paging};
use crate::addr::PhysAddr;

/// The formats in which an image can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    MinidumpV1,
    MinidumpV2,
    MinidumpV3,
    /// A full dump.
    Full,
    /// Physical memory, byte for byte.
    Raw,
    /// QEMU's dump-guest-memory.
    Qemu,
    /// An ELF core by kernel address.
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

    /// Its name in scenarios, and the end of the file name: `minidump-v2`.
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

/// What goes into a dump.
#[derive(Debug)]
pub struct Contents<'a> {
    pub machine: &'a Machine,
    /// The kernel's message buffer: all of its memory, and the part that is text.
    pub message_buffer: &'a [u8],
    pub message_size: u32,
    /// How many processors there are.
    pub cpus: u32,
    /// Pages that the dump leaves out though they are in use.
    pub left_out: &'a BTreeSet<PhysAddr>,
}

impl Contents<'_> {
    /// The installed memory, less what is left out.
    fn memory(&self) -> Vec<Range<PhysAddr>> {
        let page = self.machine.page_size();
        let mut rows = Vec::new();
        for range in self.machine.memory_ranges() {
            let mut start = range.start;
            for gone in self.left_out.range(range.clone()) {
                rows.push(start..*gone);
                start = gone.wrapping_add(page);
            }
            rows.push(start..range.end);
        }
        rows.retain(|row| row.start < row.end);
        rows
    }

    fn is_dumped(&self, page: PhysAddr) -> bool {
        !self.left_out.contains(&page)
    }
}
