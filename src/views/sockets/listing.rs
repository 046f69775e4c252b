//! The sockets of one network stack, one after the other.

use super::census::Found;
use super::context::Context;
use super::{Census, Kind, Socket, internet, local, protocol, syncache};
use crate::addr::VirtAddr;
use crate::views::jails::Jails;
use crate::vnet::Copies;
use crate::walk::Problems;

/// The sockets of the stack of `copies`, by protocol in the order of the kernel's lists. What
/// cannot be read is added to `problems`, unless the census has it.
pub fn sockets<'t>(
    census: &Census<'t>,
    copies: Copies<'t>,
    jails: Option<&'t Jails>,
    problems: &mut Problems,
) -> Vec<Socket> {
    let context = Context::new(census, copies, jails);
    let vnet = context.copies.vnet().map(|vnet| vnet.address);
    let mut all = Vec::new();
    let mut unlisted: Vec<_> =
        census.unlisted(vnet).map(|found| unlisted(&context, found)).collect();
    for list in census.pcbs(vnet) {
        all.extend(list.blocks.iter().map(|block| internet::read(&context, list, block)));
        for block in &list.freed {
            let freed = internet::freed(list, block);
            // Its socket may lead to it too.
            match unlisted.iter_mut().find(|socket| socket.pcb == Some(block.address)) {
                Some(socket) => socket.problems.extend(freed.problems),
                None => all.push(freed),
            }
        }
        if list.kind == Kind::Tcp {
            let half_open = syncache::entries(&context.copies).take(problems);
            all.extend(half_open.iter().map(|entry| syncache::read(&context, entry)));
        }
    }
    let local = census.local(vnet).iter();
    all.extend(local.map(|(block, own)| local::read(&context, block, own)));
    all.append(&mut unlisted);
    all
}

/// A socket that is on no list, as far as the lists could be read.
fn unlisted<'t>(context: &Context<'_, 't>, found: &Found<'t>) -> Socket {
    let own = &found.socket;
    if let Some(socket) = internet::of_unlisted(context, found) {
        return socket;
    }
    let name = protocol::of(own).ok().flatten().map(|(_, name)| name);
    let mut socket = Socket::new(found.kind, name.unwrap_or_else(|| found.kind.name().into()));
    socket.pcb = own.pointer("so_pcb").ok().and_then(VirtAddr::non_null);
    context.add_socket(&mut socket, own);
    socket
}
