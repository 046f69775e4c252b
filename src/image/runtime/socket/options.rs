//! What a socket is created with.

use std::net::SocketAddr;

use crate::image::object::Object;

/// A socket to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOptions {
    /// The kind.
    pub kind: SocketKind,
    /// For internet sockets: the address that it is bound to; `None` if it is not bound.
    pub local: Option<SocketAddr>,
    /// For internet sockets: the address that it is connected to; `None` if it is not connected.
    pub remote: Option<SocketAddr>,
    /// For TCP: the number in t_state. 1 is LISTEN, 4 ESTABLISHED.
    pub state: u64,
    /// For internet sockets: it speaks IPv6, whether or not an address says so.
    pub inet6: bool,
    /// For internet sockets that speak IPv6: they speak IPv4 too.
    pub both: bool,
    /// For raw sockets: the IP protocol.
    pub ip_protocol: u64,
    /// For sockets that listen: how many connections may wait.
    pub backlog: Option<u64>,
    /// For local sockets: they listen.
    pub listening: bool,
    /// For local sockets: the path that it is bound to.
    pub path: Option<String>,
    /// For local sockets: the one that it is connected to.
    pub peer: Option<Object>,
    /// Bytes that wait to be read.
    pub received: u64,
    /// Bytes that wait to be sent.
    pub sent: u64,
    /// A process holds it by a descriptor; otherwise, something in the kernel does.
    pub descriptor: bool,
    /// It is a connection that waits to be accepted.
    pub waits_in: Option<Waiting>,
}

/// The queue that a connection waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The socket that listens.
    pub at: Object,
    /// Whether the connection is complete.
    pub complete: bool,
}

/// The kind of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketKind {
    /// A protocol without a control block in the runtime, such as netgraph.
    Raw,
    /// A routing socket.
    Routing,
    /// A local stream socket.
    LocalStream,
    /// A local datagram socket.
    LocalDatagram,
    /// A local SOCK_SEQPACKET socket.
    LocalSeqpacket,
    /// TCP, over IPv4 or IPv6 depending on the addresses.
    Tcp,
    /// UDP, over IPv4 or IPv6 depending on the addresses.
    Udp,
    /// UDP-Lite, over IPv4 or IPv6 depending on the addresses.
    UdpLite,
    /// Raw IP.
    RawIp,
}

const SOCK_STREAM: u64 = 1;
const SOCK_DGRAM: u64 = 2;
const SOCK_RAW: u64 = 3;
const SOCK_SEQPACKET: u64 = 5;

/// TCPS_LISTEN
const LISTEN: u64 = 1;

impl SocketOptions {
    /// A socket of that kind, without addresses; of TCP, one that listens.
    pub fn new(kind: SocketKind) -> Self {
        Self {
            kind,
            local: None,
            remote: None,
            state: LISTEN,
            inet6: false,
            both: false,
            ip_protocol: 0,
            backlog: None,
            listening: false,
            path: None,
            peer: None,
            received: 0,
            sent: 0,
            descriptor: true,
            waits_in: None,
        }
    }

    /// Was listen(2) called?
    pub(super) fn listens(&self) -> bool {
        match self.kind {
            SocketKind::Tcp => self.state == LISTEN,
            kind => kind.is_local() && self.listening,
        }
    }

    /// Does it speak IPv6?
    pub(super) fn is_inet6(&self) -> bool {
        let ends = [self.local, self.remote];
        self.inet6 || self.both || ends.iter().flatten().any(SocketAddr::is_ipv6)
    }
}

impl SocketKind {
    pub(super) fn so_type(self) -> u64 {
        match self {
            Self::LocalStream | Self::Tcp => SOCK_STREAM,
            Self::LocalDatagram | Self::Udp | Self::UdpLite => SOCK_DGRAM,
            Self::LocalSeqpacket => SOCK_SEQPACKET,
            Self::Raw | Self::Routing | Self::RawIp => SOCK_RAW,
        }
    }

    fn is_local(self) -> bool {
        matches!(self, Self::LocalStream | Self::LocalDatagram | Self::LocalSeqpacket)
    }
}
