//! Numbers as bytes.

use crate::bytes::Endian;

/// The low `size` bytes (at most 8) of a page-table entry or field, as they are in memory.
#[must_use]
pub fn entry_bytes(entry: u64, size: u64, endian: Endian) -> Vec<u8> {
    let size = size.min(8) as usize;
    match endian {
        Endian::Little => entry.to_le_bytes()[..size].to_vec(),
        Endian::Big => entry.to_be_bytes()[8 - size..].to_vec(),
    }
}
