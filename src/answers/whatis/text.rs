//! Addresses in any text.

use std::ops::Range;

use super::asked::parse;
use crate::addr::VirtAddr;
use crate::arch::Arch;

/// A word of a text that may be an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Where it is.
    pub place: Range<usize>,
    /// Its value.
    pub address: VirtAddr,
    /// The text goes on with the name of a function that the address is in, as backtraces do.
    pub is_named: bool,
}

/// The words of a text that are numbers as addresses are written: with 0x, or as many hex digits as
/// a pointer has.
#[must_use]
pub fn addresses_in(text: &[u8], arch: Arch) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(sequence) = escape_sequence(rest) {
            at += sequence;
            continue;
        }
        if !rest.first().is_some_and(|byte| is_word(*byte)) {
            at += 1;
            continue;
        }
        let len = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        let word = std::str::from_utf8(rest.get(..len).unwrap_or_default()).unwrap_or_default();
        let place = at..at + len;
        at += len;
        // A decimal number is never meant.
        let bare = !word.starts_with("0x") && !word.starts_with("0X");
        let digits = usize::try_from(arch.pointer_size() * 2).unwrap_or(0);
        if bare && word.len() != digits {
            continue;
        }
        if let Some(address) = parse(word, arch) {
            let is_named = text.get(place.end..).is_some_and(names_function);
            found.push(Token { place, address, is_named });
        }
    }
    found
}

/// Whether a text goes on with ` in FUNCTION`. gdb(1) has `??` for a function that it does not know.
fn names_function(rest: &[u8]) -> bool {
    let name = rest.strip_prefix(b" in ");
    name.and_then(<[u8]>::first).is_some_and(|byte| is_word(*byte))
}

/// The length of the control sequence of a terminal at the start of a text (ECMA-48): a colour ends
/// with a letter, to which an address may be joined.
fn escape_sequence(text: &[u8]) -> Option<usize> {
    let parameters = text.strip_prefix(b"\x1b[")?;
    let len = parameters.iter().position(|byte| !matches!(byte, 0x20..=0x3f))?;
    let ends = matches!(parameters.get(len)?, 0x40..=0x7e);
    ends.then_some(2 + len + 1)
}

/// Whether a byte may be part of a name or number.
#[must_use]
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, arch: Arch) -> Vec<(&str, u64)> {
        let tokens = addresses_in(text.as_bytes(), arch);
        tokens.into_iter().map(|token| (&text[token.place], token.address.get())).collect()
    }

    #[test]
    fn addresses_are_words_of_their_own() {
        let text =
            "#3 0xffffffff80201234 in f (p=0xfffff80003a51800, n=0x10) tcp+0x12, x0x10, 0x10x";
        let wanted = [
            ("0xffffffff80201234", 0xffff_ffff_8020_1234),
            ("0xfffff80003a51800", 0xffff_f800_03a5_1800),
            ("0x10", 0x10),
            ("0x12", 0x12),
        ];
        assert_eq!(found(text, Arch::Amd64), wanted);
    }

    #[test]
    fn backtraces_name_the_function_after_the_address() {
        let text = b"0x1000 in f+0x1 0x2000 in ?? () 0x3000 inside 0x4000 in _g at a.c:1 0x5000";
        let tokens = addresses_in(text, Arch::Amd64).into_iter();
        let named = tokens.filter(|token| token.is_named).map(|token| token.address.get());
        assert_eq!(named.collect::<Vec<_>>(), [0x1000, 0x4000]);
    }

    #[test]
    fn colours_are_no_part_of_an_address() {
        let text = "\x1b[1;31m0x1000\x1b[0m \x1b[0x2000 0x30\x1b[";
        let wanted = [("0x1000", 0x1000), ("0x30", 0x30)];
        assert_eq!(found(text, Arch::Amd64), wanted);
    }

    #[test]
    fn bare_digits_are_as_many_as_a_pointer_has() {
        let text = "fffff80003a51800 c1234567 12345678 0x1ffffffff deadbeef_ 1234567812345678é";
        assert_eq!(
            found(text, Arch::Amd64),
            [("fffff80003a51800", 0xffff_f800_03a5_1800), ("0x1ffffffff", 0x1_ffff_ffff)]
        );
        assert_eq!(found(text, Arch::I386), [("c1234567", 0xc123_4567), ("12345678", 0x1234_5678)]);
    }
}
