//! Reads of a large file past its map.
//!
//! A question about ten thousand vnets reads gigabytes of a dump. If they were read from a map, each page would
//! cost a fault, and would count as memory of the program until it ends. So they are copied. Kernel memory is
//! asked for by whole pages; small reads are those of page tables and headers, and come from blocks that
//! threads keep.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::recent::{PAGE, Pages};

/// A file that is read in blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    file: File,
    recent: Pages,
}

impl Blocks {
    pub(super) fn new(file: File) -> Self {
        Self { file, recent: Pages::new() }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Reads at `at` into `buf`, as much as fits or as there is up to the file's end. Returns the number of bytes
    /// read. What a thread has read lately is not read again, even if the file has changed.
    pub(super) fn read(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        if buf.len() >= PAGE {
            return read_all(&self.file, at, buf);
        }
        let mut done = 0;
        while done < buf.len() {
            let at = at.saturating_add(done as u64);
            let (number, within) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let into = buf.get_mut(done..).unwrap_or_default();
            let fill = |block: &mut [u8]| read_all(&self.file, at - within as u64, block);
            let len = self.recent.page(number, fill, |block| {
                let rest = block.get(within..).unwrap_or_default();
                let len = rest.len().min(into.len());
                into[..len].copy_from_slice(&rest[..len]);
                len
            })?;
            if len == 0 {
                break;
            }
            done += len;
        }
        Ok(done)
    }
}

/// Reads until `buf` is full or the file ends.
fn read_all(file: &File, at: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        let into = buf.get_mut(done..).unwrap_or_default();
        match file.read_at(into, at.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file in which each four bytes are their number, and a few more.
    fn file(words: u32) -> Blocks {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..words).flat_map(u32::to_le_bytes).chain([1, 2, 3]).collect();
        file.write_all(&bytes).unwrap();
        Blocks::new(file)
    }

    fn word(blocks: &Blocks, number: u32) -> u32 {
        let mut word = [0; 4];
        assert_eq!(blocks.read(u64::from(number) * 4, &mut word).unwrap(), 4);
        u32::from_le_bytes(word)
    }

    #[test]
    fn what_is_read_is_what_the_file_has() {
        const WORDS: u32 = 3 * (256 * PAGE) as u32 / 4;
        let (file, other) = (file(WORDS), file(5));
        for round in 0..3 {
            let numbers = (0..WORDS).step_by(999 + round).chain((0..WORDS).rev().step_by(1313));
            for number in numbers {
                assert_eq!(word(&file, number), number);
                assert_eq!(word(&other, number % 5), number % 5);
            }
        }
    }

    #[test]
    fn reads_cross_blocks_and_end_where_the_file_does() {
        let file = file(2048);
        let mut buf = [0; 100];
        assert_eq!(file.read(PAGE as u64 - 50, &mut buf).unwrap(), 100);
        assert_eq!(buf[2..6], 1012_u32.to_le_bytes());
        assert_eq!(buf[50..54], 1024_u32.to_le_bytes());
        assert_eq!(file.read(2048 * 4 - 4, &mut buf).unwrap(), 7);
        assert_eq!(buf[4..7], [1, 2, 3]);
        assert_eq!(file.read(2048 * 4 + 3, &mut buf).unwrap(), 0);
        assert_eq!(file.read(1 << 40, &mut buf).unwrap(), 0);
        let mut all = vec![0; 10_000];
        assert_eq!(file.read(4, &mut all).unwrap(), 2048 * 4 + 3 - 4);
        assert_eq!(all[..4], 1_u32.to_le_bytes());
    }

    #[test]
    fn a_block_that_cannot_be_read_is_not_kept() {
        let directory = Blocks::new(File::open("/").unwrap());
        for _ in 0..2 {
            assert!(directory.read(0, &mut [0; 4]).is_err());
        }
    }
}
