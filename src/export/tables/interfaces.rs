//! `interfaces`: the interfaces of all vnets.

use super::common::{all, each, joined, text, told};
use crate::answers::interfaces;
use crate::answers::interfaces::{Entry, Question as Which};
use crate::export::column::Kind::{Name, Text, Unsigned};
use crate::export::column::{Cell, Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::Session;
use crate::value::Limits;
use crate::views::interfaces::{COUNTERS, flag_names};
use crate::vnet::{Stack, VnetRef};

pub(super) const TABLE: Table = Table {
    name: "interfaces",
    meaning: "the interfaces on the lists of all vnets",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("vnet", Unsigned, "the vnet on whose list it is, by its number; null off the list"),
    column("vnet_address", Unsigned, "the same by its address"),
    column("name", Text, "its name: epair0b"),
    column("if_index", Unsigned, "its index in its vnet, or since 14 among all interfaces"),
    column("address", Unsigned, "the address of its struct ifnet"),
    column("driver", Name, "the driver's name for its kind: epair"),
    column("unit", Unsigned, "its number among those of the driver"),
    column("flags", Unsigned, "if_flags and if_drv_flags, as userland is shown them"),
    column("flag_names", Text, "their names, with commas"),
    column("mtu", Unsigned, "in bytes"),
    column("if_type", Unsigned, "the number of its kind: 6 is Ethernet"),
    column("link_state", Name, "up, down or unknown"),
    column("ether", Text, "the link-level address"),
    column("description", Text, "what its administrator calls it"),
    column("groups", Text, "the groups that it is in, with commas"),
    column("fib", Unsigned, "the routing table that it uses"),
    column("if_vnet", Unsigned, "the vnet that it says it is in, by its number"),
    column("if_vnet_address", Unsigned, "the same by its address"),
    column("home_vnet", Unsigned, "the vnet that it was created in, by its number"),
    column("home_vnet_address", Unsigned, "the same by its address"),
    column("counted_by", Name, "the driver's own function that is asked for the counters"),
    column("ipackets", Unsigned, "packets received"),
    column("ierrors", Unsigned, "errors when receiving"),
    column("opackets", Unsigned, "packets sent"),
    column("oerrors", Unsigned, "errors when sending"),
    column("collisions", Unsigned, "collisions"),
    column("ibytes", Unsigned, "bytes received"),
    column("obytes", Unsigned, "bytes sent"),
    column("imcasts", Unsigned, "multicast packets received"),
    column("omcasts", Unsigned, "multicast packets sent"),
    column("iqdrops", Unsigned, "received packets that were dropped"),
    column("oqdrops", Unsigned, "packets to be sent that were dropped"),
    column("noproto", Unsigned, "received packets of an unknown protocol"),
    column("problems", Text, "what is wrong with it"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let answer = interfaces(session, all(session)?, Which::default())?;
    each(rows, &answer, |rows, stack, answer| {
        answer.elements().try_for_each(|entry| add(rows, stack, entry))
    })
}

fn add(rows: &mut Rows<'_, '_>, stack: Stack<'_>, entry: &Entry) -> std::io::Result<()> {
    let it = &entry.interface;
    let number = |number: &u64| (*number).into();
    let place = || entry.title();
    let row = rows
        .row(&place)
        .vnet(stack.vnet().map(VnetRef::from))
        .read(&it.name, |name| name.to_string().into())
        .read(&it.index, number)
        .add(it.address)
        .read(&it.driver, text)
        .read(&it.unit, |unit| (*unit).into())
        .read(&it.flags, number)
        .add(it.flags.as_ref().ok().and_then(|flags| joined(",", flag_names(*flags))))
        .read(&it.mtu, number)
        .read(&it.kind, number)
        .read(&it.link_state, |_| it.link().into())
        .add(it.hardware.as_deref())
        .read(&it.description, text)
        .read(&it.groups, |groups| joined(",", groups).into())
        .read(&it.fib, number)
        .read_vnet(&entry.vnet)
        .read_vnet(&entry.home)
        .add(it.traffic.counted_by.as_deref());
    let counted = COUNTERS.iter().fold(row, |row, name| match it.traffic.get(name) {
        Some(count) => row.read(count, number),
        None => row.add(Cell::Null),
    });
    counted.add(told(&entry.call_outs)).end()
}
