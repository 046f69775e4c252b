//! Internet sockets: one control block for each (`struct inpcb`, `sys/netinet/in_pcb.h`).

use super::census::Found;
use super::context::Context;
use super::lists::PcbList;
use super::lost::lost_socket;
use super::{Kind, Socket, tcp};
use crate::addr::VirtAddr;
use crate::value::Object;
use crate::value::model::ValueError;
use crate::views::call_out::CallOut;
use crate::views::family::Family;

/// Flags in inp_vflag, a set (`sys/netinet/in_pcb.h`). A third, INP_IPV6PROTO, says that the socket
/// was opened as one of IPv6.
const INP_IPV4: u64 = 1;
const INP_IPV6: u64 = 2;

/// The socket of a control block on one of the lists of the stack.
pub fn read(context: &Context<'_, '_>, list: &PcbList<'_>, block: &Object<'_>) -> Socket {
    let mut socket = of_block(context, list.kind, block);
    match block.follow("inp_socket") {
        Ok(Some(own)) => {
            if let Err(fault) = own.probe() {
                socket.lose(block, "inp_socket", &fault.into());
            }
            context.add_socket(&mut socket, &own);
            socket.problems.extend(of_other_vnet(context, list, &own));
            let other = other_pcb(block.address, &own).filter(|_| !socket.dropped);
            socket.problems.extend(other);
        }
        // Its descriptor is closed.
        Ok(None) => socket.holders = Some(Vec::new()),
        Err(why) => socket.lose(block, "inp_socket", &why.into()),
    }
    socket
}

impl Socket {
    /// Its struct socket, where `member` of its control block leads, cannot be read.
    pub(super) fn lose(&mut self, block: &Object<'_>, member: &str, why: &ValueError) {
        self.fail(why);
        if let Ok(at) = block.pointer(member) {
            self.problems.extend(lost_socket(at, why));
        }
    }
}

/// A socket that is on no list that could be read, if it has a control block that leads back.
pub fn of_unlisted<'t>(context: &Context<'_, 't>, found: &Found<'t>) -> Option<Socket> {
    if !matches!(found.kind, Kind::Tcp | Kind::Udp | Kind::UdpLite | Kind::Raw) {
        return None;
    }
    let own = &found.socket;
    let at = own.pointer("so_pcb").ok()?.non_null()?;
    let block = Object::new(own.target(), context.block_type()?, at);
    let mut socket = match block.check_freed() {
        Ok(()) if block.pointer("inp_socket").ok()? == own.address => {
            of_block(context, found.kind, &block)
        }
        Ok(()) => return None,
        Err(fault) => unreadable(found.kind, at, fault.into()),
    };
    context.add_socket(&mut socket, own);
    Some(socket)
}

/// What a control block says.
fn of_block(context: &Context<'_, '_>, kind: Kind, block: &Object<'_>) -> Socket {
    let flags = block.uint("inp_vflag").map(|flags| flags & (INP_IPV4 | INP_IPV6));
    let version = match flags {
        Ok(INP_IPV4) => "4",
        Ok(INP_IPV6) => "6",
        Ok(0) | Err(_) => "",
        Ok(_) => "46",
    };
    let mut socket = Socket::new(kind, format!("{}{version}", kind.name()));
    socket.pcb = Some(block.address);
    socket.dropped = tcp::is_dropped(block);
    let family =
        flags.map(|flags| if flags & INP_IPV6 != 0 { Family::Inet6 } else { Family::Inet });
    socket.add_ends(context, block, "inp_inc", family);
    if kind == Kind::Tcp {
        let mut call_outs = Vec::new();
        socket.state = context.tcp.state(block, &mut call_outs).map_err(Into::into);
        socket.problems.extend(call_outs);
    }
    if kind == Kind::Raw {
        socket.ip_protocol = block.uint("inp_ip_p").ok();
    }
    socket.jail = context.jail(block, "inp_cred");
    socket
}

/// A control block on the list whose memory is freed.
pub fn freed(list: &PcbList<'_>, block: &Object<'_>) -> Socket {
    let at = block.address;
    let mut socket = match block.check_freed() {
        Ok(()) => Socket::new(list.kind, list.kind.name()),
        Err(fault) => unreadable(list.kind, at, fault.into()),
    };
    let why = format!("{} leads to a control block that is freed", list.name);
    socket.problems.push(CallOut::new("freed-pcb", at, why));
    socket
}

/// A control block that has nothing to say any more.
fn unreadable(kind: Kind, at: VirtAddr, why: ValueError) -> Socket {
    let mut socket = Socket::new(kind, kind.name());
    socket.pcb = Some(at);
    socket.local = Err(why);
    socket
}

/// A socket whose stack is not the one that has its control block.
fn of_other_vnet(
    context: &Context<'_, '_>,
    list: &PcbList<'_>,
    socket: &Object<'_>,
) -> Option<CallOut> {
    let own = context.copies.vnet()?;
    let other = socket.pointer("so_vnet").ok()?;
    (other != own.address).then(|| {
        let other =
            other.non_null().map_or("no vnet".to_owned(), |other| context.vnet_title(other));
        let why =
            format!("its control block is on the list {}, but its so_vnet is {other}", list.name);
        CallOut::new("other-vnet", socket.address, why)
    })
}

/// A socket whose control block is not the one that leads to it. NULL is one that is being
/// closed.
pub fn other_pcb(block: VirtAddr, socket: &Object<'_>) -> Option<CallOut> {
    let own = socket.pointer("so_pcb").ok()?.non_null()?;
    (own != block).then(|| {
        let why = format!("its control block at {block} leads to it, but its so_pcb is {own}");
        CallOut::new("other-pcb", socket.address, why)
    })
}
