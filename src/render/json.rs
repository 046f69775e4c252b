//! Answers as JSON documents, and their elements as lines.
//!
//! Answers serialise themselves. Characters that could act on a terminal are written as `\u`
//! escapes here, which JSON readers undo.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::sanitize::{has_hostile, is_hostile};
use crate::walk::Problems;

/// The version of the schema, raised when a reader of the old one would err.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes one answer and a newline. The elements of its outermost arrays stand on lines of their own.
pub fn write_document<T: Serialize>(out: impl Write, document: &T) -> io::Result<()> {
    write(out, document, Layout { depth: 0, lines: true })
}

/// Writes one element of an answer on a line.
pub fn write_line<T: Serialize>(out: impl Write, element: &T) -> io::Result<()> {
    write(out, element, Layout { depth: 0, lines: false })
}

fn write<T: Serialize>(mut out: impl Write, value: &T, layout: Layout) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, layout);
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// An answer: the schema's version, then whatever the command has to say, and what
/// could not be read.
#[derive(Debug, Serialize)]
pub struct Document<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    body: T,
    problems: &'a Problems,
}

impl<'a, T> Document<'a, T> {
    /// A document of an answer and of what could not be read.
    pub fn new(body: T, problems: &'a Problems) -> Self {
        Self { schema_version: SCHEMA_VERSION, body, problems }
    }
}

/// Compact JSON, with line breaks only between the elements of an answer's
/// outermost arrays, and with terminal-safe strings.
struct Layout {
    depth: usize,
    lines: bool,
}

impl Layout {
    fn breaks(&self) -> bool {
        self.lines && self.depth == 2
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        CompactFormatter.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        CompactFormatter.begin_array_value(out, first)?;
        if self.breaks() { out.write_all(b"\n") } else { Ok(()) }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        CompactFormatter.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_object(out)
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly all text is plain, and what is below 0x20 is escaped already.
        let plain = fragment.bytes().fold(true, |plain, byte| plain & (byte < 0x7f));
        if plain || !has_hostile(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, hostile)) = rest.char_indices().find(|(_, c)| is_hostile(*c)) {
            let (safe, tail) = rest.split_at(at);
            out.write_all(safe.as_bytes())?;
            for unit in hostile.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = tail.get(hostile.len_utf8()..).unwrap_or("");
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_cannot_act_on_a_terminal_and_read_back_the_same() {
        let text = "a\u{1b}[1m\u{7f}\u{9b}\u{202e}b\u{e0041}\"\\\n";
        let mut out = Vec::new();
        write_line(&mut out, &text).unwrap();
        let json = String::from_utf8(out).unwrap().trim_end().to_owned();
        assert!(!json.chars().any(is_hostile), "{json}");
        assert!(json.contains("\\u202eb\\udb40\\udc41"), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn a_document_has_a_line_for_each_element() {
        #[derive(Serialize)]
        struct Body {
            vnet: Option<u32>,
            variables: Vec<Vec<u32>>,
        }
        let body = Body { vnet: None, variables: vec![vec![1, 2], vec![3]] };
        let mut out = Vec::new();
        write_document(&mut out, &Document::new(body, &Problems::default())).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"schema_version\":1,\"vnet\":null,\"variables\":[\n[1,2],\n[3]],\"problems\":[]}\n"
        );
    }
}
