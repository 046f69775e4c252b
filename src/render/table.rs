//! Rows and columns: without borders for people, separated by tabs for scripts.

use std::borrow::Cow;
use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::{c, sanitize};

/// The last column is never cut to fewer characters than this.
const LEAST_WIDTH: usize = 16;

/// Spaces between two columns.
const GAP: usize = 2;

/// A table under construction. Cells are made safe for a terminal as they come
/// in. The last column is never padded, whatever its alignment.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Column {
    title: Cow<'static, str>,
    align: Align,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

impl Table {
    /// A table with these titles and no rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        let columns = columns.iter();
        Self::with_titles(columns.map(|&(title, align)| (title.into(), align)))
    }

    /// The same with titles that are made as the program runs.
    pub fn with_titles(columns: impl Iterator<Item = (Cow<'static, str>, Align)>) -> Self {
        Self {
            columns: columns.map(|(title, align)| Column { title, align }).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        let safe = |cell: String| match sanitize::line(&cell) {
            Cow::Borrowed(_) => cell,
            Cow::Owned(safe) => safe,
        };
        self.rows.push(cells.into_iter().map(safe).collect());
    }

    /// Aligned columns under a line of titles, in bold if `bold`. With a
    /// `width`, that of a terminal, the last column is cut to fit.
    pub fn write_aligned(
        mut self,
        out: &mut impl Write,
        width: Option<usize>,
        bold: bool,
    ) -> io::Result<()> {
        if let Some(width) = width {
            self.fit(width);
        }
        let mut aligned = comfy_table::Table::new();
        aligned.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        // The last column stays out of it: to pad every row to the widest value
        // would take longer than all the rest.
        let count = self.columns.len().saturating_sub(1);
        aligned.set_header(self.columns.iter().take(count).map(|column| &*column.title));
        aligned.add_rows(self.rows.iter().map(|row| row.iter().take(count)));
        for (column, shape) in aligned.column_iter_mut().zip(&self.columns) {
            column.set_padding((0, GAP as u16));
            column.set_cell_alignment(match shape.align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        let title = self.columns.last().map_or("", |column| &*column.title);
        let last = self.rows.iter().map(|row| row.get(count).map_or("", String::as_str));
        for (index, (start, end)) in
            aligned.lines().zip([title].into_iter().chain(last)).enumerate()
        {
            let line = format!("{start}{end}");
            let line = line.trim_end();
            match index {
                0 if bold => writeln!(out, "\x1b[1m{line}\x1b[0m")?,
                _ => writeln!(out, "{line}")?,
            }
        }
        Ok(())
    }

    /// One row a line, tabs between the cells, no titles, nothing cut.
    pub fn write_plain(&self, out: &mut impl Write) -> io::Result<()> {
        for row in &self.rows {
            // A cell may be an array of millions of elements.
            for (place, cell) in row.iter().enumerate() {
                out.write_all(if place > 0 { b"\t" } else { b"" })?;
                out.write_all(cell.as_bytes())?;
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn fit(&mut self, width: usize) {
        let Some(last) = self.columns.len().checked_sub(1) else { return };
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let others: usize = (self.columns.iter().enumerate().take(last))
            .map(|(index, column)| widest(index).max(column.title.len()) + GAP)
            .sum();
        let room = width.saturating_sub(others).max(LEAST_WIDTH);
        for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(last)) {
            *cell = c::cut(std::mem::take(cell), room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table =
            Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right), ("VALUE", Align::Left)]);
        table.row(["tcbinfo", "592", "{ipi_count = 3, ipi_gencnt = 17}"].map(String::from));
        table.row(["ip_id", "4", "a\tb\x1b[1m"].map(String::from));
        table
    }

    fn aligned(width: Option<usize>, bold: bool) -> String {
        let mut out = Vec::new();
        sample().write_aligned(&mut out, width, bold).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        assert_eq!(
            aligned(None, false),
            "\
NAME     SIZE  VALUE
tcbinfo   592  {ipi_count = 3, ipi_gencnt = 17}
ip_id       4  a\\tb\\033[1m
"
        );
    }

    #[test]
    fn a_terminal_cuts_the_last_column_alone() {
        assert!(aligned(Some(36), false).contains("{ipi_count = 3, ip...\n"));
        assert!(aligned(Some(3), false).contains("{ipi_count = ...\n"));
    }

    #[test]
    fn titles_are_bold_on_request() {
        assert!(aligned(None, true).starts_with("\x1b[1mNAME     SIZE  VALUE\x1b[0m\n"));
    }

    #[test]
    fn plain_has_tabs_and_no_titles() {
        let mut out = Vec::new();
        sample().write_plain(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "tcbinfo\t592\t{ipi_count = 3, ipi_gencnt = 17}\nip_id\t4\ta\\tb\\033[1m\n"
        );
    }
}
