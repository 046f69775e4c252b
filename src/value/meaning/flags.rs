//! Flags by name.

/// `0x8843 (UP|BROADCAST|…)`: the bits, and the names of those that have one.
pub fn with_names(raw: u64, table: &[(u64, impl AsRef<str>)]) -> Option<String> {
    (raw != 0).then(|| format!("{raw:#x} ({})", names(raw, table)))
}

/// The names of the bits that are set, and what is left without one as a number.
pub fn names(raw: u64, table: &[(u64, impl AsRef<str>)]) -> String {
    let known = table.iter().filter(|(bit, _)| raw & bit != 0);
    let rest = known.clone().fold(raw, |rest, (bit, _)| rest & !bit);
    let mut names: Vec<String> = known.map(|(_, name)| name.as_ref().to_owned()).collect();
    if rest != 0 {
        names.push(format!("{rest:#x}"));
    }
    names.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_without_a_name_is_a_number() {
        let table = [(1, "A"), (4, "B")];
        assert_eq!(with_names(5, &table).as_deref(), Some("0x5 (A|B)"));
        assert_eq!(with_names(0x1c, &table).as_deref(), Some("0x1c (B|0x18)"));
        assert_eq!(with_names(2, &table).as_deref(), Some("0x2 (0x2)"));
        assert_eq!(with_names(0, &table), None);
    }
}
