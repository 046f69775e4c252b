//! Values over several lines: a part that fits stays on one line, others are broken.

use std::fmt::Write;

use super::{Line, characters, more_bytes, push_note, push_repeats, push_scalar, runs};
use crate::render::sanitize;
use crate::value::model::{ArrayValue, BytesValue, RecordValue, Value};

/// The width that lines of [`block`] are kept to if possible.
const WIDTH: usize = 80;

const INDENT: usize = 4;

/// `value` over as many lines as it needs, without a newline at its end.
///
/// `column` is the number of characters that stand before it on its first line.
pub fn block(value: &Value, column: usize) -> String {
    let mut out = String::new();
    push_block(&mut out, value, 0, column);
    out
}

fn push_block(out: &mut String, value: &Value, indent: usize, column: usize) {
    // One column is for the comma that may follow.
    let room = WIDTH.saturating_sub(column + 1);
    let mut short = Line { out: String::new(), room };
    short.value(value);
    if short.out.len() <= room {
        out.push_str(&short.out);
        return;
    }
    match value.shown() {
        Value::Record(record) => push_record_block(out, record, indent),
        Value::Array(array) if is_flat(array) => match characters(array) {
            Some(text) => out.push_str(&text),
            None => push_filled_block(out, array, indent),
        },
        Value::Array(array) => push_array_block(out, array, indent),
        Value::Bytes(bytes) => push_bytes_block(out, bytes, indent),
        scalar => push_scalar(out, scalar),
    }
}

fn is_flat(array: &ArrayValue) -> bool {
    array.elements.are_numbers() || array.elements.iter().all(|element| is_scalar(&element))
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value.shown(), Value::Record(_) | Value::Array(_) | Value::Bytes(_))
}

fn push_record_block(out: &mut String, record: &RecordValue, indent: usize) {
    push_note(out, record);
    out.push_str("{\n");
    for (name, value) in record.members() {
        push_indent(out, indent + INDENT);
        let label = format!("{} = ", sanitize::line(name));
        out.push_str(&label);
        push_block(out, value, indent + INDENT, indent + INDENT + label.len());
        out.push_str(",\n");
    }
    push_indent(out, indent);
    out.push('}');
}

/// An array of records or arrays: every element on its own line, with its index.
fn push_array_block(out: &mut String, array: &ArrayValue, indent: usize) {
    out.push_str("{\n");
    for (start, len, element) in runs(&array.elements) {
        push_indent(out, indent + INDENT);
        let label = match len {
            1 => format!("[{start}] = "),
            _ => format!("[{start} ... {}] = ", start + len - 1),
        };
        out.push_str(&label);
        push_block(out, &element, indent + INDENT, indent + INDENT + label.len());
        out.push_str(",\n");
    }
    if array.omitted > 0 {
        push_indent(out, indent + INDENT);
        let _ = writeln!(out, "<{} more>", array.omitted);
    }
    push_indent(out, indent);
    out.push('}');
}

/// An array of numbers, pointers and the like: as many on a line as fit.
fn push_filled_block(out: &mut String, array: &ArrayValue, indent: usize) {
    let cells = runs(&array.elements).map(|(_, len, element)| {
        let mut cell = String::new();
        push_scalar(&mut cell, &element);
        push_repeats(&mut cell, len);
        cell.push(',');
        cell
    });
    let omitted = (array.omitted > 0).then(|| format!("<{} more>", array.omitted));
    out.push_str("{\n");
    fill(out, cells.chain(omitted), indent + INDENT);
    push_indent(out, indent);
    out.push('}');
}

fn push_bytes_block(out: &mut String, bytes: &BytesValue, indent: usize) {
    for row in bytes.bytes.chunks(16) {
        let mut line = Line { out: String::new(), room: usize::MAX };
        line.bytes(row);
        out.push('\n');
        push_indent(out, indent + INDENT);
        out.push_str(&line.out);
    }
    out.push_str(&more_bytes(bytes));
}

/// Writes `cells` with spaces between them, on lines of at most [`WIDTH`].
fn fill(out: &mut String, cells: impl Iterator<Item = String>, indent: usize) {
    let mut column = 0;
    for cell in cells {
        if column > 0 && column + 1 + cell.len() > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            push_indent(out, indent);
            column = indent;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(&cell);
        column += cell.len();
    }
    out.push('\n');
}

fn push_indent(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(members: &[(&str, Value)]) -> Value {
        Value::Record(RecordValue::new(members.iter().map(|(name, value)| (*name, value.clone()))))
    }

    fn array(elements: Vec<Value>) -> Value {
        Value::Array(ArrayValue { elements: elements.into(), omitted: 0 })
    }

    #[test]
    fn what_fits_stays_on_its_line() {
        let value = record(&[
            ("short", record(&[("a", Value::Int(1)), ("b", Value::Int(2))])),
            ("long", array((1000..1020).map(Value::Int).collect())),
            ("rows", array(vec![record(&[("name", Value::Text("x".repeat(70).into()))]); 11])),
        ]);
        let name = "x".repeat(70);
        let expected = format!(
            "\
{{
    short = {{a = 1, b = 2}},
    long = {{
        1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011,
        1012, 1013, 1014, 1015, 1016, 1017, 1018, 1019,
    }},
    rows = {{
        [0 ... 10] = {{
            name = \"{name}\",
        }},
    }},
}}"
        );
        assert_eq!(block(&value, 0), expected);
    }
}
