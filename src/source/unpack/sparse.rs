//! Where unpacked blocks go: into a file in which runs of zeros are holes, or into
//! a count of the space that such a file would take.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use super::stream::Blocks;

/// How many bytes are decoded before they are handed on.
const BLOCK: usize = 1 << 20;

/// Blocks on their way to the disk. One more is being filled, and one written.
const QUEUE: usize = 4;

/// The shortest run of zeros that becomes a hole, and its alignment: a page of memory.
const PAGE: usize = 4096;

/// Collects blocks that a separate thread writes to a file.
pub(super) struct Writer {
    block: Vec<u8>,
    len: usize,
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

impl Writer {
    /// Calls `fill` to produce bytes and writes them to `file`. Returns the result of `fill` and
    /// the length of the file.
    pub(super) fn run<T>(file: &File, fill: impl FnOnce(&mut Self) -> T) -> (T, io::Result<u64>) {
        let (full, full_blocks) = sync_channel::<Vec<u8>>(QUEUE);
        let (give_back, empty) = channel::<Vec<u8>>();
        thread::scope(|scope| {
            let writing = scope.spawn(move || -> io::Result<u64> {
                let mut file = SparseFile { file, at: 0, end: 0 };
                for block in full_blocks {
                    file.write(&block)?;
                    // The producer may have finished.
                    let _ = give_back.send(block);
                }
                file.finish()
            });
            let mut writer = Self { block: vec![0; BLOCK], len: 0, full, empty };
            let result = fill(&mut writer);
            writer.block.truncate(writer.len);
            // If this fails, the thread has ended early and its result says why.
            let _ = writer.full.send(std::mem::take(&mut writer.block));
            drop(writer);
            let lost = || io::Error::other("the thread that writes it is gone");
            (result, writing.join().unwrap_or_else(|_| Err(lost())))
        })
    }
}

impl Blocks for Writer {
    fn space(&mut self) -> &mut [u8] {
        self.block.get_mut(self.len..).unwrap_or_default()
    }

    fn filled(&mut self, len: usize) -> bool {
        self.len += len;
        if self.len < self.block.len() {
            return true;
        }
        let next = self.empty.try_recv().unwrap_or_else(|_| vec![0; BLOCK]);
        self.len = 0;
        self.full.send(std::mem::replace(&mut self.block, next)).is_ok()
    }
}

struct SparseFile<'a> {
    file: &'a File,
    /// Where the next byte would be written.
    at: u64,
    /// The length so far, including holes at the end.
    end: u64,
}

impl SparseFile<'_> {
    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        let mut rest = block;
        while !rest.is_empty() {
            let zeros = run(rest, true);
            self.end += zeros as u64;
            rest = rest.get(zeros..).unwrap_or_default();
            let data = rest.get(..run(rest, false)).unwrap_or_default();
            if data.is_empty() {
                continue;
            }
            if self.at != self.end {
                self.file.seek(SeekFrom::Start(self.end))?;
            }
            self.file.write_all(data)?;
            self.end += data.len() as u64;
            self.at = self.end;
            rest = rest.get(data.len()..).unwrap_or_default();
        }
        Ok(())
    }

    fn finish(self) -> io::Result<u64> {
        self.file.set_len(self.end)?;
        Ok(self.end)
    }
}

/// Counts the bytes that a file with holes would take, up to a limit.
pub(super) struct Stored {
    block: Vec<u8>,
    len: usize,
    count: u64,
    limit: u64,
}

impl Stored {
    pub(super) fn up_to(limit: u64) -> Self {
        Self { block: vec![0; BLOCK], len: 0, count: 0, limit }
    }

    /// Is more than the limit needed?
    pub(super) fn is_over(&self) -> bool {
        self.count + self.data_in_block() > self.limit
    }

    fn data_in_block(&self) -> u64 {
        let filled = self.block.get(..self.len).unwrap_or_default();
        filled.chunks(PAGE).filter(|page| !is_zero(page)).map(|page| page.len() as u64).sum()
    }
}

impl Blocks for Stored {
    fn space(&mut self) -> &mut [u8] {
        self.block.get_mut(self.len..).unwrap_or_default()
    }

    fn filled(&mut self, len: usize) -> bool {
        self.len += len;
        if self.len == self.block.len() {
            self.count += self.data_in_block();
            self.len = 0;
        }
        self.count <= self.limit
    }
}

/// How many bytes at the start of `bytes` are whole pages of zeros, or whole pages of data.
fn run(bytes: &[u8], zeros: bool) -> usize {
    let pages = bytes.chunks(PAGE).take_while(|page| is_zero(page) == zeros);
    pages.map(<[u8]>::len).sum()
}

fn is_zero(page: &[u8]) -> bool {
    const ZEROS: [u8; PAGE] = [0; PAGE];
    ZEROS.get(..page.len()) == Some(page)
}
