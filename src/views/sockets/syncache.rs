//! TCP connections that are half open: V_tcp_syncache (`sys/netinet/tcp_syncache.h`). Such a
//! connection has neither a control block nor a socket.

use super::context::Context;
use super::{Kind, Socket, tcp};
use crate::target::ReadError;
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::views::family::Family;
use crate::vnet::Copies;
use crate::walk::{Problem, Problems, Walk};

/// INC_ISIPV6 in inc_flags (`sys/netinet/in_pcb.h`).
const INC_ISIPV6: u64 = 1;

/// Each `struct syncache` of a stack.
pub fn entries<'t>(copies: &Copies<'t>) -> Walk<Object<'t>> {
    let name = copies.name("tcp_syncache");
    let mut problems = Problems::default();
    let mut entries = Vec::new();
    // A kernel without the variable has no types of it either.
    let Ok(Some(cache)) = copies.get("tcp_syncache") else { return Walk::whole(entries) };
    let list = List { name: &name, element: "connection" };
    let budget = copies.target().budget();
    let (first, stride, count) = match buckets(&cache) {
        Ok(Some(buckets)) => buckets,
        Ok(None) => return Walk::whole(entries),
        Err(why) => return Walk::failed(Problem::unreadable(name, why)),
    };
    for bucket in 0..count {
        if let Err(why) = budget.work(1) {
            problems.add(Problem::unreadable(name, why.into()));
            break;
        }
        let at = first.address.wrapping_add(bucket.wrapping_mul(stride));
        let bucket = Object::new(copies.target(), first.type_id, at);
        // Where one bucket's memory is missing, so are the next ones.
        if let Err(fault) = bucket.probe() {
            problems.add(Problem::unreadable(name, fault.into()));
            break;
        }
        if let Ok(head) = bucket.member("sch_bucket") {
            entries.extend(queue::walk(head, "sc_hash", list).take(&mut problems));
        }
    }
    Walk::new(entries, problems)
}

/// The first bucket, the bytes of each, and their number; `None` if there are none yet.
fn buckets<'t>(cache: &Object<'t>) -> Result<Option<(Object<'t>, u64, u64)>, ReadError> {
    let Some(first) = cache.follow("hashbase")? else { return Ok(None) };
    let stride = cache.target().types()?.size_of(first.type_id)?;
    Ok(Some((first, stride, cache.uint("hashsize")?)))
}

/// A connection that is half open.
pub fn read(context: &Context<'_, '_>, entry: &Object<'_>) -> Socket {
    let is_v6 = entry.uint("sc_inc.inc_flags").map(|flags| flags & INC_ISIPV6 != 0);
    let version = match is_v6 {
        Ok(true) => "6",
        Ok(false) => "4",
        Err(_) => "",
    };
    let mut socket = Socket::new(Kind::Tcp, format!("{}{version}", Kind::Tcp.name()));
    socket.pcb = Some(entry.address);
    socket.state = Ok(Some(tcp::SYN_RCVD.into()));
    let family = is_v6.map(|is_v6| if is_v6 { Family::Inet6 } else { Family::Inet });
    socket.add_ends(context, entry, "sc_inc", family);
    socket.jail = context.jail(entry, "sc_cred");
    socket.holders = Some(Vec::new());
    socket
}
