//! Freed memory, recognised by its contents.
//!
//! A kernel with INVARIANTS fills what it frees with 0xdeadc0de (`uma_junk` and
//! `trash_dtor`, `sys/vm/uma_dbg.c`, 9.3 to main; `0xdeadc0dedeadc0de` there is the
//! same bytes). The last word of a freed malloc(9) item names its type, and code that
//! still holds a pointer may have written to the item since, so most words decide, not all.

use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::fault::{Fault, FaultKind, Stage};
use crate::memory::KernelMemory;
use crate::value::model::{ErrorKind, ValueError};

/// What memory is filled with when it is freed.
pub const FILL: u32 = 0xdead_c0de;

/// How much of an object is looked at, in bytes.
const LOOKED_AT: usize = 64;

/// Checks that the object of `size` bytes at `address` is not freed. Memory that cannot be read
/// passes.
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

/// Checks that the value of `size` bytes at `address`, which may be too small to show it, is not
/// part of freed memory. A small value must have the pattern itself, as must most words around it:
/// the memory after the last variable of a vnet was never used.
///
/// # Errors
/// As [`check`].
pub fn check_value(memory: &KernelMemory, address: VirtAddr, size: u64) -> Result<(), Fault> {
    const SMALL: u64 = 8;
    const AROUND: u64 = 32;
    if size > SMALL {
        return check(memory, address, size);
    }
    let start = |unit: u64| VirtAddr::new(address.get() & !(unit - 1));
    let end = address.get().wrapping_add(size);
    let mut words = [0; 3 * 4];
    let len = end.wrapping_sub(start(4).get()).next_multiple_of(4).min(words.len() as u64);
    let words = words.get_mut(..len as usize).unwrap_or_default();
    let own = memory.read(start(4), words).is_ok() && is_pattern(memory.arch().endian(), words);
    match own {
        true => check(memory, start(AROUND), AROUND).map_err(|_| fault(address)),
        false => Ok(()),
    }
}

/// Checks that the word of a pointer's size at `address` is not the pattern.
///
/// # Errors
/// As [`check`].
pub fn check_word(memory: &KernelMemory, address: VirtAddr) -> Result<(), Fault> {
    let mut word = [0; 8];
    let len = memory.arch().pointer_size() as usize;
    let word = word.get_mut(..len).unwrap_or_default();
    match memory.read(address, word).is_ok() && is_pattern(memory.arch().endian(), word) {
        true => Err(fault(address)),
        false => Ok(()),
    }
}

/// Whether these bytes of a number or pointer are the pattern of freed memory. The value came from
/// freed memory, wherever it is now.
#[must_use]
pub fn is_pattern(endian: Endian, bytes: &[u8]) -> bool {
    if matches!(bytes.len(), 4 | 8) {
        return is_word(endian.uint(bytes) as u64, bytes.len());
    }
    let words = bytes.chunks_exact(4);
    let whole = !bytes.is_empty() && words.remainder().is_empty();
    whole && words.map(|word| endian.uint(word) as u32).all(|word| word == FILL)
}

/// The same for a number of at most 8 bytes.
#[must_use]
pub fn is_word(number: u64, size: usize) -> bool {
    const WORD: u64 = FILL as u64;
    match size {
        4 => number == WORD,
        8 => number == WORD << 32 | WORD,
        _ => false,
    }
}

/// The error in place of a number or pointer that is the pattern.
#[must_use]
pub fn number(endian: Endian, bytes: &[u8], address: VirtAddr) -> Option<ValueError> {
    is_pattern(endian, bytes).then(|| found(endian.uint(bytes), address))
}

/// The error in place of such a number at `address`.
#[must_use]
pub fn word(number: u64, address: VirtAddr) -> ValueError {
    found(number.into(), address)
}

fn found(number: u128, address: VirtAddr) -> ValueError {
    let message = format!("it is {number:#x}, the pattern of freed memory").into();
    ValueError { kind: ErrorKind::Freed, address: Some(address), message }
}

/// Whether nearly all words of these bytes are the pattern.
fn is_fill(memory: &KernelMemory, bytes: &[u8]) -> bool {
    /// Fewer words could be an ordinary number.
    const LEAST: usize = 2;
    let pattern = memory.arch().endian().word(FILL);
    let (words, _) = bytes.as_chunks();
    let all = words.len();
    let filled = words.iter().filter(|word| **word == pattern).count();
    filled >= LEAST && filled * 4 >= all * 3
}

fn fault(address: VirtAddr) -> Fault {
    Fault { address, kind: FaultKind::Freed, stage: Stage::Fill(FILL) }
}
