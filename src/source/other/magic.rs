//! First bytes that identify files.

/// Do `bytes` begin with `magic`, or with as much of it as they have room for?
pub(super) fn begins(bytes: &[u8], magic: &[u8]) -> bool {
    /// Fewer bytes could be anything.
    const FEWEST: usize = 4;
    let cut_off = bytes.len() >= FEWEST && magic.starts_with(bytes);
    bytes.starts_with(magic) || cut_off
}
