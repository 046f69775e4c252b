//! `addresses`: the IP addresses of the interfaces of all vnets.

use super::common::{all, each, joined};
use crate::answers::interfaces;
use crate::answers::interfaces::{Address, Entry, Question as Which};
use crate::export::column::Kind::{Name, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::Session;
use crate::value::Limits;
use crate::vnet::{Stack, VnetRef};

pub(super) const TABLE: Table = Table {
    name: "addresses",
    meaning: "the IP addresses of the interfaces of all vnets",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("vnet", Unsigned, "the vnet, by its number; null off the list"),
    column("vnet_address", Unsigned, "the vnet, by its address"),
    column("interface", Text, "the name of the interface"),
    column("interface_address", Unsigned, "the address of its struct ifnet"),
    column("family", Name, "inet or inet6"),
    column("address", Text, "the IP address, without zone and prefix"),
    column("prefix", Unsigned, "the length of the prefix; null if the mask has holes"),
    column("zone", Text, "the interface of a link-local address"),
    column("peer", Text, "the other end of a point-to-point link"),
    column("broadcast", Text, "the address of all hosts of the network"),
    column("flags", Text, "tentative, deprecated, …, with commas"),
    column("vhid", Unsigned, "the virtual host that it belongs to (carp)"),
    column("ifaddr", Unsigned, "the address of its struct ifaddr"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let answer = interfaces(session, all(session)?, Which::default())?;
    each(rows, &answer, |rows, stack, answer| {
        answer.elements().try_for_each(|entry| {
            entry.addresses.iter().try_for_each(|address| add(rows, stack, entry, address))
        })
    })
}

fn add(
    rows: &mut Rows<'_, '_>,
    stack: Stack<'_>,
    entry: &Entry,
    address: &Address,
) -> std::io::Result<()> {
    rows.row(&|| format!("{} of {}", address.text, entry.title()))
        .vnet(stack.vnet().map(VnetRef::from))
        // An error of the name is one of the table `interfaces`.
        .add(entry.interface.name.as_deref().ok())
        .add(entry.interface.address)
        .add(address.family)
        .add(&*address.address)
        .add(address.prefix.map(u64::from))
        .add(address.zone.as_deref())
        .add(address.peer.as_deref())
        .add(address.broadcast.as_deref())
        .add(joined(",", &address.flags))
        .add(address.vhid)
        .add(address.ifaddr)
        .end()
}
