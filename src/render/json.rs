//! JSON by the schema that scripts rely on.
//!
//! Addresses and pointers are strings, `"0x…"`; integers are numbers, exact up
//! to 2^64 − 1, and strings beyond. A value that could not be read is an object
//! `{"error": …}` in its place. Characters that could act on a terminal are
//! written as `\u` escapes, which JSON readers undo.

use std::io::{self, Write};

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use super::c::SymbolName;
use super::sanitize::is_hostile;
use crate::addr::VirtAddr;
use crate::value::model::{
    ArrayValue, ErrorKind, PointerValue, RecordValue, SymbolAt, Value, ValueError,
};

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

/// An answer: the schema's version, then whatever the command has to say.
#[derive(Debug, Serialize)]
pub struct Document<T> {
    schema_version: u32,
    #[serde(flatten)]
    body: T,
}

impl<T> Document<T> {
    pub fn new(body: T) -> Self {
        Self { schema_version: SCHEMA_VERSION, body }
    }
}

/// An address as JSON: `"0x…"`.
#[derive(Debug, Clone, Copy)]
pub struct Address(pub VirtAddr);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A value as JSON.
#[derive(Debug, Clone, Copy)]
pub struct JsonValue<'a>(pub &'a Value);

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Int(number) | Value::Char(number) => integer(*number, serializer),
            Value::Bool(yes) => serializer.serialize_bool(*yes),
            Value::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::Float(number) => serializer.collect_str(number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Enum { name, value } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("enum", name)?;
                map.serialize_entry("value", &Integer(*value))?;
                map.end()
            }
            Value::Counter { sum, address } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("counter", sum)?;
                map.serialize_entry("address", &Address(*address))?;
                map.end()
            }
            Value::Bytes(bytes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("bytes", &Hex(bytes))?;
                map.end()
            }
            Value::Pointer(pointer) => self::pointer(pointer, serializer),
            Value::Record(record) => self::record(record, serializer),
            Value::Array(array) => self::array(array, serializer),
            Value::Error(error) => JsonError(error).serialize(serializer),
        }
    }
}

/// An error in the place of a value: `{"error": {"kind": …, "address": …, "message": …}}`.
#[derive(Debug, Clone, Copy)]
pub struct JsonError<'a>(pub &'a ValueError);

impl Serialize for JsonError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inner<'a> {
            kind: &'a str,
            address: Option<Address>,
            message: &'a str,
        }
        let inner = Inner {
            kind: self.0.kind.name(),
            address: self.0.address.map(Address),
            message: &self.0.message,
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("error", &inner)?;
        map.end()
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

fn pointer<S: Serializer>(pointer: &PointerValue, serializer: S) -> Result<S::Ok, S::Error> {
    if !pointer.function {
        return Address(pointer.address).serialize(serializer);
    }
    struct Symbol<'a>(&'a SymbolAt);
    impl Serialize for Symbol<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&SymbolName(self.0))
        }
    }
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("pointer", &Address(pointer.address))?;
    map.serialize_entry("symbol", &pointer.symbol.as_ref().map(Symbol))?;
    map.end()
}

fn record<S: Serializer>(record: &RecordValue, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(record.members.len()))?;
    for member in &record.members {
        map.serialize_entry(&*member.name, &JsonValue(&member.value))?;
    }
    map.end()
}

/// Elements that a limit left out are an error behind the others, never silence.
fn array<S: Serializer>(array: &ArrayValue, serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(None)?;
    for element in &array.elements {
        seq.serialize_element(&JsonValue(element))?;
    }
    if array.omitted > 0 {
        let message = format!("{} more elements", array.omitted).into();
        let error = ValueError { kind: ErrorKind::Limit, address: None, message };
        seq.serialize_element(&JsonError(&error))?;
    }
    seq.end()
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
    use crate::value::model::MemberValue;

    fn shown(value: &Value) -> String {
        let mut out = Vec::new();
        write_line(&mut out, &JsonValue(value)).unwrap();
        String::from_utf8(out).unwrap().trim_end().to_owned()
    }

    fn pointer(function: bool, symbol: Option<(&str, u64)>) -> Value {
        let symbol = symbol.map(|(name, offset)| SymbolAt { name: name.into(), offset });
        let address = VirtAddr::new(0xffff_ffff_80b5_c140);
        Value::Pointer(PointerValue { address, symbol, function, text: None })
    }

    #[test]
    fn integers_are_exact() {
        for (number, text) in [
            (0, "0"),
            (i128::from(u64::MAX), "18446744073709551615"),
            (i128::from(i64::MIN), "-9223372036854775808"),
            (i128::from(u64::MAX) + 1, "\"18446744073709551616\""),
            (i128::from(i64::MIN) - 1, "\"-9223372036854775809\""),
        ] {
            assert_eq!(shown(&Value::Int(number)), text);
        }
    }

    #[test]
    fn values_follow_the_schema() {
        let error = ValueError {
            kind: ErrorKind::NotDumped,
            address: Some(VirtAddr::new(16)),
            message: "0x10 is not in the dump".into(),
        };
        for (value, text) in [
            (Value::Bool(false), "false"),
            (Value::Char(65), "65"),
            (Value::Float(0.5), "0.5"),
            (Value::Float(f64::NAN), "\"NaN\""),
            (Value::Text("lo0".into()), "\"lo0\""),
            (Value::Enum { name: Some("A".into()), value: 3 }, r#"{"enum":"A","value":3}"#),
            (Value::Enum { name: None, value: -1 }, r#"{"enum":null,"value":-1}"#),
            (
                Value::Counter { sum: 123, address: VirtAddr::new(0x1000) },
                r#"{"counter":123,"address":"0x1000"}"#,
            ),
            (Value::Bytes(vec![0, 0xab]), r#"{"bytes":"00ab"}"#),
            (pointer(false, Some(("x", 4))), r#""0xffffffff80b5c140""#),
            (
                pointer(true, Some(("tcp_input", 0))),
                r#"{"pointer":"0xffffffff80b5c140","symbol":"tcp_input"}"#,
            ),
            (pointer(true, None), r#"{"pointer":"0xffffffff80b5c140","symbol":null}"#),
            (
                Value::Error(error),
                r#"{"error":{"kind":"not-dumped","address":"0x10","message":"0x10 is not in the dump"}}"#,
            ),
        ] {
            assert_eq!(shown(&value), text);
        }
    }

    #[test]
    fn records_and_arrays_nest() {
        let array = ArrayValue { elements: vec![Value::Int(1), Value::Int(2)], omitted: 3 };
        let member = MemberValue { name: "a".into(), value: Value::Array(array) };
        let record = RecordValue { members: vec![member], note: Some("10.0.0.1".into()) };
        assert_eq!(
            shown(&Value::Record(record)),
            r#"{"a":[1,2,{"error":{"kind":"limit","address":null,"message":"3 more elements"}}]}"#
        );
    }

    #[test]
    fn strings_cannot_act_on_a_terminal_and_read_back_the_same() {
        let text = "a\u{1b}[1m\u{7f}\u{9b}\u{202e}b\u{e0041}\"\\\n";
        let json = shown(&Value::Text(text.into()));
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
        write_document(&mut out, &Document::new(body)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"schema_version\":1,\"vnet\":null,\"variables\":[\n[1,2],\n[3]]}\n"
        );
    }
}
