//! One dump's answers as tables for programs that query many dumps: Parquet files, or an Arrow stream.
//!
//! What: the [tables](TABLES), each with typed columns, filled from the [answers](crate::answers) that
//! the program also shows. Rows are written as they are made, a bounded number at a time. How they
//! are written is for a [`Writer`] to say: [`ParquetWriter`], [`ArrowStream`]. What cannot be read is
//! null in its place, and a row of the table `errors`.
//!
//! What it refuses to do: it opens no files, and works nothing out that no answer says. A dump that
//! cannot be read is no error: its tables are empty, and `errors` says why.

mod arrow;
mod batches;
mod column;
mod parquet;
mod partition;
mod rows;
mod subject;
mod table;
mod tables;
mod written;

use std::io;

use crate::budget::Exhausted;
use crate::value::Limits;

pub use arrow::ArrowStream;
pub use batches::{Discarded, SCHEMA_VERSION, SCHEMA_VERSION_KEY, Writer, schema};
pub use column::{Column, Kind};
pub use parquet::{Origin, ParquetWriter, origin_of};
pub use partition::Partition;
pub use subject::Subject;
pub use table::Table;
pub use tables::{TABLES, table_named};
pub use written::{Written, written};

use batches::Batches;
use rows::{Errors, Rows};
use table::{Fill, Stop};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The tables, each once.
    pub tables: &'a [&'static Table],
    /// How much of a value is read. An array with more elements has no rows for them, but one that
    /// counts them.
    pub limits: &'a Limits,
}

/// What was exported of one table.
#[derive(Debug)]
pub struct Exported<W> {
    /// The table.
    pub table: &'static Table,
    /// The number of its rows.
    pub rows: u64,
    /// What took them.
    pub writer: W,
}

/// Writes the tables. `open` makes the writer of a table, and `done` gets it back when the table is
/// complete. Gives the number of things that could not be read: the rows that the table `errors` has.
///
/// Each table may spend what the session's budget allows for an answer. `errors` has the errors
/// of all tables, whichever are asked for.
///
/// # Errors
/// Those of `open`, `done` and the writers.
pub fn export<W: Writer>(
    subject: Subject<'_>,
    question: Question<'_>,
    mut open: impl FnMut(&'static Table) -> io::Result<W>,
    mut done: impl FnMut(Exported<W>) -> io::Result<()>,
) -> io::Result<u64> {
    let wanted = |table: &Table| question.tables.iter().any(|it| it.name == table.name);
    let of_errors = TABLES.iter().find(|table| matches!(table.fill, Fill::Errors));
    let of_errors = of_errors.filter(|table| wanted(table));
    let mut errors_writer = of_errors.map(&mut open).transpose()?;
    let batches = of_errors
        .zip(errors_writer.as_mut())
        .map(|(table, writer)| Batches::new(table.columns, writer));
    let mut errors = Errors { batches, count: 0 };
    if let Subject::Dump { why, .. } | Subject::Unreadable { why, .. } = subject {
        errors.of_dump(&why.story())?;
    }
    for table in TABLES {
        if matches!(table.fill, Fill::Errors) || !(wanted(table) || of_errors.is_some()) {
            continue;
        }
        let mut writer = if wanted(table) { Some(open(table)?) } else { None };
        let batches = writer.as_mut().map(|writer| Batches::new(table.columns, writer));
        let (name, columns) = (table.name, table.columns);
        let mut rows = Rows { table: name, columns, batches, errors: &mut errors };
        fill_table(subject, table.fill, question.limits, &mut rows)?;
        let count = rows.batches.map(Batches::finish).transpose()?;
        if let Some((writer, rows)) = writer.zip(count) {
            done(Exported { table, rows, writer })?;
        }
    }
    let Errors { batches, count } = errors;
    let rows = batches.map(Batches::finish).transpose()?;
    if let (Some(table), Some(writer), Some(rows)) = (of_errors, errors_writer, rows) {
        done(Exported { table, rows, writer })?;
    }
    Ok(count)
}

/// Fills a table. Why it cannot be filled is an error in `errors`.
fn fill_table(
    subject: Subject<'_>,
    fill: Fill,
    limits: &Limits,
    rows: &mut Rows<'_, '_>,
) -> io::Result<()> {
    let limit_before = limit(subject);
    let filled = match (fill, subject) {
        (Fill::Dump(fill), _) => fill(subject, rows),
        (Fill::Session(fill), Subject::Session(session)) => {
            session.budget().begin_question();
            fill(session, limits, rows)
        }
        (Fill::Session(_) | Fill::Errors, _) => Ok(()),
    };
    match filled {
        Ok(()) => {}
        Err(Stop::Output(why)) => return Err(why),
        Err(Stop::Unanswered(why)) => rows.failed(&why.story())?,
    }
    // Only the first is noted; of later ones, values and lists say it themselves.
    match limit(subject).filter(|_| limit_before.is_none()) {
        Some(limit) => rows.failed(&limit.to_string()),
        None => Ok(()),
    }
}

/// The limit that was reached, if any.
fn limit(subject: Subject<'_>) -> Option<Exhausted> {
    match subject {
        Subject::Session(session) => session.budget().exhausted(),
        Subject::Dump { .. } | Subject::Unreadable { .. } => None,
    }
}
