//! Files with holes, as savecore(8) and dd(1) write them.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::Memory;
use crate::addr::PhysAddr;

/// A file in which long runs of zeros become holes.
#[derive(Debug)]
pub struct Sparse<'a, W> {
    file: &'a mut W,
    page: u64,
    zeros: u64,
    buffer: Vec<u8>,
}

impl<'a, W: Write + Seek> Sparse<'a, W> {
    /// `file`, with parts that start on page boundaries of `page` bytes.
    pub fn new(file: &'a mut W, page: u64) -> Self {
        Self { file, page, zeros: 0, buffer: vec![0; page as usize] }
    }

    /// Writes `bytes`, after the zeros before them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.zeros > 0 {
            let distance = i64::try_from(self.zeros).map_err(io::Error::other)?;
            self.file.seek(SeekFrom::Current(distance))?;
            self.zeros = 0;
        }
        self.file.write_all(bytes)
    }

    /// `count` bytes of zeros.
    pub fn zeros(&mut self, count: u64) {
        self.zeros += count;
    }

    /// `bytes`, padded with zeros to whole pages.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes(bytes)?;
        self.zeros((bytes.len() as u64).next_multiple_of(self.page) - bytes.len() as u64);
        Ok(())
    }

    /// The page at `at` of `memory`.
    ///
    /// # Errors
    /// It cannot be read, or the file cannot be written.
    pub fn page(&mut self, memory: &dyn Memory, at: PhysAddr) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = match memory.page(at, &mut buffer) {
            Ok(true) => self.bytes(&buffer),
            Ok(false) => {
                self.zeros(self.page);
                Ok(())
            }
            Err(why) => Err(why),
        };
        self.buffer = buffer;
        written
    }

    /// The pages of `memory` in `stretch`.
    ///
    /// # Errors
    /// One cannot be read, or the file cannot be written.
    pub fn pages(&mut self, memory: &dyn Memory, stretch: Range<PhysAddr>) -> io::Result<()> {
        let pages = (stretch.start.get()..stretch.end.get()).step_by(self.page as usize);
        pages.map(PhysAddr::new).try_for_each(|at| self.page(memory, at))
    }

    /// All of `input`, with pages of zeros as holes. Returns its length.
    ///
    /// # Errors
    /// It cannot be read, or the file cannot be written.
    pub fn copy(&mut self, mut input: impl Read) -> io::Result<u64> {
        let mut page = vec![0; self.page as usize];
        let mut len = 0;
        loop {
            let mut filled = 0;
            while filled < page.len() {
                match input.read(&mut page[filled..])? {
                    0 => break,
                    read => filled += read,
                }
            }
            let bytes = &page[..filled];
            if bytes.iter().all(|byte| *byte == 0) {
                self.zeros(filled as u64);
            } else {
                self.bytes(bytes)?;
            }
            len += filled as u64;
            if filled < page.len() {
                return Ok(len);
            }
        }
    }

    /// Ends the file. Its last byte must exist even in a hole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
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

    #[test]
    fn a_copy_has_the_holes_of_its_original() {
        let mut original = vec![0; 9000];
        original[4096] = 7;
        let mut file = Cursor::new(Vec::new());
        let mut out = Sparse::new(&mut file, 4096);
        assert_eq!(out.copy(&*original).unwrap(), 9000);
        assert_eq!(out.zeros, 9000 - 8192);
        out.finish().unwrap();
        assert_eq!(file.into_inner(), original);
    }
}
