//! JSON by the schema that scripts rely on.
//!
//! Addresses and pointers are strings, `"0x…"`; integers are numbers, exact up
//! to 2^64 − 1, and strings beyond. A value that could not be read is an object
//! `{"error": …}` in its place. Characters that could act on a terminal are
//! written as `\u` escapes, which JSON readers undo.

mod counters;
mod declaration;
mod eventhandlers;
mod locks;
mod modules;
mod problem;
mod recursions;
mod sysctl;
mod sysinit;
mod thread;
mod value;
mod vnet;

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use super::sanitize::{has_hostile, is_hostile};
use crate::walk::Problems;

pub use counters::JsonCounters;
pub use declaration::JsonDeclaration;
pub use eventhandlers::JsonHandler;
pub use locks::JsonLock;
pub use modules::{JsonModule, JsonModuleSpace, JsonRegion};
pub use problem::JsonProblem;
pub use recursions::{JsonCurvnet, JsonRecursion};
pub use sysctl::JsonSysctl;
pub use sysinit::{JsonConstruction, JsonSysinit};
pub use thread::JsonThread;
pub use value::{JsonError, JsonFault, JsonNumber, JsonPointer, JsonText, JsonValue, OrError};
pub use vnet::{JsonPrinted, JsonVariable, JsonVnet, JsonVnetRef, JsonVnetState};

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
    problems: Vec<JsonProblem<'a>>,
}

impl<'a, T> Document<'a, T> {
    pub fn new(body: T, problems: &'a Problems) -> Self {
        let problems = problems.iter().map(JsonProblem).collect();
        Self { schema_version: SCHEMA_VERSION, body, problems }
    }
}

/// Bytes as a string of hex digits.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Any integer that a C type can hold, exact.
#[derive(Debug, Clone, Copy)]
pub struct Integer(pub i128);

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        integer(self.0, serializer)
    }
}

fn integer<S: Serializer>(number: i128, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(number) = u64::try_from(number) {
        serializer.serialize_u64(number)
    } else if let Ok(number) = i64::try_from(number) {
        serializer.serialize_i64(number)
    } else {
        serializer.collect_str(&number)
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
        if !has_hostile(fragment) {
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
