//! Tab-separated tables with a header line, as recorded from other tools.

use std::path::Path;

/// One line of a table.
pub struct Row(String);

impl Row {
    /// Its fields; the table must have exactly this many columns.
    pub fn fields<const N: usize>(&self) -> [&str; N] {
        let fields: Vec<&str> = self.0.split('\t').collect();
        fields.try_into().unwrap_or_else(|fields| panic!("{N} columns expected: {fields:?}"))
    }
}

/// The rows of the table at `path`, its header left out.
pub fn rows(path: &Path) -> impl Iterator<Item = Row> {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let lines: Vec<Row> = text.lines().skip(1).map(|line| Row(line.to_owned())).collect();
    lines.into_iter()
}
