//! `sockets`: the sockets and connections of all vnets.

use super::common::{all, each, joined, text, told};
use crate::answers::sockets;
use crate::answers::sockets::Question as Which;
use crate::export::column::Kind::{Boolean, Name, Signed, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::Session;
use crate::value::Limits;
use crate::views::sockets::{Holder, ListenQueue, Socket};
use crate::vnet::{Stack, VnetRef};

pub(super) const TABLE: Table = Table {
    name: "sockets",
    meaning: "the sockets and connections of all vnets",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("vnet", Unsigned, "the vnet, by its number; null off the list"),
    column("vnet_address", Unsigned, "the vnet, by its address"),
    column("protocol", Name, "as netstat(1) and sockstat(1) have it: tcp4, udp46, stream"),
    column("state", Name, "of TCP: ESTABLISHED, …; of others LISTEN if they listen"),
    column("local", Text, "address and port, or the path of a local socket"),
    column("remote", Text, "the same of the other end"),
    column("recv_queue", Unsigned, "bytes that wait to be read"),
    column("send_queue", Unsigned, "bytes that wait to be sent, or to be acknowledged"),
    column("listen_complete", Unsigned, "connections that wait to be accepted"),
    column("listen_incomplete", Unsigned, "connections that are not complete yet"),
    column("listen_limit", Unsigned, "connections that may wait (listen(2))"),
    column("pcb", Unsigned, "the address of its control block"),
    column("socket", Unsigned, "the address of its struct socket"),
    column("waits_for", Unsigned, "the listening socket in whose queue it waits to be accepted"),
    column("dropped", Boolean, "whether its protocol has let go of it"),
    column("jid", Signed, "the jail of whoever created it, by its number"),
    column("jail", Text, "the same by its name"),
    column(
        "held_by",
        Text,
        "command, process and descriptor of its holders: sshd[812]:3, with commas",
    ),
    column("problems", Text, "what is wrong with it"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let answer = sockets(session, all(session)?, Which::default())?;
    each(rows, &answer, |rows, stack, answer| {
        answer.sockets.iter().try_for_each(|socket| add(rows, stack, socket))
    })
}

fn add(rows: &mut Rows<'_, '_>, stack: Stack<'_>, socket: &Socket) -> std::io::Result<()> {
    let number = |number: &Option<u64>| (*number).into();
    let queue = socket.listen_queue.as_ref().ok().and_then(Option::as_ref);
    let holders = socket.holders.iter().flatten().map(Holder::title);
    rows.row(&|| socket.title())
        .vnet(stack.vnet().map(VnetRef::from))
        .add(&*socket.protocol)
        .read(&socket.state, text)
        .read(&socket.local, text)
        .read(&socket.remote, text)
        .read(&socket.recv_queue, number)
        .read(&socket.send_queue, number)
        .read(&socket.listen_queue, |queue| queue.as_ref().map(|queue| queue.complete).into())
        .add(queue.map(|queue: &ListenQueue| queue.incomplete))
        .add(queue.map(|queue| queue.limit))
        .add(socket.pcb)
        .add(socket.socket)
        .add(socket.waits_for)
        .add(socket.dropped)
        .add(socket.jail.as_ref().map(|jail| jail.jid))
        .add(socket.jail.as_ref().map(|jail| &*jail.name))
        .add(joined(",", holders))
        .add(told(&socket.problems))
        .end()
}
