//! Writers: what the kernel's dump code would put on the dump device.
//!
//! One file per format. They see the machine's memory and nothing of the
//! kernel in it, and share no code and no layouts with the readers of dumps:
//! both follow FreeBSD's sources, and only so do they agree.

mod elf;
pub mod elf_core;
pub mod minidump;
pub mod qemu;
pub mod raw;
pub mod virtual_core;

use std::collections::BTreeSet;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

use serde::Deserialize;

use super::ImageError;
use super::machine::{Machine, Paging};
use crate::addr::PhysAddr;

/// The formats in which an image can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

    pub(super) fn write(
        self,
        contents: &Contents<'_>,
        out: &mut (impl Write + Seek),
    ) -> Result<(), ImageError> {
        let is_minidump = matches!(self, Self::MinidumpV1 | Self::MinidumpV2 | Self::MinidumpV3);
        if contents.machine.options().paging == Some(Paging::Lpae) && !is_minidump {
            let why = "only minidumps say that an armv7 kernel's page tables have the long format";
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

/// A file in which long runs of zeros become holes.
struct Sparse<'a, W> {
    file: &'a mut W,
    page: u64,
    zeros: u64,
}

impl<'a, W: Write + Seek> Sparse<'a, W> {
    /// `file`, with parts that start on pages of `page` bytes.
    fn new(file: &'a mut W, page: u64) -> Self {
        Self { file, page, zeros: 0 }
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.zeros > 0 {
            let distance = i64::try_from(self.zeros).map_err(io::Error::other)?;
            self.file.seek(SeekFrom::Current(distance))?;
            self.zeros = 0;
        }
        self.file.write_all(bytes)
    }

    fn zeros(&mut self, count: u64) {
        self.zeros += count;
    }

    /// `bytes`, filled up with zeros to a whole number of pages.
    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes(bytes)?;
        self.zeros((bytes.len() as u64).next_multiple_of(self.page) - bytes.len() as u64);
        Ok(())
    }

    /// A page of the machine's memory.
    fn page(&mut self, machine: &Machine, at: PhysAddr) -> io::Result<()> {
        if !machine.is_touched(at) {
            self.zeros(self.page);
            return Ok(());
        }
        let mut bytes = vec![0; self.page as usize];
        machine.read_physical(at, &mut bytes);
        self.bytes(&bytes)
    }

    /// Ends the file; its last byte must exist even if it lies in a hole.
    fn finish(mut self) -> io::Result<()> {
        if self.zeros > 0 {
            self.zeros -= 1;
            self.bytes(&[0])?;
        }
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn holes_read_as_zeros_and_count_in_the_length() {
        let mut file = Cursor::new(Vec::new());
        let mut out = Sparse::new(&mut file, 4096);
        out.padded(&[1, 2]).unwrap();
        out.bytes(&[3]).unwrap();
        out.zeros(4095);
        out.finish().unwrap();
        let bytes = file.into_inner();
        assert_eq!(bytes.len(), 8192);
        assert_eq!((bytes[1], bytes[2], bytes[4096], bytes[8191]), (2, 0, 3, 0));
    }
}
