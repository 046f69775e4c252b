//! The protocol of a socket: its so_proto, and the domain of that (`sys/sys/protosw.h`,
//! `sys/sys/domain.h`).

use serde::Serialize;

use crate::target::ReadError;
use crate::value::Object;

/// A kind of socket, as `vnetkvm sockets` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite.
    UdpLite,
    /// Raw IP.
    Raw,
    /// Divert sockets of firewalls.
    Divert,
    /// SCTP.
    Sctp,
    /// Local sockets.
    Unix,
    /// Routing sockets.
    Route,
    /// Key management of IPsec.
    Key,
    /// Netgraph.
    Netgraph,
    /// Netlink.
    Netlink,
    /// All others.
    Other,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Tcp,
        Self::Udp,
        Self::UdpLite,
        Self::Raw,
        Self::Divert,
        Self::Sctp,
        Self::Unix,
        Self::Route,
        Self::Key,
        Self::Netgraph,
        Self::Netlink,
        Self::Other,
    ];

    /// Its name: `tcp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Raw => "raw",
            Self::Divert => "divert",
            Self::Sctp => "sctp",
            Self::Unix => "unix",
            Self::Route => "route",
            Self::Key => "key",
            Self::Netgraph => "netgraph",
            Self::Netlink => "netlink",
            Self::Other => "other",
        }
    }
}

/// Families of `sys/sys/socket.h`; pseudo_AF_KEY is PF_KEY.
const AF_LOCAL: u64 = 1;
const AF_INET: u64 = 2;
const AF_ROUTE: u64 = 17;
const AF_KEY: u64 = 27;
const AF_INET6: u64 = 28;
const AF_NETGRAPH: u64 = 32;
const AF_NETLINK: u64 = 38;
/// Since 14; before, a protocol of AF_INET.
const AF_DIVERT: u64 = 44;

/// Types of `sys/sys/socket.h`.
const SOCK_STREAM: u64 = 1;
const SOCK_DGRAM: u64 = 2;
const SOCK_RAW: u64 = 3;
const SOCK_SEQPACKET: u64 = 5;

/// IP protocols of `sys/netinet/in.h`.
const IPPROTO_TCP: u64 = 6;
const IPPROTO_UDP: u64 = 17;
const IPPROTO_SCTP: u64 = 132;
const IPPROTO_UDPLITE: u64 = 136;
const IPPROTO_DIVERT: u64 = 258;

/// The kind of a socket, and its name with the family: `tcp6`. `None` if it has no
/// protocol.
pub fn of(socket: &Object<'_>) -> Result<Option<(Kind, Box<str>)>, ReadError> {
    let Some(protocol) = socket.follow("so_proto")? else { return Ok(None) };
    let Some(domain) = protocol.follow("pr_domain")? else { return Ok(None) };
    let number = protocol.uint("pr_protocol")?;
    let so_type = protocol.uint("pr_type")?;
    Ok(Some(named(domain.uint("dom_family")?, so_type, number)))
}

/// The name of a local socket's type.
pub fn local(so_type: u64) -> Box<str> {
    match so_type {
        SOCK_STREAM => "stream".into(),
        SOCK_DGRAM => "dgram".into(),
        SOCK_SEQPACKET => "seqpac".into(),
        other => format!("unix, type {other}").into(),
    }
}

/// Whether both ends of a connection of local sockets of that type know of each other.
pub fn is_mutual(so_type: u64) -> bool {
    matches!(so_type, SOCK_STREAM | SOCK_SEQPACKET)
}

fn named(family: u64, so_type: u64, number: u64) -> (Kind, Box<str>) {
    let internet = |version: &str| {
        let kind = match (so_type, number) {
            (_, IPPROTO_TCP) => Kind::Tcp,
            (_, IPPROTO_UDP) => Kind::Udp,
            (_, IPPROTO_UDPLITE) => Kind::UdpLite,
            (_, IPPROTO_SCTP) => Kind::Sctp,
            (_, IPPROTO_DIVERT) => Kind::Divert,
            (SOCK_RAW, _) => Kind::Raw,
            _ => Kind::Other,
        };
        (kind, format!("{}{version}", kind.name()).into())
    };
    let plain = |kind: Kind| (kind, kind.name().into());
    match family {
        AF_INET => internet("4"),
        AF_INET6 => internet("6"),
        AF_LOCAL => (Kind::Unix, local(so_type)),
        AF_ROUTE => plain(Kind::Route),
        AF_KEY => plain(Kind::Key),
        AF_NETGRAPH => plain(Kind::Netgraph),
        AF_NETLINK => plain(Kind::Netlink),
        AF_DIVERT => plain(Kind::Divert),
        family => (Kind::Other, format!("family {family}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_by_family_type_and_number() {
        for (family, so_type, number, kind, name) in [
            (2, 1, 6, Kind::Tcp, "tcp4"),
            (28, 2, 17, Kind::Udp, "udp6"),
            (28, 2, 136, Kind::UdpLite, "udplite6"),
            (2, 3, 1, Kind::Raw, "raw4"),
            (2, 5, 132, Kind::Sctp, "sctp4"),
            (1, 5, 0, Kind::Unix, "seqpac"),
            (17, 3, 0, Kind::Route, "route"),
            (32, 2, 1, Kind::Netgraph, "netgraph"),
            (2, 3, 258, Kind::Divert, "divert4"),
            (44, 3, 0, Kind::Divert, "divert"),
            (99, 3, 0, Kind::Other, "family 99"),
        ] {
            assert_eq!(named(family, so_type, number), (kind, name.into()));
        }
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
