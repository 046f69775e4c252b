//! Answers as JSON documents, and their elements as lines.
//!
//! Answers serialise themselves. Characters that could act on a terminal are written as `\u`
//! escapes here, which JSON readers undo.

mod escape;
mod writer;

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::answers::Answer;
pub(in crate::render) use writer::{Failed, JsonWriter, Open};

/// The version of the schema. It increases if a reader of the old one would fail.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes one answer and a newline. The elements of its outermost arrays stand on lines of their
/// own.
///
/// # Errors
/// Those of `out`.
pub fn write_document<T: Serialize>(out: impl Write, document: &T) -> io::Result<()> {
    let mut writer = JsonWriter::new(out, true);
    document.serialize(&mut writer)?;
    writer.end_line()?;
    writer.finish()
}

/// Elements of an answer on lines of their own.
pub struct Lines<W>(JsonWriter<W>);

impl<W: Write> Lines<W> {
    /// Lines that go to `out`.
    pub fn new(out: W) -> Self {
        Self(JsonWriter::new(out, false))
    }

    /// Writes one element.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write<T: Serialize>(&mut self, element: &T) -> io::Result<()> {
        element.serialize(&mut self.0)?;
        Ok(self.0.end_line()?)
    }

    /// Writes what has been kept back.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish()
    }
}

/// An answer: the schema's version, then the answer's members, and what
/// could not be read.
#[derive(Debug, Serialize)]
pub struct Document<'a, A: Answer> {
    schema_version: u32,
    /// When the question was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(flatten)]
    answer: &'a A,
    problems: Told<'a, A>,
}

/// What could not be read for an answer. It may be known only when the answer is written.
#[derive(Debug)]
struct Told<'a, A>(&'a A);

impl<A: Answer> Serialize for Told<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.problems().serialize(serializer)
    }
}

impl<'a, A: Answer> Document<'a, A> {
    /// A document of an answer.
    pub fn new(answer: &'a A) -> Self {
        Self { schema_version: SCHEMA_VERSION, time: None, answer, problems: Told(answer) }
    }

    /// The same with the time at which the question was asked: one of several times.
    pub fn asked_at(self, time: Option<&'a str>) -> Self {
        Self { time, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Page;
    use crate::render::sanitize::is_hostile;
    use crate::walk::{Problem, Problems};

    #[test]
    fn strings_cannot_act_on_a_terminal_and_read_back_the_same() {
        let text = "a\u{1b}[1m\u{7f}\u{9b}\u{202e}b\u{e0041}\"\\\n";
        let json = line(&text);
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
        impl Answer for Body {
            fn lay_out(&self, _: &mut impl Page) -> io::Result<()> {
                Ok(())
            }
            fn problems(&self) -> Problems {
                Problem::new("V_ifnet", "it has a loop").into()
            }
        }
        let body = Body { vnet: None, variables: vec![vec![1, 2], vec![3]] };
        let mut out = Vec::new();
        write_document(&mut out, &Document::new(&body)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"schema_version\":1,\"vnet\":null,\"variables\":[\n[1,2],\n[3]],\"problems\":[\n\
             {\"what\":\"V_ifnet\",\"where\":null,\"why\":\"it has a loop\"}]}\n"
        );
    }

    #[test]
    fn every_character_is_escaped_wherever_it_stands() {
        for c in ('\0'..='\u{120}').chain("\u{202e}\u{e0041}".chars()) {
            for at in 0..20 {
                let text = format!("{}{c}{}", "x".repeat(at), "y".repeat(19 - at));
                let json = line(&text);
                assert!(!json.chars().any(is_hostile), "{json}");
                assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            }
        }
    }

    #[test]
    fn what_is_written_is_what_serde_json_writes() {
        #[derive(Serialize)]
        enum Kind {
            Unit,
            New(u8),
            Tuple(u8, bool),
            Struct { a: Option<char> },
        }
        #[derive(Serialize)]
        struct All<'a> {
            kinds: [Kind; 4],
            floats: (f32, f64, f64, f64),
            integers: (i8, i64, u64, u16),
            unit: (),
            text: &'a str,
            map: std::collections::BTreeMap<&'a str, Vec<u32>>,
        }
        let all = All {
            kinds: [Kind::Unit, Kind::New(1), Kind::Tuple(2, true), Kind::Struct { a: Some('x') }],
            floats: (0.5, 1.0, 1e300, -0.0),
            integers: (-8, i64::MIN, u64::MAX, 7),
            unit: (),
            text: "a\"b\\c\n\r\t\u{8}\u{c}\u{1}/\u{e9}",
            map: [("a", vec![]), ("b\"", vec![1, 2])].into(),
        };
        assert_eq!(line(&all), serde_json::to_string(&all).unwrap());
    }

    #[test]
    fn a_long_string_is_not_held() {
        struct Long;
        impl std::fmt::Display for Long {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (0..100_000).try_for_each(|_| f.write_str("0123456789"))
            }
        }
        struct Text;
        impl Serialize for Text {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&Long)
            }
        }
        struct Pieces(Vec<usize>);
        impl Write for Pieces {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut pieces = Pieces(Vec::new());
        write_document(&mut pieces, &Text).unwrap();
        assert_eq!(pieces.0.iter().sum::<usize>(), 1_000_003);
        assert!(pieces.0.iter().all(|len| *len < 64 << 10), "{:?}", pieces.0);
    }

    fn line(element: &impl Serialize) -> String {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out);
        lines.write(element).unwrap();
        lines.finish().unwrap();
        String::from_utf8(out).unwrap().trim_end().to_owned()
    }
}
