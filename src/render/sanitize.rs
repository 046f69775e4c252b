//! Strings from a dump are data, never instructions to a terminal.
//!
//! A jail's name may hold an escape sequence that retitles the window, or a
//! bidirectional override that makes `gnp.exe` read as `exe.png`. Such
//! characters are shown the way C would spell them.

use std::borrow::Cow;
use std::fmt::Write;
use std::io;

/// `text` on one line, with every character that could act on a terminal
/// spelled as a C escape. All else, backslashes included, stays as it is.
pub fn line(text: &str) -> Cow<'_, str> {
    if has_hostile(text) {
        let mut out = String::with_capacity(text.len() + 8);
        text.chars().for_each(|c| push_char(&mut out, c, None));
        Cow::Owned(out)
    } else {
        Cow::Borrowed(text)
    }
}

/// Passes text on with the same characters escaped, except line breaks, whatever
/// its caller writes.
#[derive(Debug)]
pub struct SafeWriter<W>(pub W);

impl<W: io::Write> io::Write for SafeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        if text.split('\n').any(has_hostile) {
            let safe: Vec<_> = text.split('\n').map(line).collect();
            self.0.write_all(safe.join("\n").as_bytes())?;
        } else {
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// `text` as a C string literal, quotes included.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    text.chars().for_each(|c| push_char(&mut out, c, Some('"')));
    out.push('"');
    out
}

/// Bytes as a C string literal, quotes included; those that are not ASCII are escaped.
pub fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    bytes.iter().for_each(|byte| push_byte(&mut out, *byte, '"'));
    out.push('"');
    out
}

/// A byte as a C character constant, quotes included: `'a'`, `'\n'`, `'\377'`.
pub fn character(byte: u8) -> String {
    let mut out = String::from("'");
    push_byte(&mut out, byte, '\'');
    out.push('\'');
    out
}

/// Whether `text` has such a character. Nearly all text is plain ASCII.
pub fn has_hostile(text: &str) -> bool {
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    !plain && text.chars().any(is_hostile)
}

/// Whether `c` controls a terminal, reorders its neighbours, or is invisible.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

fn push_byte(out: &mut String, byte: u8, quote: char) {
    match byte {
        0x20..=0x7e => push_char(out, char::from(byte), Some(quote)),
        _ => push_escape(out, u32::from(byte)),
    }
}

fn push_char(out: &mut String, c: char, quote: Option<char>) {
    if is_hostile(c) {
        push_escape(out, u32::from(c));
    } else {
        if quote.is_some_and(|quote| c == quote || c == '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Escapes never swallow what follows them: octal ones have three digits,
/// universal character names four or eight.
fn push_escape(out: &mut String, code: u32) {
    let short = match code {
        0x07 => "\\a",
        0x08 => "\\b",
        0x09 => "\\t",
        0x0a => "\\n",
        0x0b => "\\v",
        0x0c => "\\f",
        0x0d => "\\r",
        _ => "",
    };
    // Writing to a String cannot fail.
    let _ = match code {
        _ if !short.is_empty() => out.write_str(short),
        0..=0xff => write!(out, "\\{code:03o}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(line("web01 \\ größe 日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn terminal_sequences_are_spelled_out() {
        assert_eq!(line("\x1b]0;owned\x07"), "\\033]0;owned\\a");
        assert_eq!(line("a\tb\nc\0"), "a\\tb\\nc\\000");
        assert_eq!(line("\u{9b}31m"), "\\23331m");
    }

    #[test]
    fn a_safe_writer_lets_nothing_through_but_lines() {
        let mut out = SafeWriter(Vec::new());
        io::Write::write_fmt(&mut out, format_args!("{}: größe\n{}\n", "a\x1b[1m", "b\r\t"))
            .unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "a\\033[1m: größe\nb\\r\\t\n");
    }

    #[test]
    fn bidirectional_and_invisible_characters_are_spelled_out() {
        assert_eq!(line("\u{202e}gnp"), "\\u202egnp");
        assert_eq!(line("a\u{200b}b\u{feff}"), "a\\u200bb\\ufeff");
        assert_eq!(line("\u{e0041}"), "\\U000e0041");
    }

    #[test]
    fn quotes_protect_quotes() {
        assert_eq!(quoted(r#"a"b\c'"#), r#""a\"b\\c'""#);
        assert_eq!(character(b'a'), "'a'");
        assert_eq!(character(b'\''), r"'\''");
        assert_eq!(character(b'"'), "'\"'");
        assert_eq!(character(0xff), r"'\377'");
        assert_eq!(character(0), r"'\000'");
    }
}
