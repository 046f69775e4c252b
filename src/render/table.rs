//! Aligned columns without borders, for people.
//!
//! All columns but the last are laid out before the first row is written, and the last, which has
//! the values, is never padded. So rows can be written as they are made.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, presets};

use crate::answers::{Align, Column};

/// The last column is never cut to fewer characters than this.
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

/// A table whose columns are being laid out.
#[derive(Debug)]
pub struct Table<'a> {
    columns: &'a [Column],
    aligned: comfy_table::Table,
}

/// A table that is being written, row by row.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    starts: std::vec::IntoIter<String>,
    /// Characters that the last column has room for.
    room: Option<usize>,
}

impl<'a> Table<'a> {
    /// A table of these columns, as wide as their titles.
    pub fn new(columns: &'a [Column]) -> Self {
        let mut aligned = comfy_table::Table::new();
        aligned.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        aligned.set_header(leading(columns).iter().map(|column| &*column.title));
        Self { columns, aligned }
    }

    /// Adds the cells of a row, all but the last, in which nothing can act on a terminal.
    pub fn row(&mut self, cells: impl Iterator<Item = String>) {
        self.aligned.add_row(cells);
    }

    /// Writes the titles. A line for each of the rows has to follow.
    pub fn start<W: Write>(mut self, mut out: W, style: Style) -> io::Result<Lines<W>> {
        for (column, shape) in self.aligned.column_iter_mut().zip(self.columns) {
            column.set_padding((0, GAP as u16));
            column.set_cell_alignment(match shape.align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        let mut starts = self.aligned.lines().collect::<Vec<_>>().into_iter();
        let start = starts.next().unwrap_or_default();
        let used = start.chars().count();
        let room = style.width.map(|width| width.saturating_sub(used).max(LEAST_WIDTH));
        let title = self.columns.last().map_or("", |column| &column.title);
        let line = format!("{start}{title}");
        let line = line.trim_end();
        match style.color {
            true => writeln!(out, "\x1b[1m{line}\x1b[0m")?,
            false => writeln!(out, "{line}")?,
        }
        Ok(Lines { out, starts, room })
    }
}

impl<W: Write> Lines<W> {
    /// Characters that the last cells have room for; `None` is as many as they have.
    pub fn room(&self) -> Option<usize> {
        self.room
    }

    /// Writes the next row, which ends in this cell.
    pub fn line(&mut self, last: &str) -> io::Result<()> {
        let start = self.starts.next().unwrap_or_default();
        match last.trim_end() {
            "" => writeln!(self.out, "{}", start.trim_end()),
            last => writeln!(self.out, "{start}{last}"),
        }
    }
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
        ROWS.iter().for_each(|row| table.row(row[..2].iter().map(ToString::to_string)));
        let mut out = Vec::new();
        let mut lines = table.start(&mut out, Style { width, color }).unwrap();
        ROWS.iter().for_each(|row| lines.line(row[2]).unwrap());
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
        table.row(["tcbinfo".to_owned()].into_iter());
        for (width, room) in [(None, None), (Some(36), Some(27)), (Some(3), Some(LEAST_WIDTH))] {
            let style = Style { width, color: false };
            let lines = Table { aligned: table.aligned.clone(), ..table };
            assert_eq!(lines.start(Vec::new(), style).unwrap().room(), room);
        }
    }
}
