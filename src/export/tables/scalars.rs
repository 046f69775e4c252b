//! A value taken apart into scalars, each with its path: what a row can hold.

use crate::bytes::Hex;
use crate::export::column::{Cell, Column, Kind, column};
use crate::export::rows::Row;
use crate::value::model::{Value, ValueError};

/// The columns of a scalar's value.
pub(super) const COLUMNS: [Column; 4] = [
    column(
        "value_signed",
        Kind::Signed,
        "an integer, boolean, enum or sum that fits a signed one of 64 bits",
    ),
    column(
        "value_unsigned",
        Kind::Unsigned,
        "the same if it fits an unsigned one; also what a pointer holds",
    ),
    column(
        "value_text",
        Kind::Text,
        "a text, an enumerator, a floating-point number, bytes in hexadecimal, or what a pointer leads to",
    ),
    column(
        "left_out",
        Kind::Unsigned,
        "elements of an array that has more than the limit: none of them has a row",
    ),
];

/// One part of a value that a row can hold.
pub(super) enum Scalar<'v> {
    /// A value without parts.
    Value(&'v Value),
    /// It could not be read.
    Unread(&'v ValueError),
    /// An array of so many elements, which is too long.
    LeftOut(u64),
}

/// Calls `f` with each scalar of a value and its path, such as `.ipi_lock.lo_name` or `[2]`, until
/// that fails. `path` is where the value itself lies.
pub(super) fn try_for_each<E>(
    value: &Value,
    path: &mut String,
    f: &mut impl FnMut(&str, Scalar<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let depth = path.len();
    match value.plain() {
        Value::Record(record) => {
            for (name, member) in record.members() {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                try_for_each(member, path, f)?;
                path.truncate(depth);
            }
            Ok(())
        }
        Value::Array(array) if array.omitted > 0 => {
            f(path, Scalar::LeftOut(array.omitted.saturating_add(array.elements.len() as u64)))
        }
        Value::Array(array) => {
            for (index, element) in array.elements.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                try_for_each(&element, path, f)?;
                path.truncate(depth);
            }
            Ok(())
        }
        Value::Bytes(bytes) if bytes.omitted > 0 => {
            f(path, Scalar::LeftOut(bytes.omitted.saturating_add(bytes.bytes.len() as u64)))
        }
        Value::Error(why) => f(path, Scalar::Unread(why)),
        value => f(path, Scalar::Value(value)),
    }
}

impl Scalar<'_> {
    /// Adds the cells of the [`COLUMNS`] to a row.
    pub fn add_to<'r, 'e, 'w, 'c>(&self, row: Row<'r, 'e, 'w, 'c>) -> Row<'r, 'e, 'w, 'c> {
        let row = match self {
            Self::Unread(why) => row.unread(why),
            Self::Value(_) | Self::LeftOut(_) => row,
        };
        row.add_all(self.cells())
    }

    fn cells(&self) -> [Cell<'static>; 4] {
        let (signed, unsigned, text) = match self {
            Self::Value(value) => parts(value),
            Self::Unread(_) => (None, None, None),
            Self::LeftOut(count) => return [Cell::Null, Cell::Null, Cell::Null, (*count).into()],
        };
        [signed.into(), unsigned.into(), text.into(), Cell::Null]
    }
}

fn parts(value: &Value) -> (Option<i64>, Option<u64>, Option<String>) {
    let number = |number: i128| (number.try_into().ok(), number.try_into().ok());
    let (signed, unsigned) = match value {
        Value::Bool(yes) => number((*yes).into()),
        Value::Pointer(pointer) => (None, Some(pointer.address.into())),
        value => value.as_i128().map_or((None, None), number),
    };
    let text = match value {
        // Of 128 bits.
        Value::Int(number) if signed.is_none() && unsigned.is_none() => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Enum(found) => found.name.as_deref().map(str::to_owned),
        Value::Pointer(pointer) => match (pointer.text(), pointer.symbol()) {
            (Some(text), _) => Some(text.to_owned()),
            (None, symbol) => symbol.map(ToString::to_string),
        },
        Value::Text(text) => Some(text.to_string()),
        Value::Bytes(bytes) => Some(Hex(&bytes.bytes).to_string()),
        _ => None,
    };
    (signed, unsigned, text)
}
