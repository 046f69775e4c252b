//! What was written of each table.

use std::path::Path;

use serde::Serialize;

use super::table::Table;
use crate::answers::{Cell, Column, Element, List, Medium, Remark, Row};

/// The file of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// The name of the table.
    pub table: &'static str,
    /// The number of its rows.
    pub rows: u64,
    /// The path of its file.
    pub file: String,
}

impl Written {
    /// A table with so many rows in this file.
    #[must_use]
    pub fn new(table: &Table, rows: u64, file: &Path) -> Self {
        Self { table: table.name, rows, file: file.display().to_string() }
    }
}

/// The files that were written, and a remark about so many things that could not be read.
#[must_use]
pub fn written(files: Vec<Written>, unread: u64) -> List<'static, Written> {
    let columns = vec![Column::left("TABLE"), Column::right("ROWS"), Column::left("FILE")];
    let remark = |things| Remark::Note(format!("{things} could not be read; `errors` says why"));
    let remarks = match unread {
        0 => Vec::new(),
        1 => vec![remark("1 thing".to_owned())],
        many => vec![remark(format!("{many} things"))],
    };
    List { remarks, ..List::new(columns, files) }
}

impl Row for Written {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![vec![self.table.into(), self.rows.into(), (&*self.file).into()]]
    }
}

impl Element for Written {
    const ARRAY: &'static str = "tables";
}
