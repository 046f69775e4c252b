//! Aligned columns without borders, for people.
//!
//! All columns but the last are measured before the first row is written, and the last, which has
//! the values, is never padded. Of ten thousand rows only the widest cells are kept.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::answers::{Align, Column};

/// A value in the last column is never cut to fewer characters than this.
const LEAST_WIDTH: usize = 16;

/// Spaces between two columns.
pub(super) const GAP: usize = 2;

/// How a page for people looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Characters that a line of the terminal has room for; `None` cuts nothing.
    pub width: Option<usize>,
    /// Titles are bold.
    pub color: bool,
}

/// A table whose columns are being measured.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    pub(super) columns: &'a [Column],
    /// The width of the widest cell of each column but the last, or of its title.
    widths: Vec<usize>,
}

/// The alignment and the width of each column but the last.
pub(super) type Shape = Vec<(Align, usize)>;

impl<'a> Table<'a> {
    /// A table of these columns, as wide as their titles.
    pub fn new(columns: &'a [Column]) -> Self {
        let titles = leading(columns).iter().map(|column| column.title.width());
        Self { columns, widths: titles.collect() }
    }

    /// Measures the cells of a row, all but the last, in which nothing can act on a terminal.
    pub fn measure(&mut self, cells: &[String]) {
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            *width = cell.width().max(*width);
        }
    }

    /// Characters that the last cells have room for; `None` is as many as they have. A line that is too
    /// long without them is not worth cutting what they say, unless it is a `value`, which may have megabytes.
    pub fn room(&self, style: Style, value: bool) -> Option<usize> {
        let used: usize = self.widths.iter().map(|width| width + GAP).sum();
        let room = style.width?.saturating_sub(used);
        if room < LEAST_WIDTH { value.then_some(LEAST_WIDTH) } else { Some(room) }
    }

    pub(super) fn shape(&self) -> Shape {
        let aligns = self.columns.iter().map(|column| column.align);
        aligns.zip(self.widths.iter().copied()).collect()
    }
}

/// `text`, or its start and `...` if it is wider than `room` columns of a terminal.
pub fn fit(mut text: String, room: Option<usize>) -> String {
    let Some(room) = room.filter(|room| text.width() > *room) else { return text };
    let mut left = room.saturating_sub(3);
    let end = text.char_indices().find(|(_, c)| {
        let width = c.width().unwrap_or(0);
        let is_past = width > left;
        left = left.saturating_sub(width);
        is_past
    });
    text.truncate(end.map_or(text.len(), |(at, _)| at));
    text.push_str(&"..."[..room.min(3)]);
    text
}

pub(super) fn leading(columns: &[Column]) -> &[Column] {
    columns.split_last().map_or(&[], |(_, leading)| leading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_has_the_room_that_the_others_leave() {
        let columns = [Column::left("NAME"), Column::left("VALUE")];
        let mut table = Table::new(&columns);
        table.measure(&["tcbinfo".to_owned()]);
        for (width, of_value, of_text) in
            [(None, None, None), (Some(36), Some(27), Some(27)), (Some(3), Some(LEAST_WIDTH), None)]
        {
            let style = Style { width, color: false };
            let room = |value| table.room(style, value);
            assert_eq!((room(true), room(false)), (of_value, of_text));
        }
    }

    #[test]
    fn what_is_cut_is_measured_in_columns() {
        let cut = |text: &str, room| fit(text.to_owned(), room);
        assert_eq!(cut("web01, web02", Some(12)), "web01, web02");
        assert_eq!(cut("web01, web02", Some(11)), "web01, w...");
        assert_eq!(cut("日本語の長い名前", Some(16)), "日本語の長い名前");
        assert_eq!(cut("日本語の長い名前", Some(12)), "日本語の...");
        assert_eq!((cut("日本", Some(2)), cut("日本", None)), ("..".to_owned(), "日本".to_owned()));
    }
}
