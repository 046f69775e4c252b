//! Freed memory, told by what it is filled with.
//!
//! A kernel with INVARIANTS fills what it frees with 0xdeadc0de (`uma_junk` and
//! `trash_dtor`, `sys/vm/uma_dbg.c`, 9.3 to main; `0xdeadc0dedeadc0de` there is the
//! same bytes). The last word of a freed malloc(9) item names its type, and whoever
//! still holds a pointer may have written to the item since, so most words tell, not all.

use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::error::{Fault, FaultKind, Stage};
use crate::memory::KernelMemory;

/// What memory is filled with when it is freed.
pub const FILL: u32 = 0xdead_c0de;

/// As much of an object is looked at.
const LOOKED_AT: usize = 64;

/// Is the object of `size` bytes at `address` not freed? Memory that cannot be read
/// is not known to be.
///
/// # Errors
/// It is freed: a fault of the kind [`FaultKind::Freed`].
pub fn check(memory: &KernelMemory, address: VirtAddr, size: u64) -> Result<(), Fault> {
    let mut bytes = [0; LOOKED_AT];
    let len = usize::try_from(size).unwrap_or(LOOKED_AT).min(LOOKED_AT);
    let (read, _) = memory.read_prefix(address, bytes.get_mut(..len).unwrap_or_default());
    match is_fill(memory, bytes.get(..read).unwrap_or_default()) {
        true => Err(fault(address)),
        false => Ok(()),
    }
}

/// Is the value of `size` bytes at `address`, which may be too small to tell by itself,
/// part of freed memory?
///
/// # Errors
/// As [`check`].
pub fn check_around(memory: &KernelMemory, address: VirtAddr, size: u64) -> Result<(), Fault> {
    const ALIGNED: u64 = 32;
    let start = VirtAddr::new(address.get() & !(ALIGNED - 1));
    let before = address.get() & (ALIGNED - 1);
    check(memory, start, before.saturating_add(size).max(ALIGNED)).map_err(|_| fault(address))
}

/// Is a number or pointer with these bytes, at `address`, what freed memory is filled with?
///
/// # Errors
/// As [`check`].
pub fn check_scalar(endian: Endian, address: VirtAddr, bytes: &[u8]) -> Result<(), Fault> {
    let words = bytes.chunks_exact(4);
    let whole = !bytes.is_empty() && words.remainder().is_empty();
    match whole && words.map(|word| endian.uint(word) as u32).all(|word| word == FILL) {
        true => Err(fault(address)),
        false => Ok(()),
    }
}

/// Are nearly all words of these bytes the pattern?
fn is_fill(memory: &KernelMemory, bytes: &[u8]) -> bool {
    /// Fewer words are no pattern, but may be a number.
    const LEAST: usize = 2;
    let endian = memory.arch().endian();
    let words = bytes.chunks_exact(4);
    let all = words.len();
    let filled = words.filter(|word| endian.uint(word) as u32 == FILL).count();
    filled >= LEAST && filled * 4 >= all * 3
}

fn fault(address: VirtAddr) -> Fault {
    Fault { address, kind: FaultKind::Freed, stage: Stage::Fill(FILL) }
}
