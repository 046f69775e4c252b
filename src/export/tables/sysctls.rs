//! `sysctls`: the sysctls of all vnets and of none, a row for each scalar in a value.

use super::scalars;
use crate::answers::sysctls::{Show, SysctlValue};
use crate::answers::{Answer, sysctls};
use crate::export::column::Kind::{Boolean, Name, Text, Unsigned};
use crate::export::column::{Cell, Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::{Selector, Session};
use crate::value::Limits;
use crate::vnet::VnetRef;

use scalars::Scalar;

pub(super) const TABLE: Table = Table {
    name: "sysctls",
    meaning: "what sysctl(8) would have printed in each vnet, and once what belongs to none",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column(
        "vnet",
        Unsigned,
        "the vnet, by its number; null off the list, and for what belongs to none",
    ),
    column("vnet_address", Unsigned, "the vnet, by its address; null for what belongs to none"),
    column("name", Name, "the sysctl: net.inet.ip.ttl"),
    column(
        "path",
        Text,
        "the members and indexes that lead to the scalar; empty if it is the value",
    ),
    column("type", Name, "the type of the sysctl"),
    column("address", Unsigned, "the address of the value; null if it is not in one place"),
    column("handler", Name, "the kernel's function that reads it"),
    column("behind_handler", Boolean, "whether the function may answer something else"),
    scalars::COLUMNS[0],
    scalars::COLUMNS[1],
    scalars::COLUMNS[2],
    scalars::COLUMNS[3],
];

fn fill(session: &Session, limits: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let answer = sysctls(session, &Selector::All, &[], Show::default(), limits)?;
    rows.problems(&answer.problems())?;
    for (_, list) in answer.each_once() {
        list.elements.try_for_each(|sysctl| add(rows, sysctl))?;
    }
    Ok(())
}

fn add(rows: &mut Rows<'_, '_>, sysctl: &SysctlValue) -> std::io::Result<()> {
    let mut row = |path: &str, scalar: Option<Scalar<'_>>| {
        let of_vnet = |vnet: VnetRef| format!(" of vnet {vnet}");
        let place =
            || format!("{}{}", sysctl.oid.name, sysctl.vnet.map_or_else(String::new, of_vnet));
        let row = rows
            .row(&place)
            .vnet(sysctl.vnet)
            .add(&*sysctl.oid.name)
            .add(path.to_owned())
            .add(sysctl.oid.kind.name())
            .add(sysctl.sysctl.address)
            .add(sysctl.oid.handler.as_ref().map(ToString::to_string))
            .add(sysctl.sysctl.behind_handler);
        match scalar {
            Some(scalar) => scalar.add_to(row),
            None => row.add_all([const { Cell::Null }; scalars::COLUMNS.len()]),
        }
        .end()
    };
    match &sysctl.sysctl.value {
        Some(value) => {
            let mut each = |path: &str, scalar: Scalar<'_>| row(path, Some(scalar));
            scalars::try_for_each(value, &mut String::new(), &mut each)
        }
        // Only the handler knows it.
        None => row("", None),
    }
}
