//! Text inside of JSON strings.

use crate::render::sanitize::is_hostile;

/// Text as a part of a JSON string, with escapes for what JSON wants escaped and for what could act on
/// a terminal.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        let short = match c {
            '"' | '\\' => Some(c),
            '\u{8}' => Some('b'),
            '\u{c}' => Some('f'),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            _ => None,
        };
        match short {
            Some(short) => out.extend_from_slice(&[b'\\', short as u8]),
            None if is_hostile(c) => {
                let units = c.encode_utf16(&mut [0; 2]).to_vec();
                units.iter().for_each(|unit| out.extend(format!("\\u{unit:04x}").bytes()));
            }
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Has the text nothing that has to be escaped? Eight bytes are looked at together.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<8>() {
        let mut words = text.chunks_exact(8).filter_map(|word| word.first_chunk::<8>());
        return is_plain_word(*last) && words.all(|word| is_plain_word(*word));
    }
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(&[a, b, c, d]), Some(&[e, f, g, h])) => is_plain_word([a, b, c, d, e, f, g, h]),
        _ => text.iter().all(|byte| is_plain_word([*byte; 8])),
    }
}

#[inline]
fn is_plain_word(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_ne_bytes(word);
    // The high bit of each byte is set where that byte is below `limit`, or is `byte`. A byte
    // behind one of those may have it too, which changes nothing.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u64| below(word ^ (ONES * byte), 1);
    let odd = word | below(word, 0x20) | is(0x7f) | is(b'"'.into()) | is(b'\\'.into());
    odd & HIGH == 0
}
