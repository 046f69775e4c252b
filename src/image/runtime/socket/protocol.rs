//! so_proto: the protocol that a socket belongs to. Up to 13 the protocols of a family are an
//! array, and variables of their own since 14 (`sys/netinet/in_proto.c`,
//! `sys/kern/uipc_usrreq.c`, `sys/net/rtsock.c`).

use super::options::{SocketKind, SocketOptions};
use crate::addr::VirtAddr;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::Runtime;

const IPPROTO_TCP: u64 = 6;
const IPPROTO_UDP: u64 = 17;
const IPPROTO_UDPLITE: u64 = 136;

impl Runtime {
    /// The `struct protosw` of such a socket; `None` if the kernel has none that is known here.
    pub(super) fn protocol(&self, options: &SocketOptions) -> Result<Option<VirtAddr>, ImageError> {
        let Some((array, alone, number)) = names(options) else { return Ok(None) };
        if self.kernel.address_of(alone).is_some() {
            let found = self.kernel.variable(alone)?;
            if self.kernel.elements(found)?.is_none() {
                return Ok(Some(found.address));
            }
        }
        if self.kernel.address_of(array).is_none() {
            return Ok(None);
        }
        let array = self.kernel.variable(array)?;
        for index in 0..self.kernel.elements(array)?.unwrap_or(0) {
            let entry: Object = self.kernel.step(array, &Step::Index(index))?;
            let kind = self.kernel.get(entry, "pr_type")?;
            if kind == options.kind.so_type() && self.kernel.get(entry, "pr_protocol")? == number {
                return Ok(Some(entry.address));
            }
        }
        Ok(None)
    }
}

/// The array that has the protocol, its own variable, and its number.
fn names(options: &SocketOptions) -> Option<(&'static str, &'static str, u64)> {
    let inet6 = options.is_inet6();
    let internet =
        |number, v4, v6| Some(if inet6 { ("inet6sw", v6, number) } else { ("inetsw", v4, number) });
    match options.kind {
        SocketKind::Raw => None,
        SocketKind::Routing => Some(("routesw", "routesw", 0)),
        SocketKind::LocalStream => Some(("localsw", "streamproto", 0)),
        SocketKind::LocalDatagram => Some(("localsw", "dgramproto", 0)),
        SocketKind::LocalSeqpacket => Some(("localsw", "seqpacketproto", 0)),
        SocketKind::Tcp => internet(IPPROTO_TCP, "tcp_protosw", "tcp6_protosw"),
        SocketKind::Udp => internet(IPPROTO_UDP, "udp_protosw", "udp6_protosw"),
        SocketKind::UdpLite => internet(IPPROTO_UDPLITE, "udplite_protosw", "udp6lite_protosw"),
        SocketKind::RawIp => internet(0, "rip_protosw", "rip6_protosw"),
    }
}
