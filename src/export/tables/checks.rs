//! `checks`: what the checks of the kernel's network stacks found.

use super::common::joined;
use crate::answers::checks::Checked;
use crate::answers::{Answer, checks};
use crate::export::column::Kind::{Name, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::{Selector, Session};
use crate::value::Limits;

pub(super) const TABLE: Table = Table {
    name: "checks",
    meaning: "what the checks of the kernel's network stacks found",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("name", Name, "the name of the check"),
    column("verdict", Name, "ok, warning, fault, or unknown if the dump does not show it"),
    column(
        "vnet",
        Unsigned,
        "the vnet that it is about, by its number; null if it is about none or several",
    ),
    column("vnet_address", Unsigned, "the same by its address"),
    column("message", Text, "what was found"),
    column("addresses", Text, "the addresses that it is about, in hexadecimal, with commas"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let verdicts = checks(session, &Selector::Default, &[])?;
    rows.problems(&verdicts.problems())?;
    verdicts.findings.try_for_each(|checked| add(rows, checked))?;
    Ok(())
}

fn add(rows: &mut Rows<'_, '_>, checked: &Checked) -> std::io::Result<()> {
    rows.row(&|| checked.name.to_owned())
        .add(checked.name)
        .add(checked.verdict.name())
        .vnet(checked.vnet)
        .add(&*checked.message)
        .add(joined(",", checked.addresses.iter().map(ToString::to_string)))
        .end()
}
