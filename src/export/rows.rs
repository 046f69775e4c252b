//! The rows of one table, and with them what could not be read: null stands in the place of a value,
//! and a row of the table `errors` says why.

use std::io;

use super::batches::Batches;
use super::column::{Cell, Column};
use crate::addr::VirtAddr;
use crate::value::model::{ErrorKind, ValueError};
use crate::vnet::VnetRef;
use crate::walk::{Problem, Problems};

/// Where the rows of a table go.
pub(super) struct Rows<'r, 'w> {
    /// The name of the table.
    pub table: &'static str,
    pub columns: &'static [Column],
    /// `None` if only its errors are wanted.
    pub batches: Option<Batches<'r>>,
    pub errors: &'r mut Errors<'w>,
}

/// Where errors go.
pub(super) struct Errors<'w> {
    /// `None` if they are only counted.
    pub batches: Option<Batches<'w>>,
    pub count: u64,
}

/// Something that could not be read.
struct Unread<'e> {
    table: Option<&'e str>,
    column: Option<&'e str>,
    place: Option<&'e str>,
    kind: Option<&'e str>,
    at: Option<VirtAddr>,
    why: &'e str,
}

/// A row that is being filled, cell by cell.
pub(super) struct Row<'r, 'e, 'w, 'c> {
    rows: &'r mut Rows<'e, 'w>,
    /// What the row is about, for errors.
    place: &'r dyn Fn() -> String,
    cells: Vec<Cell<'c>>,
    failed: io::Result<()>,
}

impl<'e, 'w> Rows<'e, 'w> {
    /// A row without cells; `place` says what it is about.
    pub fn row<'r, 'c>(&'r mut self, place: &'r dyn Fn() -> String) -> Row<'r, 'e, 'w, 'c> {
        let cells = Vec::with_capacity(self.columns.len());
        Row { rows: self, place, cells, failed: Ok(()) }
    }

    /// What kept rows from being found.
    pub fn problems(&mut self, problems: &Problems) -> io::Result<()> {
        for problem in problems.iter() {
            self.problem(problem)?;
        }
        match problems.len().saturating_sub(problems.iter().count()) {
            0 => Ok(()),
            more => self.failed(&format!("{more} more problems like these")),
        }
    }

    fn problem(&mut self, problem: &Problem) -> io::Result<()> {
        let kind = ValueError::from(problem.clone()).kind;
        self.errors.add(&Unread {
            table: Some(self.table),
            column: None,
            place: Some(&problem.what),
            kind: Some(kind.name()),
            at: problem.at,
            why: &problem.reason().to_string(),
        })
    }

    /// Why the table as a whole is empty or incomplete.
    pub fn failed(&mut self, why: &str) -> io::Result<()> {
        let table = Some(self.table);
        self.errors.add(&Unread { table, column: None, place: None, kind: None, at: None, why })
    }
}

impl Errors<'_> {
    /// Why nothing is known of the dump.
    pub fn of_dump(&mut self, why: &str) -> io::Result<()> {
        self.add(&Unread { table: None, column: None, place: None, kind: None, at: None, why })
    }

    fn add(&mut self, unread: &Unread<'_>) -> io::Result<()> {
        self.count += 1;
        let Some(batches) = &mut self.batches else { return Ok(()) };
        let Unread { table, column, place, kind, at, why } = *unread;
        batches.add(&[
            table.into(),
            column.into(),
            place.into(),
            kind.into(),
            at.into(),
            Some(why).into(),
        ])
    }
}

impl<'c> Row<'_, '_, '_, 'c> {
    /// The cell of the next column.
    pub fn add(mut self, cell: impl Into<Cell<'c>>) -> Self {
        self.cells.push(cell.into());
        self
    }

    /// The cells of the next columns.
    pub fn add_all(mut self, cells: impl IntoIterator<Item = Cell<'c>>) -> Self {
        self.cells.extend(cells);
        self
    }

    /// What was read, or null and an error.
    pub fn read<T>(
        self,
        read: &'c Result<T, ValueError>,
        cell: impl FnOnce(&'c T) -> Cell<'c>,
    ) -> Self {
        match read {
            Ok(read) => self.add(cell(read)),
            Err(why) => self.unread(why).add(Cell::Null),
        }
    }

    /// A vnet: its number and its address.
    pub fn vnet(self, vnet: Option<VnetRef>) -> Self {
        self.add(vnet.and_then(|vnet| vnet.index)).add(vnet.map(|vnet| vnet.address))
    }

    /// The same of what was read.
    pub fn read_vnet(self, read: &Result<Option<VnetRef>, ValueError>) -> Self {
        match read {
            Ok(vnet) => self.vnet(*vnet),
            Err(why) => self.unread(why).vnet(None),
        }
    }

    /// Why the cell of the next column is null. A counter without memory has no value that could not be
    /// read.
    pub fn unread(mut self, why: &ValueError) -> Self {
        if self.failed.is_ok() && why.kind != ErrorKind::Unallocated {
            let column = self.rows.columns.get(self.cells.len());
            self.failed = self.rows.errors.add(&Unread {
                table: Some(self.rows.table),
                column: column.map(|column| column.name),
                place: Some(&(self.place)()),
                kind: Some(why.kind.name()),
                at: why.address,
                why: &why.message,
            });
        }
        self
    }

    /// The row is complete.
    ///
    /// # Errors
    /// It, or an error that belongs to it, cannot be written.
    pub fn end(self) -> io::Result<()> {
        self.failed?;
        match &mut self.rows.batches {
            Some(batches) => batches.add(&self.cells),
            None => Ok(()),
        }
    }
}
