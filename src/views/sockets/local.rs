//! Local sockets (`struct unpcb`, `sys/sys/unpcb.h`, `sys/sys/un.h`).

use super::context::Context;
use super::{Kind, Socket, internet, protocol};
use crate::target::ReadError;
use crate::value::Object;
use crate::value::model::ValueError;
use crate::views::call_out::CallOut;

/// The local socket `own` of a control block.
pub fn read(context: &Context<'_, '_>, block: &Object<'_>, own: &Object<'_>) -> Socket {
    let protocol = own.uint("so_type").map_or_else(|_| "unix".into(), protocol::local);
    let mut socket = Socket::new(Kind::Unix, protocol);
    socket.pcb = Some(block.address);
    socket.local = path(block).map_err(Into::into);
    match block.follow("unp_conn") {
        Ok(Some(peer)) => {
            socket.peer = Some(peer.address);
            socket.remote = path(&peer).map_err(Into::into);
            socket.problems.extend(other_peer(block, own, &peer));
        }
        Ok(None) => {}
        Err(why) => {
            socket.remote = Err(why.into());
            socket.problems.extend(freed_peer(block));
        }
    }
    context.add_socket(&mut socket, own);
    socket.problems.extend(internet::other_pcb(block.address, own));
    socket
}

/// The path that a socket is bound to; `None` if it has no name. The path ends where sun_len says,
/// and need not have a NUL.
fn path(block: &Object<'_>) -> Result<Option<Box<str>>, ReadError> {
    let Some(address) = block.follow("unp_addr")? else { return Ok(None) };
    let start = address.member("sun_path")?.address;
    let header = start.get().wrapping_sub(address.address.get());
    let len = address.uint("sun_len")?.saturating_sub(header);
    let bytes =
        address.target().memory().c_string(start, usize::try_from(len.min(255)).unwrap_or(0))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into()))
}

/// A connection whose other end is freed.
fn freed_peer(block: &Object<'_>) -> Option<CallOut> {
    let peer = block.follow_anywhere("unp_conn").ok()??;
    peer.check_freed().err()?;
    let why = format!("it is connected to a control block that is freed, at {}", peer.address);
    Some(CallOut::new("freed-peer", block.address, why))
}

/// A connection whose other end is connected to another. Datagrams go one way only. NULL is one
/// that is being closed.
fn other_peer(block: &Object<'_>, own: &Object<'_>, peer: &Object<'_>) -> Option<CallOut> {
    if !protocol::is_mutual(own.uint("so_type").ok()?) {
        return None;
    }
    let at = peer.address;
    let back = match peer.pointer("unp_conn").map_err(ValueError::from) {
        Ok(back) => back.non_null().filter(|back| *back != block.address)?,
        Err(why) if why.kind.is_damage() => {
            let why = format!("no control block is at {at}, where it is connected to");
            return Some(CallOut::new("wild-peer", block.address, why));
        }
        Err(_) => return None,
    };
    let why = format!("the control block at {at} that it is connected to is connected to {back}");
    Some(CallOut::new("other-peer", block.address, why))
}
