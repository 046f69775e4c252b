//! Aligned columns without borders, for people.
//!
//! All columns but the last are measured before the first row is written, and the last, which has
//! the values, is never padded. So rows are written as they are made, a few at a time: of ten thousand
//! only the widest cells are kept.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, ContentArrangement, presets};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::answers::{Align, Column};

/// A value in the last column is never cut to fewer characters than this.
const LEAST_WIDTH: usize = 16;

/// Spaces between two columns.
const GAP: usize = 2;

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
    columns: &'a [Column],
    /// The widest cell of each column but the last, or its title, and the width.
    widest: Vec<(String, usize)>,
}

/// A table that is being written, row by row.
#[derive(Debug)]
pub struct Lines<'a, W> {
    out: W,
    table: Table<'a>,
    style: Style,
    /// Rows that are laid out together, which takes less than one by one: at first the titles.
    held: comfy_table::Table,
    /// The last cells of these rows.
    lasts: Vec<String>,
    since: Instant,
    /// Whether the titles have been written.
    titled: bool,
}

/// The most rows that are held.
const MOST_HELD: usize = 64;

/// How long rows are held while others follow.
const HELD_FOR: Duration = Duration::from_millis(20);

impl<'a> Table<'a> {
    /// A table of these columns, as wide as their titles.
    pub fn new(columns: &'a [Column]) -> Self {
        let titles = leading(columns).iter().map(|column| column.title.to_string());
        let widest = titles.map(|title| {
            let width = title.width();
            (title, width)
        });
        Self { columns, widest: widest.collect() }
    }

    /// Measures the cells of a row, all but the last, in which nothing can act on a terminal.
    pub fn measure(&mut self, cells: &[String]) {
        for (cell, widest) in cells.iter().zip(&mut self.widest) {
            let width = cell.width();
            if width > widest.1 {
                *widest = (cell.clone(), width);
            }
        }
    }

    /// Begins to write the table. The rows have to follow.
    pub fn start<W: Write>(self, out: W, style: Style) -> Lines<'a, W> {
        let mut held = self.rows();
        held.add_row(leading(self.columns).iter().map(|column| &*column.title));
        let last = self.columns.last().map_or(String::new(), |column| column.title.to_string());
        let (lasts, since) = (vec![last], Instant::now());
        Lines { out, table: self, style, held, lasts, since, titled: false }
    }

    /// Rows that will be aligned as all others are: they begin with the widest cells.
    fn rows(&self) -> comfy_table::Table {
        let mut rows = comfy_table::Table::new();
        rows.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        rows.add_row(self.widest.iter().map(|(cell, _)| cell));
        rows
    }
}

/// The lines of such rows, without the widest cells.
fn lines(rows: &mut comfy_table::Table, columns: &[Column]) -> impl Iterator<Item = String> {
    for (column, shape) in rows.column_iter_mut().zip(columns) {
        column.set_padding((0, GAP as u16));
        column.set_cell_alignment(match shape.align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    rows.lines().skip(1)
}

impl<W: Write> Lines<'_, W> {
    /// Characters that the last cells have room for; `None` is as many as they have. A line that is too
    /// long without them is not worth cutting what they say, unless it is a `value`, which may have megabytes.
    pub fn room(&self, value: bool) -> Option<usize> {
        let used: usize = self.table.widest.iter().map(|(_, width)| width + GAP).sum();
        let room = self.style.width?.saturating_sub(used);
        if room < LEAST_WIDTH { value.then_some(LEAST_WIDTH) } else { Some(room) }
    }

    /// Takes the next row: the cells that were measured, and the last.
    pub fn row<T: AsRef<str>>(&mut self, leading: &[T], last: String) -> io::Result<()> {
        if self.lasts.is_empty() {
            self.since = Instant::now();
        }
        self.held.add_row(leading.iter().map(AsRef::as_ref));
        self.lasts.push(last);
        match self.lasts.len() >= MOST_HELD || self.since.elapsed() >= HELD_FOR {
            true => {
                self.write_held()?;
                self.held = self.table.rows();
                Ok(())
            }
            false => Ok(()),
        }
    }

    /// Writes the rows that are still held.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_held()
    }

    fn write_held(&mut self) -> io::Result<()> {
        let starts = lines(&mut self.held, self.table.columns);
        for (start, last) in starts.zip(self.lasts.drain(..)) {
            let line = match last.trim_end() {
                "" => start.trim_end(),
                last => &format!("{start}{last}"),
            };
            let is_title = !std::mem::replace(&mut self.titled, true);
            match is_title && self.style.color {
                true => writeln!(self.out, "\x1b[1m{line}\x1b[0m")?,
                false => writeln!(self.out, "{line}")?,
            }
        }
        Ok(())
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

fn leading(columns: &[Column]) -> &[Column] {
    columns.split_last().map_or(&[], |(_, leading)| leading)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [[&str; 3]; 2] =
        [["tcbinfo", "592", "{ipi_count = 3, ipi_gencnt = 17}"], ["ip_id", "4", "7  "]];

    fn aligned(width: Option<usize>, color: bool) -> String {
        let columns = [Column::left("NAME"), Column::right("SIZE"), Column::left("VALUE")];
        let mut table = Table::new(&columns);
        ROWS.iter().for_each(|row| table.measure(&[row[0].to_owned(), row[1].to_owned()]));
        let mut out = Vec::new();
        let mut lines = table.start(&mut out, Style { width, color });
        ROWS.iter().for_each(|row| lines.row(&row[..2], row[2].to_owned()).unwrap());
        lines.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        assert_eq!(
            aligned(None, false),
            "\
NAME     SIZE  VALUE
tcbinfo   592  {ipi_count = 3, ipi_gencnt = 17}
ip_id       4  7
"
        );
    }

    #[test]
    fn titles_are_bold_on_request() {
        assert!(aligned(None, true).starts_with("\x1b[1mNAME     SIZE  VALUE\x1b[0m\n"));
    }

    #[test]
    fn the_last_column_has_the_room_that_the_others_leave() {
        let columns = [Column::left("NAME"), Column::left("VALUE")];
        let mut table = Table::new(&columns);
        table.measure(&["tcbinfo".to_owned()]);
        for (width, of_value, of_text) in
            [(None, None, None), (Some(36), Some(27), Some(27)), (Some(3), Some(LEAST_WIDTH), None)]
        {
            let lines = table.clone().start(Vec::new(), Style { width, color: false });
            assert_eq!((lines.room(true), lines.room(false)), (of_value, of_text));
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
