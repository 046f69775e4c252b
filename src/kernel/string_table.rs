//! Names in an ELF string table.

/// The name that begins at `start` of a string table. Strings may share their ends, and in a
/// table without a NUL each name would be as long as the table. A longer string than any
/// name is cut.
pub(super) fn name_at(strings: &[u8], start: usize) -> &[u8] {
    const LONGEST: usize = 1024;
    let rest = strings.get(start..).unwrap_or_default();
    let name = rest.get(..LONGEST).unwrap_or(rest);
    name.get(..memchr::memchr(0, name).unwrap_or(name.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_their_table_and_are_never_endless() {
        assert_eq!(name_at(b"\0one\0two", 1), b"one");
        assert_eq!(name_at(b"\0one\0two", 5), b"two");
        assert_eq!(name_at(b"\0one", 9), b"");
        assert_eq!(name_at(&[b'x'; 1 << 20], 1).len(), 1024);
    }
}
