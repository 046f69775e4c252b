//! `x/4xg ADDR`, as users of gdb type it. The shell has no such command, but other ways to see
//! memory, and says which.

use crate::exit::Failure;

/// Longer expressions are not repeated.
const LONGEST: usize = 64;

/// Why a line is not answered that begins as gdb's command does: its first word, and the rest, with
/// which an expression may continue.
pub fn refused(first: &str, rest: &str, continues: bool) -> Option<Failure> {
    let after = first.strip_prefix("x/")?;
    let letters = after.trim_start_matches(|c: char| c.is_ascii_digit());
    let count = &after[..after.len() - letters.len()];
    let is_form = !after.is_empty() && letters.chars().all(|c| c.is_ascii_lowercase());
    // `4xg` is neither a number nor a name.
    let may_divide = count.is_empty() || letters.is_empty();
    if rest.is_empty() || !is_form || (may_divide && continues) {
        return None;
    }
    let address = match rest {
        _ if rest.len() > LONGEST => "ADDR".to_owned(),
        _ if rest.contains([' ', '\t']) => format!("({rest})"),
        _ => rest.to_owned(),
    };
    let why = Failure::new(format!("{first} is gdb's: here x is no command"));
    Some(why.hint(instead(count.parse().unwrap_or(1), letters, &address)))
}

/// What shows the same.
fn instead(count: u64, letters: &str, address: &str) -> String {
    if letters.contains('s') {
        return format!("`p (char *){address}` prints a string");
    }
    if letters.contains('i') {
        return format!("`whatis {address}` names a function and its line");
    }
    let (size, number) = match letters.chars().rfind(|letter| "bhwga".contains(*letter)) {
        Some('b') => (1, "uint8_t"),
        Some('h') => (2, "uint16_t"),
        Some('g' | 'a') => (8, "uint64_t"),
        _ => (4, "uint32_t"),
    };
    let format = letters.chars().rfind(|letter| "xzotduca".contains(*letter)).unwrap_or('x');
    let repeated = if count > 1 { format!("@{count}") } else { String::new() };
    let bytes = count.saturating_mul(size);
    format!(
        "`p/{format} *({number} *){address}{repeated}` prints the numbers, \
         `read {address} {bytes}` the bytes"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_the_same_is_told() {
        for (count, letters, told) in [
            (4, "xg", "`p/x *(uint64_t *)0x10@4` prints the numbers, `read 0x10 32` the bytes"),
            (1, "", "`p/x *(uint32_t *)0x10` prints the numbers, `read 0x10 4` the bytes"),
            (2, "bd", "`p/d *(uint8_t *)0x10@2` prints the numbers, `read 0x10 2` the bytes"),
            (1, "s", "`p (char *)0x10` prints a string"),
            (8, "i", "`whatis 0x10` names a function and its line"),
        ] {
            assert_eq!(instead(count, letters, "0x10"), told);
        }
    }

    #[test]
    fn a_division_is_none() {
        assert!(refused("x/4xg", "0x10", false).is_some());
        assert!(refused("x/4xg", "&ip_id", true).is_some());
        assert!(refused("x/s", "0x10", false).is_some());
        for (first, rest) in [("x/4", "& 1"), ("x/s", "+ 1")] {
            assert!(refused(first, rest, true).is_none(), "{first} {rest}");
        }
        for (first, rest) in [("x/4", ""), ("x/", "0x10"), ("x/(4", "1)"), ("y/4x", "0x10")] {
            assert!(refused(first, rest, false).is_none(), "{first} {rest}");
        }
    }
}
