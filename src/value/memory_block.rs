//! A stretch of memory with its holes: what a variable's bytes are when some
//! of its pages are missing.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::error::Fault;
use crate::memory::KernelMemory;

/// Bytes read from one address on, and which of them could not be read.
#[derive(Debug)]
pub struct MemoryBlock {
    pub address: VirtAddr,
    bytes: Vec<u8>,
    /// In order. Usually there are none.
    holes: Vec<(Range<usize>, Fault)>,
}

impl MemoryBlock {
    /// Reads `len` bytes from `address`, going on behind every page that is missing.
    ///
    /// The caller has checked `len` against a limit.
    pub fn read(memory: &KernelMemory, address: VirtAddr, len: usize) -> Self {
        let mut bytes = vec![0; len];
        let mut holes = Vec::new();
        let mut done = 0;
        while done < len {
            let at = address.wrapping_add(done as u64);
            let (read, fault) = memory.read_prefix(at, &mut bytes[done..]);
            done += read;
            let Some(fault) = fault else { break };
            let at = address.wrapping_add(done as u64);
            let rest_of_page = memory.page_size() - at.page_offset(memory.page_size());
            let end = len.min(done.saturating_add(rest_of_page as usize));
            match holes.last_mut() {
                Some((hole, known)) if joins(hole, known, done, &fault) => hole.end = end,
                _ => holes.push((done..end, fault)),
            }
            bytes[done..end].fill(0);
            done = end;
        }
        Self { address, bytes, holes }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Why the first byte that is missing cannot be read.
    pub fn first_fault(&self) -> Option<&Fault> {
        self.holes.first().map(|(_, fault)| fault)
    }

    /// All bytes, with zeros for those that cannot be read: for tables in which a
    /// zero means that nothing is there.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Why nothing at all of `range` can be read, if that is so.
    pub fn missing(&self, range: &Range<usize>) -> Option<&Fault> {
        let covers = |hole: &Range<usize>| hole.start <= range.start && range.end <= hole.end;
        let hole = self.holes.iter().find(|(hole, _)| covers(hole) && !range.is_empty());
        hole.map(|(_, fault)| fault)
    }

    /// The bytes in `range`, all of them readable; else the fault of the first
    /// that is not. `None` where the block ends before the range does.
    pub fn get(&self, range: Range<usize>) -> Option<Result<&[u8], &Fault>> {
        let bytes = self.bytes.get(range.clone())?;
        let hole = self.holes.iter().find(|(h, _)| h.start < range.end && range.start < h.end);
        Some(hole.map_or(Ok(bytes), |(_, fault)| Err(fault)))
    }
}

/// Does a fault at `start` go on where the last hole ended, for the same reason?
fn joins(hole: &Range<usize>, known: &Fault, start: usize, fault: &Fault) -> bool {
    hole.end == start && known.kind == fault.kind
}
