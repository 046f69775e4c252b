//! The first bytes by which files are known.

/// Does a file that begins with `bytes` begin with `magic`, as far as it goes?
pub(super) fn begins(bytes: &[u8], magic: &[u8]) -> bool {
    /// Fewer bytes may be anything.
    const FEWEST: usize = 4;
    let cut_off = bytes.len() >= FEWEST && magic.starts_with(bytes);
    bytes.starts_with(magic) || cut_off
}
