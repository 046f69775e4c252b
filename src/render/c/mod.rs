//! Values as a C programmer writes them: `{ips_total = 65, name = "x"}`.
//!
//! [`line()`] puts a value on one line, for tables. [`block()`] breaks what does
//! not fit over indented lines, for people. Both use the notation of gdb where
//! it has one: `<repeats 16 times>`, `0xffffffff80b5c140 <tcp_input+4>`,
//! `97 'a'`.

mod block;

use std::borrow::Cow;
use std::fmt::Write;

use super::sanitize;
use crate::value::model::{
    ArrayValue, BytesValue, Elements, ErrorKind, PointerValue, RecordValue, Shown, Value,
    ValueError,
};

pub use block::block;

/// The number of equal elements in a row that are shown once, as in gdb.
const REPEATS: usize = 10;

/// `value` on one line, however long.
pub fn line(value: &Value) -> String {
    let mut line = Line { out: String::new(), room: usize::MAX };
    line.value(value);
    line.out
}

/// `value` on one line of at most `width` characters; a longer one ends in `...`.
pub fn line_within(value: &Value, width: usize) -> String {
    let mut line = Line { out: String::new(), room: width.saturating_mul(4).max(width) };
    line.value(value);
    cut(line.out, width)
}

/// The text in place of a value that cannot be read: `<not-dumped: …>`.
pub fn error(error: &ValueError) -> String {
    let mut out = String::new();
    push_error(&mut out, error);
    out
}

/// `text`, or its start and `...` if it has more than `width` characters.
pub fn cut(mut text: String, width: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(width) else { return text };
    let kept = text.char_indices().nth(width.saturating_sub(3)).map_or(end, |(at, _)| at);
    text.truncate(kept);
    text.push_str(&"..."[..width.min(3)]);
    text
}

/// Text that grows up to about `room` bytes; the rest is not formatted.
struct Line {
    out: String,
    room: usize,
}

impl Line {
    fn full(&self) -> bool {
        self.out.len() > self.room
    }

    fn value(&mut self, value: &Value) {
        match value.shown() {
            Value::Record(record) => self.record(record),
            Value::Array(array) => self.array(array),
            Value::Bytes(bytes) => {
                self.bytes(&bytes.bytes);
                self.out.push_str(&more_bytes(bytes));
            }
            scalar => push_scalar(&mut self.out, scalar),
        }
    }

    fn record(&mut self, record: &RecordValue) {
        push_note(&mut self.out, record);
        self.out.push('{');
        for (index, (name, value)) in record.members().enumerate() {
            if self.full() {
                return;
            }
            if index > 0 {
                self.out.push_str(", ");
            }
            self.out.push_str(&sanitize::line(name));
            self.out.push_str(" = ");
            self.value(value);
        }
        self.out.push('}');
    }

    fn array(&mut self, array: &ArrayValue) {
        if let Some(text) = characters(array) {
            self.out.push_str(&text);
            return;
        }
        self.out.push('{');
        for (start, len, element) in runs(&array.elements) {
            if self.full() {
                return;
            }
            if start > 0 {
                self.out.push_str(", ");
            }
            self.value(&element);
            push_repeats(&mut self.out, len);
        }
        push_omitted(&mut self.out, array);
        self.out.push('}');
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            if self.full() {
                return;
            }
            let gap = if index > 0 { " " } else { "" };
            let _ = write!(self.out, "{gap}{byte:02x}");
        }
    }
}

/// How many bytes a limit left out.
fn more_bytes(bytes: &BytesValue) -> String {
    let gap = if bytes.bytes.is_empty() { "" } else { " " };
    if bytes.omitted == 0 { String::new() } else { format!("{gap}<{} more>", bytes.omitted) }
}

/// An array of characters as a string, though it is not printable or does not
/// end: `"\\033[1m"`. NULs at its end are left out.
fn characters(array: &ArrayValue) -> Option<String> {
    let byte = |element: Cow<'_, Value>| match *element {
        Value::Char(number) => Some((number & 0xff) as u8),
        _ => None,
    };
    let bytes: Vec<u8> = array.elements.iter().map(byte).collect::<Option<_>>()?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = sanitize::quoted_bytes(bytes.get(..end)?);
    match array.omitted {
        _ if bytes.is_empty() => None,
        0 => Some(text),
        omitted => Some(format!("{text} <{omitted} more>")),
    }
}

