//! Searching all kernel memory, on all processors.

use rayon::prelude::*;

use super::{KernelMemory, Piece};
use crate::addr::{PhysAddr, VirtAddr};

/// Memory is searched in pieces of this size, a page or more: what a processor's cache holds, since
/// each is copied and may then be looked at several times.
const CHUNK: u64 = 256 << 10;

/// So much is shared among the processors at a time, in so many chunks at most.
const BATCH: u64 = 64 << 20;
const MOST_CHUNKS: usize = 1 << 14;

impl KernelMemory {
    /// Calls `look` with all kernel memory, one chunk after the other: its virtual address, which is the
    /// start of a page, its physical address, and its bytes. Now and then `take` is given what was found since, in the
    /// order of the virtual addresses, and in how many bytes of memory, until it fails.
    ///
    /// # Errors
    /// That of `take`.
    pub(crate) fn search<T: Send, I: IntoIterator<Item = T>, E>(
        &self,
        look: impl Fn(VirtAddr, PhysAddr, &[u8]) -> I + Sync,
        mut take: impl FnMut(Vec<T>, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut chunks = self.pieces().flat_map(chunks);
        loop {
            let batch = batch(&mut chunks);
            let Some(bytes) = batch.iter().map(|chunk| chunk.len).reduce(u64::saturating_add)
            else {
                return Ok(());
            };
            let look = |buffer: &mut Vec<u8>, chunk: &Piece| -> Vec<T> {
                buffer.resize(chunk.len as usize, 0);
                let read = self.read_physical(chunk.phys, buffer).unwrap_or_default();
                let bytes = buffer.get(..read).unwrap_or_default();
                look(chunk.address, chunk.phys, bytes).into_iter().collect()
            };
            let found: Vec<Vec<T>> = batch.par_iter().map_init(Vec::new, look).collect();
            take(found.into_iter().flatten().collect(), bytes)?;
        }
    }
}

/// The chunks of a longer piece.
fn chunks(piece: Piece) -> impl Iterator<Item = Piece> {
    (0..piece.len).step_by(CHUNK as usize).map(move |start| Piece {
        address: piece.address.wrapping_add(start),
        phys: piece.phys.wrapping_add(start),
        len: CHUNK.min(piece.len - start),
    })
}

/// The next chunks that are shared among the processors; none at the end.
fn batch(chunks: &mut impl Iterator<Item = Piece>) -> Vec<Piece> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < BATCH && batch.len() < MOST_CHUNKS {
        let Some(chunk) = chunks.next() else { break };
        bytes += chunk.len;
        // A page map lists single pages.
        match batch.last_mut().and_then(|last: &mut Piece| Some((joined(*last, chunk)?, last))) {
            Some((longer, last)) => *last = longer,
            None => batch.push(chunk),
        }
    }
    batch
}

/// Both as one, if the other follows at once and they are not too long.
fn joined(chunk: Piece, next: Piece) -> Option<Piece> {
    let len = chunk.len.checked_add(next.len).filter(|len| *len <= CHUNK)?;
    let follows = chunk.address.checked_add(chunk.len) == Some(next.address)
        && chunk.phys.checked_add(chunk.len) == Some(next.phys);
    follows.then_some(Piece { len, ..chunk })
}
