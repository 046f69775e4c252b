//! The state of reading an expression off its tokens. `parse` and `type_name` do the reading.

use super::SyntaxError;
use super::cursor::Cursor;

/// Reads expressions off a cursor.
pub(super) struct Parser<'a> {
    pub(super) tokens: Cursor<'a>,
    /// For each `[` that is open, whether a `.` without a left side was in it: then it is a filter.
    pub(super) filters: Vec<bool>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, SyntaxError> {
        Ok(Self { tokens: Cursor::new(text)?, filters: Vec::new() })
    }
}