/// Anything but a record, an array, bytes and what stands for one of them. Writing to a String cannot fail.
fn push_scalar(out: &mut String, value: &Value) {
    let _ = match value {
        Value::Int(number) => write!(out, "{number}"),
        Value::Bool(yes) => write!(out, "{yes}"),
        Value::Char(number) => push_character(out, *number),
        Value::Float(number) => write!(out, "{number}"),
        Value::Enum(found) => match &found.name {
            Some(name) if name.contains('|') => write!(out, "({})", sanitize::line(name)),
            Some(name) => out.write_str(&sanitize::line(name)),
            None => write!(out, "{}", found.value),
        },
        Value::Pointer(pointer) => {
            push_pointer(out, pointer);
            Ok(())
        }
        Value::Text(text) => out.write_str(&sanitize::quoted(text)),
        Value::Counter { sum, .. } => write!(out, "{sum}"),
        Value::Told(told) => match &told.shown {
            Shown::Text(text) => out.write_str(&sanitize::line(text)),
            Shown::Character(number) => push_character(out, *number),
            Shown::Value(_) => Ok(()),
        },
        Value::Error(error) => {
            push_error(out, error);
            Ok(())
        }
        Value::Record(_) | Value::Array(_) | Value::Bytes(_) => Ok(()),
    };
}

fn push_character(out: &mut String, number: i128) -> std::fmt::Result {
    write!(out, "{number} {}", sanitize::character((number & 0xff) as u8))
}

fn push_pointer(out: &mut String, pointer: &PointerValue) {
    let _ = write!(out, "{}", pointer.address);
    let symbol = pointer.symbol().map(ToString::to_string);
    let place = pointer.place().map(|place| format!("at {}:{}", place.file, place.line));
    let parts: Vec<String> = symbol.into_iter().chain(place).collect();
    if !parts.is_empty() {
        let _ = write!(out, " <{}>", sanitize::line(&parts.join(" ")));
    }
    if let Some(text) = pointer.text() {
        let _ = write!(out, " {}", sanitize::quoted(text));
    }
}

fn push_error(out: &mut String, error: &ValueError) {
    let _ = match error.kind {
        // What gdb shows where `set print max-depth` ends.
        ErrorKind::Depth => out.write_str("{...}"),
        _ => write!(out, "<{}: {}>", error.kind.name(), sanitize::line(&error.message)),
    };
}

fn push_note(out: &mut String, record: &RecordValue) {
    if let Some(note) = record.note() {
        let _ = write!(out, "{} ", sanitize::line(&note));
    }
}

fn push_repeats(out: &mut String, len: usize) {
    if len > 1 {
        let _ = write!(out, " <repeats {len} times>");
    }
}

fn push_omitted(out: &mut String, array: &ArrayValue) {
    if array.omitted > 0 {
        let gap = if array.elements.is_empty() { "" } else { ", " };
        let _ = write!(out, "{gap}<{} more>", array.omitted);
    }
}

