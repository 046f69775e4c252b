//! What a table is.

use std::fmt;
use std::io;

use super::column::Column;
use super::rows::Rows;
use super::subject::Subject;
use crate::error::Error;
use crate::session::Session;
use crate::value::Limits;

/// A table.
pub struct Table {
    /// Its name, which is that of its directory.
    pub name: &'static str,
    /// What its rows are.
    pub meaning: &'static str,
    /// Its columns, in order, without those of the [`Partition`](super::Partition).
    pub columns: &'static [Column],
    pub(super) fill: Fill,
}

/// What fills a table.
#[derive(Clone, Copy)]
pub(super) enum Fill {
    /// What is known of a dump, with or without its kernel.
    Dump(fn(Subject<'_>, &mut Rows<'_, '_>) -> Result<(), Stop>),
    /// What a dump with its kernel shows.
    Session(fn(&Session, &Limits, &mut Rows<'_, '_>) -> Result<(), Stop>),
    /// What the others could not read.
    Errors,
}

/// Why a table has no further rows.
pub(super) enum Stop {
    /// The dump does not answer.
    Unanswered(Box<Error>),
    /// The rows cannot be written.
    Output(io::Error),
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.name).finish()
    }
}

impl From<Error> for Stop {
    fn from(why: Error) -> Self {
        Self::Unanswered(why.into())
    }
}

impl From<io::Error> for Stop {
    fn from(why: io::Error) -> Self {
        Self::Output(why)
    }
}
