//! `variables`: the virtualized variables of all vnets, a row for each scalar in them.

use super::common::{all, each, place};
use super::scalars;
use crate::answers::variables;
use crate::answers::variables::Variable;
use crate::export::column::Kind::{Name, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::Session;
use crate::value::Limits;
use crate::vnet::{Stack, VnetRef};

pub(super) const TABLE: Table = Table {
    name: "variables",
    meaning: "the virtualized variables of all vnets: a row for each scalar, by its path",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("vnet", Unsigned, "the vnet, by its number; null off the list"),
    column("vnet_address", Unsigned, "the vnet, by its address"),
    column("name", Name, "the variable, without V_"),
    column(
        "path",
        Name,
        "the members and indexes that lead to the scalar; empty if it is the variable",
    ),
    column("type", Name, "the type of the variable; null if no file has it"),
    column("module", Name, "what defines the variable: kernel, or a module's file"),
    column("file", Name, "the source file that defines the variable"),
    column("address", Unsigned, "the address of the variable in this vnet"),
    scalars::COLUMNS[0],
    scalars::COLUMNS[1],
    scalars::COLUMNS[2],
    scalars::COLUMNS[3],
];

fn fill(session: &Session, limits: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let answer = variables(session, all(session)?, &[], limits)?;
    each(rows, &answer, |rows, stack, list| {
        list.elements.try_for_each(|variable| add(rows, stack, variable))
    })
}

fn add(rows: &mut Rows<'_, '_>, stack: Stack<'_>, variable: &Variable<'_>) -> std::io::Result<()> {
    let of = &variable.of;
    let (vnet, address) = (stack.vnet().map(VnetRef::from), variable.address());
    scalars::try_for_each(&variable.value(), &mut String::new(), &mut |path, scalar| {
        let place = || place(&of.title, path, stack);
        let row = rows
            .row(&place)
            .vnet(vnet)
            .add(&*of.variable.name)
            .add(path)
            .add(of.type_name.as_deref())
            .add(&*of.variable.module)
            .add(of.variable.file.as_deref())
            .add(address);
        scalar.add_to(row).end()
    })
}
