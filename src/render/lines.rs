//! The lines of tables, written a few at a time.
//!
//! Rows are laid out together, which takes less than one by one: also those of small tables that are equally
//! wide, as the tables of many vnets are.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, ContentArrangement, Row, presets};

use super::table::{GAP, Shape, Style, Table, leading};
use crate::answers::Align;

/// Lines of tables, and of what is between tables, held until enough of them can be laid out together, which takes
/// less than one by one.
#[derive(Debug)]
pub struct Lines {
    style: Style,
    /// How the columns of these tables are aligned.
    shape: Shape,
    held: Vec<Line>,
    since: Instant,
}

#[derive(Debug)]
enum Line {
    /// A row: the cells that are aligned, and the last.
    Row(Row, String),
    /// The same with the titles.
    Titles(Row, String),
    /// A line that is in no table.
    Text(String),
}

/// The most lines that are held.
const MOST_HELD: usize = 64;

/// How long lines are held while others follow.
const HELD_FOR: Duration = Duration::from_millis(20);

impl Lines {
    /// No lines yet.
    pub fn new(style: Style) -> Self {
        Self { style, shape: Shape::new(), held: Vec::new(), since: Instant::now() }
    }

    /// Begins a table. Its rows have to follow.
    pub fn start(&mut self, table: &Table<'_>, out: &mut impl Write) -> io::Result<()> {
        let shape = table.shape();
        if self.shape != shape {
            self.write(out)?;
            self.shape = shape;
        }
        let titles = leading(table.columns).iter().map(|column| &*column.title);
        let last = table.columns.last().map_or(String::new(), |column| column.title.to_string());
        self.add(Line::Titles(titles.into(), last), out)
    }

    /// Takes the next row: the cells that were measured, and the last.
    pub fn row<T: AsRef<str>>(
        &mut self,
        leading: &[T],
        last: String,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.add(Line::Row(leading.iter().map(AsRef::as_ref).into(), last), out)
    }

    /// Takes a line that is in no table.
    pub fn text(&mut self, line: String, out: &mut impl Write) -> io::Result<()> {
        self.add(Line::Text(line), out)
    }

    fn add(&mut self, line: Line, out: &mut impl Write) -> io::Result<()> {
        if self.held.is_empty() {
            self.since = Instant::now();
        }
        self.held.push(line);
        match self.held.len() >= MOST_HELD || self.since.elapsed() >= HELD_FOR {
            true => self.write(out),
            false => Ok(()),
        }
    }

    /// Writes the lines that are held.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        let rows = self.held.iter_mut().filter_map(|line| match line {
            Line::Row(row, _) | Line::Titles(row, _) => Some(std::mem::take(row)),
            Line::Text(_) => None,
        });
        let mut starts = aligned(&self.shape, rows).into_iter();
        let mut start = |last: &str| {
            let start = starts.next().unwrap_or_default();
            match last.trim_end() {
                "" => start.trim_end().to_owned(),
                last => start + last,
            }
        };
        for line in self.held.drain(..) {
            match line {
                Line::Row(_, last) => writeln!(out, "{}", start(&last))?,
                Line::Titles(_, last) if self.style.color => {
                    writeln!(out, "\x1b[1m{}\x1b[0m", start(&last))?;
                }
                Line::Titles(_, last) => writeln!(out, "{}", start(&last))?,
                Line::Text(line) => writeln!(out, "{line}")?,
            }
        }
        Ok(())
    }
}

/// The rows as lines.
fn aligned(shape: &Shape, rows: impl Iterator<Item = Row>) -> Vec<String> {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    // They are as wide as all rows of their tables.
    table.add_row(shape.iter().map(|(_, width)| " ".repeat(*width)));
    table.add_rows(rows);
    for (column, (align, _)) in table.column_iter_mut().zip(shape) {
        column.set_padding((0, GAP as u16));
        column.set_cell_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    table.lines().skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Column;

    const ROWS: [[&str; 3]; 2] =
        [["tcbinfo", "592", "{ipi_count = 3, ipi_gencnt = 17}"], ["ip_id", "4", "7  "]];

    fn aligned(width: Option<usize>, color: bool) -> String {
        let columns = [Column::left("NAME"), Column::right("SIZE"), Column::left("VALUE")];
        let mut table = Table::new(&columns);
        ROWS.iter().for_each(|row| table.measure(&[row[0].to_owned(), row[1].to_owned()]));
        let mut out = Vec::new();
        let mut lines = Lines::new(Style { width, color });
        lines.start(&table, &mut out).unwrap();
        ROWS.iter().for_each(|row| lines.row(&row[..2], row[2].to_owned(), &mut out).unwrap());
        lines.write(&mut out).unwrap();
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
    fn tables_follow_each_other_with_what_is_between() {
        let columns = [Column::left("NAME"), Column::right("SIZE"), Column::left("VALUE")];
        let mut out = Vec::new();
        let mut lines = Lines::new(Style::default());
        for (number, name) in ["ip_id", "ip_ttl", "tp_ttl", "a"].into_iter().enumerate() {
            let cells = [name.to_owned(), "4".to_owned()];
            let mut table = Table::new(&columns);
            table.measure(&cells);
            lines.text(format!("table {number}"), &mut out).unwrap();
            lines.start(&table, &mut out).unwrap();
            lines.row(&cells, number.to_string(), &mut out).unwrap();
        }
        lines.text("the end".to_owned(), &mut out).unwrap();
        lines.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\
table 0
NAME   SIZE  VALUE
ip_id     4  0
table 1
NAME    SIZE  VALUE
ip_ttl     4  1
table 2
NAME    SIZE  VALUE
tp_ttl     4  2
table 3
NAME  SIZE  VALUE
a        4  3
the end
"
        );
    }

    #[test]
    fn titles_are_bold_on_request() {
        assert!(aligned(None, true).starts_with("\x1b[1mNAME     SIZE  VALUE\x1b[0m\n"));
    }
}
