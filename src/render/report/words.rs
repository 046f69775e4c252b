//! The text of a report, in which nothing can act on a terminal.

use crate::answers::Cell;
use crate::render::cell;
use crate::render::sanitize;

/// No cell is longer than this many characters.
const LONGEST_CELL: usize = 600;

/// Makes text safe.
#[derive(Debug, Default)]
pub(super) struct Words;

impl Words {
    /// Text on one line.
    pub fn line(&self, text: &str) -> String {
        sanitize::line(text).into_owned()
    }

    /// A cell on one line.
    pub fn cell(&self, cell: &Cell<'_>) -> String {
        cell::text_within(cell, LONGEST_CELL)
    }
}
