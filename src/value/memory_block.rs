//! A stretch of memory with its holes: a variable's bytes when some
//! of its pages are missing.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::memory::KernelMemory;
use crate::types::{Kept, Piece};
use crate::value::model::{ErrorKind, ValueError};

/// Which bytes cannot be read, in order, and why.
pub type Holes = Vec<(Range<usize>, ValueError)>;

/// Bytes read from one address on, and which of them could not be read.
#[derive(Debug)]
pub struct MemoryBlock {
    pub address: VirtAddr,
    bytes: Vec<u8>,
    /// In order, with the reasons. Usually empty.
    holes: Holes,
}

impl MemoryBlock {
    /// Reads `len` bytes from `address`, continuing after every missing page.
    ///
    /// The caller has checked `len` against a limit.
    #[must_use]
    pub fn read(memory: &KernelMemory, address: VirtAddr, len: usize) -> Self {
        let mut bytes = vec![0; len];
        let mut holes = Holes::new();
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
                Some((hole, known)) if hole.end == done && known.kind == fault.kind.into() => {
                    hole.end = end;
                }
                _ => holes.push((done..end, fault.into())),
            }
            bytes[done..end].fill(0);
            done = end;
        }
        Self { address, bytes, holes }
    }

    /// Bytes that are known from elsewhere, as if they lay at `address`.
    #[must_use]
    pub fn of_bytes(address: VirtAddr, bytes: Vec<u8>) -> Self {
        Self { address, bytes, holes: Holes::new() }
    }

    /// The bytes of a variable in pieces. Bytes that the compiler kept nowhere are holes.
    ///
    /// The caller has checked their sum against a limit.
    #[must_use]
    pub fn of_pieces(memory: &KernelMemory, pieces: &[Piece]) -> Self {
        let mut all = Self { address: VirtAddr::default(), bytes: Vec::new(), holes: Vec::new() };
        for piece in pieces {
            let (start, len) = (all.bytes.len(), piece.len as usize);
            match &piece.kept {
                Kept::At(address) => {
                    let block = Self::read(memory, *address, len);
                    let moved = |range: Range<usize>| start + range.start..start + range.end;
                    all.bytes.extend(block.bytes);
                    all.holes.extend(block.holes.into_iter().map(|(at, why)| (moved(at), why)));
                }
                Kept::Value(bytes) => {
                    all.bytes.extend(bytes.iter().copied().chain(std::iter::repeat(0)).take(len));
                }
                Kept::Nowhere => {
                    all.bytes.resize(start + len, 0);
                    all.holes.push((start..start + len, optimised_out()));
                }
            }
        }
        let first = pieces.iter().find_map(|piece| match piece.kept {
            Kept::At(address) => Some(address),
            _ => None,
        });
        Self { address: first.unwrap_or_default(), ..all }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Why the first byte that is missing cannot be read.
    #[must_use]
    pub fn first_fault(&self) -> Option<&ValueError> {
        self.holes.first().map(|(_, fault)| fault)
    }

    /// All bytes, with zeros for those that cannot be read: for tables in which a
    /// zero means that nothing is there.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Why no byte of `range` can be read, if that is so.
    #[must_use]
    pub fn missing(&self, range: &Range<usize>) -> Option<&ValueError> {
        let covers = |hole: &Range<usize>| hole.start <= range.start && range.end <= hole.end;
        let hole = self.holes_from(range.start).first();
        hole.filter(|(hole, _)| covers(hole) && !range.is_empty()).map(|(_, fault)| fault)
    }

    /// The holes that end behind `start`.
    fn holes_from(&self, start: usize) -> &[(Range<usize>, ValueError)] {
        if self.holes.is_empty() {
            return &[];
        }
        let first = self.holes.partition_point(|(hole, _)| hole.end <= start);
        self.holes.get(first..).unwrap_or_default()
    }

    /// The bytes in `range`, all of them readable; else the fault of the first
    /// that is not. `None` where the block ends before the range does.
    #[must_use]
    pub fn get(&self, range: Range<usize>) -> Option<Result<&[u8], &ValueError>> {
        let bytes = self.bytes.get(range.clone())?;
        let hole = self.holes_from(range.start).first().filter(|(h, _)| h.start < range.end);
        Some(hole.map_or(Ok(bytes), |(_, fault)| Err(fault)))
    }

    /// The bytes in `range`, zeros for those that cannot be read, and which these are, by
    /// their distance from its start. `None` where the block ends before the range does.
    #[must_use]
    pub fn with_holes(&self, range: Range<usize>) -> Option<(&[u8], Holes)> {
        let bytes = self.bytes.get(range.clone())?;
        let inside = self.holes_from(range.start).iter();
        let inside = inside.take_while(|(hole, _)| hole.start < range.end);
        let moved = inside.map(|(hole, why)| {
            let (start, end) = (hole.start.max(range.start), hole.end.min(range.end));
            (start - range.start..end - range.start, why.clone())
        });
        Some((bytes, moved.collect()))
    }
}

/// The error in place of a member that the compiler optimised out.
fn optimised_out() -> ValueError {
    ValueError {
        kind: ErrorKind::OptimisedOut,
        address: None,
        message: "no memory holds it".into(),
    }
}
