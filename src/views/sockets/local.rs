//! Local sockets (`struct unpcb`, `sys/sys/unpcb.h`, `sys/sys/un.h`).

use super::context::Context;
use super::{Kind, Socket, internet, protocol};
use crate::target::ReadError;
use crate::value::Object;

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
        }
        Ok(None) => {}
        Err(why) => socket.remote = Err(why.into()),
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
