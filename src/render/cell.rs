//! The cells of tables as text, in which nothing can act on a terminal.

use super::{c, sanitize, sysctl};
use crate::answers::Cell;

/// A cell as text on one line.
pub(super) fn text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Nothing => "-".to_owned(),
        Cell::Text(text) => sanitize::line(text).into_owned(),
        Cell::Bytes(bytes) => bytes.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Address(address) => address.to_string(),
        Cell::Value(value) => c::line(value),
        Cell::Pointer(pointer) => sanitize::line(&pointer.target_name()).into_owned(),
        Cell::Error(why) => c::error(why),
        Cell::Sysctl(oid, value) => sysctl::value(oid, value, None),
    }
}

/// The same, cut to `room` characters.
pub(super) fn text_within(cell: &Cell<'_>, room: usize) -> String {
    match cell {
        Cell::Value(value) => c::line_within(value, room),
        cell => c::cut(text(cell), room),
    }
}
