//! `errors`: what could not be read.

use crate::export::column::Kind::{Name, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::table::{Fill, Table};

pub(super) const TABLE: Table = Table {
    name: "errors",
    meaning: "what could not be read: the reasons why other tables have null, or lack rows",
    columns: COLUMNS,
    fill: Fill::Errors,
};

const COLUMNS: &[Column] = &[
    column("table_name", Name, "the table; null if nothing is known of the dump"),
    column("column_name", Name, "the column that has null; null if rows may be missing"),
    column("place", Text, "what the row would be about, or the list that breaks off"),
    column("kind", Name, "the kind of error, as in JSON: not-mapped, not-dumped, truncated, …"),
    column("address", Unsigned, "the kernel address that cannot be read"),
    column("why", Text, "the reason, in words"),
];
