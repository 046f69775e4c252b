//! `counters`: the per-CPU counters of all vnets, summed.

use super::common::{all, each, place};
use crate::answers::counters;
use crate::answers::counters::{Counters, Question as Which};
use crate::export::column::Kind::{Name, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::Session;
use crate::value::Limits;
use crate::vnet::{Stack, VnetRef};

pub(super) const TABLE: Table = Table {
    name: "counters",
    meaning: "the per-CPU counters of all vnets, each summed over the CPUs",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("vnet", Unsigned, "the vnet, by its number; null off the list"),
    column("vnet_address", Unsigned, "the vnet, by its address"),
    column("variable", Name, "the variable, without V_: ipstat"),
    column("counter", Name, "the member of the statistics struct, or the index: ips_total"),
    column("type", Name, "the struct that names the counters, or else the type of the variable"),
    column("file", Name, "the source file that defines the variable"),
    column("address", Unsigned, "the address of the variable in this vnet"),
    column("value", Unsigned, "the sum over all CPUs, modulo 2^64"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let which = Which { patterns: &[], types: &[], per_cpu: false };
    let answer = counters(session, all(session)?, which)?;
    each(rows, &answer, |rows, stack, list| {
        list.elements.try_for_each(|counters| add(rows, stack, counters))
    })
}

fn add(rows: &mut Rows<'_, '_>, stack: Stack<'_>, counters: &Counters) -> std::io::Result<()> {
    let vnet = stack.vnet().map(VnetRef::from);
    counters.members.iter().try_for_each(|counter| {
        rows.row(&|| place(&counters.name, &counter.name, stack))
            .vnet(vnet)
            .add(&*counters.name)
            .add(&*counter.name)
            .add(&*counters.type_name)
            .add(counters.file.as_deref())
            .add(counters.address)
            .read(&counter.value, |sum| (*sum).into())
            .end()
    })
}
