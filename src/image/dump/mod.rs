//! Writers: what the kernel's dump code would put on the dump device.
//!
//! One file per format. They see the machine's memory and nothing of the
//! kernel in it, and share no code and no layouts with the readers of dumps:
//! both follow FreeBSD's sources, and only so do they agree.

pub mod elf_core;
pub mod minidump;

use std::collections::BTreeSet;
use std::io::{self, Seek, SeekFrom, Write};

use serde::Deserialize;

use super::ImageError;
use super::machine::Machine;
use crate::addr::PhysAddr;

/// The formats in which an image can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    MinidumpV1,
    MinidumpV2,
    MinidumpV3,
    Full,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::MinidumpV1, Self::MinidumpV2, Self::MinidumpV3, Self::Full];

    /// Its name in scenarios, and the end of the file name: `minidump-v2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MinidumpV1 => "minidump-v1",
            Self::MinidumpV2 => "minidump-v2",
            Self::MinidumpV3 => "minidump-v3",
            Self::Full => "full",
        }
    }

    pub(super) fn write(
        self,
        contents: &Contents<'_>,
        out: &mut (impl Write + Seek),
    ) -> Result<(), ImageError> {
        match self {
            Self::MinidumpV1 => minidump::write(contents, 1, out),
            Self::MinidumpV2 => minidump::write(contents, 2, out),
            Self::MinidumpV3 => minidump::write(contents, 3, out),
            Self::Full => elf_core::write(contents, out),
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
    /// Pages that the dump leaves out though they are in use.
    pub left_out: &'a BTreeSet<PhysAddr>,
}

impl Contents<'_> {
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
