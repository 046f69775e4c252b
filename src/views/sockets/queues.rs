//! What waits in a socket: bytes in its buffers or, if it listens, connections
//! (`sys/sys/socketvar.h`, `sys/sys/sockbuf.h`).
//!
//! Since 12.0 a listening socket has no buffers: its queues lie in their place.

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::walk::Walk;

/// The connections that wait in a listening socket, as `netstat -L` shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListenQueue {
    /// Connections that wait to be accepted.
    pub complete: u64,
    /// Connections that are not complete yet.
    pub incomplete: u64,
    /// The number of connections that may wait (listen(2)).
    pub limit: u64,
}

/// SO_ACCEPTCONN in so_options (`sys/sys/socket.h`): listen(2) was called.
const SO_ACCEPTCONN: u64 = 0x2;

/// Does the socket listen?
pub fn listens(socket: &Object<'_>) -> Result<bool, ReadError> {
    Ok(socket.uint("so_options")? & SO_ACCEPTCONN != 0)
}

/// The lengths of the queues of a listening socket.
pub fn listen_queue(socket: &Object<'_>) -> Result<ListenQueue, ReadError> {
    let number = |new: &str, old: &str| socket.uint(if socket.has(new) { new } else { old });
    Ok(ListenQueue {
        complete: number("sol_qlen", "so_qlen")?,
        incomplete: number("sol_incqlen", "so_incqlen")?,
        limit: number("sol_qlimit", "so_qlimit")?,
    })
}

/// Bytes in the buffer `so_rcv` or `so_snd` of a socket that does not listen.
pub fn bytes(socket: &Object<'_>, buffer: &str) -> Result<u64, ReadError> {
    let member = if socket.has(&format!("{buffer}.sb_ccc")) { "sb_ccc" } else { "sb_cc" };
    socket.uint(&format!("{buffer}.{member}"))
}

/// The sockets in the queues of a listening socket.
pub fn waiting<'t>(socket: &Object<'t>) -> Walk<Object<'t>> {
    let name = format!("the queues of the socket at {}", socket.address);
    let list = List { name: &name, element: "socket" };
    let queues = [("sol_comp", "so_comp"), ("sol_incomp", "so_incomp")];
    Walk::whole(queues.into()).flat_map(|(new, old)| {
        let head = socket.member(new).or_else(|_| socket.member(old));
        match head {
            Ok(head) => queue::walk(head, "so_list", list),
            Err(why) => Walk::failed(list.unreadable(socket.address, why)),
        }
    })
}

/// The listening socket in whose queue a socket waits: `so_listen`, or so_head before 12.
pub fn waits_for(socket: &Object<'_>) -> Option<VirtAddr> {
    let member = if socket.has("so_listen") { "so_listen" } else { "so_head" };
    socket.pointer(member).ok()?.non_null()
}