/// The elements with their indices: `(start, length, element)`, where a length
/// above 1 stands for that many equal ones.
fn runs(elements: &Elements) -> impl Iterator<Item = (usize, usize, Cow<'_, Value>)> {
    let mut start = 0;
    // How many elements from `start` on are known to repeat too few times to be a run.
    let mut singles = 0;
    std::iter::from_fn(move || {
        let first = elements.get(start)?;
        let mut len = 1;
        if singles == 0 {
            let rest = (start + 1..).map_while(|index| elements.get(index));
            let equal = 1 + rest.take_while(|element| *element == first).count();
            // One reason for many unreadable elements is given once.
            let repeats = if matches!(*first, Value::Error(_)) { 2 } else { REPEATS };
            if equal >= repeats {
                len = equal;
            } else {
                singles = equal;
            }
        }
        singles = singles.saturating_sub(1);
        start += len;
        Some((start - len, len, first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::value::model::{EnumValue, SymbolAt};

    fn record(members: &[(&str, Value)]) -> Value {
        Value::Record(RecordValue::new(members.iter().map(|(name, value)| (*name, value.clone()))))
    }

    fn ints(values: impl IntoIterator<Item = i128>) -> Value {
        array(values.into_iter().map(Value::Int).collect())
    }

    fn array(elements: Vec<Value>) -> Value {
        Value::Array(ArrayValue { elements: elements.into(), omitted: 0 })
    }

    fn pointer(address: u64, symbol: Option<(&str, u64)>) -> PointerValue {
        let symbol = symbol.map(|(name, offset)| SymbolAt { name: name.into(), offset });
        PointerValue::new(VirtAddr::new(address), false).with_symbol(symbol)
    }

    fn enumerator(name: Option<&str>, value: i128) -> Value {
        Value::Enum(EnumValue { name: name.map(Box::from), value }.into())
    }

    #[test]
    fn scalars_look_as_in_gdb() {
        let string = pointer(0x1000, None).with_text(Some("lo0".into()));
        for (value, text) in [
            (Value::Int(-3), "-3"),
            (Value::Int(u64::MAX.into()), "18446744073709551615"),
            (Value::Bool(true), "true"),
            (Value::Char(97), "97 'a'"),
            (Value::Char(-1), r"-1 '\377'"),
            (Value::Float(1.5), "1.5"),
            (enumerator(Some("SI_SUB_VNET"), 3), "SI_SUB_VNET"),
            (enumerator(None, 7), "7"),
            (enumerator(Some("A | B"), 3), "(A | B)"),
            (Value::Pointer(pointer(0, None)), "0x0"),
            (Value::Pointer(pointer(0x1004, Some(("f", 4)))), "0x1004 <f+4>"),
            (Value::Pointer(pointer(0x1000, Some(("f", 0)))), "0x1000 <f>"),
            (Value::Pointer(string), "0x1000 \"lo0\""),
            (Value::Text("a\"b".into()), r#""a\"b""#),
            (Value::Counter { sum: 65, address: VirtAddr::new(1) }, "65"),
            (Value::Bytes(vec![0, 0xab].into()), "00 ab"),
            (Value::Bytes(BytesValue { bytes: [7].into(), omitted: 3 }), "07 <3 more>"),
            (Value::Bytes(BytesValue { bytes: [].into(), omitted: 4 }), "<4 more>"),
        ] {
            assert_eq!(line(&value), text);
            assert_eq!(block(&value, 0), text);
        }
    }

    #[test]
    fn errors_stand_in_the_place_of_values() {
        let error = |kind, message: &str| {
            let message = message.to_owned().into();
            Value::from(ValueError { kind, address: None, message })
        };
        let value = record(&[
            ("a", error(ErrorKind::NotDumped, "0x10 is not in the dump")),
            ("b", error(ErrorKind::Depth, "nested too deeply")),
            ("c", error(ErrorKind::Limit, "it takes too much")),
        ]);
        assert_eq!(
            line(&value),
            "{a = <not-dumped: 0x10 is not in the dump>, b = {...}, c = <limit: it takes too much>}"
        );
    }

    #[test]
    fn a_note_comes_first() {
        let value = RecordValue::new([("sin_len", Value::Int(16))]).with_note("10.0.0.1:22");
        assert_eq!(line(&Value::Record(value)), "10.0.0.1:22 {sin_len = 16}");
    }

    #[test]
    fn ten_equal_elements_are_shown_once() {
        let nine = line(&ints([7; 9]));
        assert_eq!(nine, "{7, 7, 7, 7, 7, 7, 7, 7, 7}");
        let message = "0x10 is not in the dump".into();
        let error = ValueError { kind: ErrorKind::NotDumped, address: None, message };
        let errors = line(&array(vec![error.into(); 2]));
        assert_eq!(errors, "{<not-dumped: 0x10 is not in the dump> <repeats 2 times>}");
        let mixed = line(&ints([1, 1].into_iter().chain([0; 10]).chain([1])));
        assert_eq!(mixed, "{1, 1, 0 <repeats 10 times>, 1}");
    }

    #[test]
    fn elements_left_out_are_counted() {
        let value =
            |elements| Value::Array(ArrayValue { elements: Vec::into(elements), omitted: 5 });
        assert_eq!(line(&value(vec![Value::Int(1)])), "{1, <5 more>}");
        assert_eq!(line(&value(vec![])), "{<5 more>}");
    }

    #[test]
    fn a_cut_line_has_the_width_asked_for() {
        let value = ints(0..1000);
        assert_eq!(line_within(&value, 12), "{0, 1, 2,...");
        assert_eq!(line_within(&ints(0..2), 6), "{0, 1}");
        assert_eq!(line_within(&ints(0..2), 2), "..");
        assert_eq!(line_within(&Value::Text("日本語日本語".into()), 6), "\"日本...");
    }

    #[test]
    fn characters_are_a_string_whatever_they_are() {
        let chars = |bytes: &[i128]| array(bytes.iter().map(|byte| Value::Char(*byte)).collect());
        assert_eq!(line(&chars(&[27, 91, 49, 0, 34, 0, 0])), r#""\033[1\000\"""#);
        assert_eq!(line(&chars(&[-4, 97])), r#""\374a""#);
        assert_eq!(line(&chars(&[0, 0])), "\"\"");
        assert_eq!(line(&chars(&[])), "{}");
        let elements = vec![Value::Char(97)];
        assert_eq!(
            line(&Value::Array(ArrayValue { elements: elements.into(), omitted: 3 })),
            "\"a\" <3 more>"
        );
    }

    #[test]
    fn names_cannot_act_on_the_terminal() {
        let value = record(&[("\x1b[31m", Value::Pointer(pointer(1, Some(("\u{202e}x", 0)))))]);
        assert_eq!(line(&value), "{\\033[31m = 0x1 <\\u202ex>}");
    }
}
