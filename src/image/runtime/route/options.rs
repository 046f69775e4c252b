//! What a route is made of.

use std::net::IpAddr;

use super::sockaddr::Network;
use crate::image::object::Object;
use crate::image::runtime::Scope;

/// A route to add.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteOptions {
    /// The stack, and its FIB.
    pub scope: Scope,
    /// The number of the FIB.
    pub fib: u64,
    /// What it is to.
    pub to: Network,
    /// Where it leads: one next hop, or several if the kernel has groups of them.
    pub hops: Vec<HopOptions>,
    /// RTF_ flags beside RTF_UP, RTF_HOST and RTF_GATEWAY.
    pub flags: u64,
    /// When it expires, in seconds of uptime; 0 is never.
    pub expire: u64,
}

/// A way to leave.
#[derive(Debug, Clone, PartialEq)]
pub struct HopOptions {
    /// Who takes the packets; `None` is no gateway at all.
    pub gateway: Option<Gateway>,
    /// The interface that they leave by.
    pub interface: Object,
    /// The MTU, if it is not the interface's.
    pub mtu: Option<u64>,
    /// Its weight.
    pub weight: u64,
}

/// Who takes the packets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gateway {
    /// A router.
    Address(IpAddr),
    /// The network that an interface is on.
    Link(Object),
}

impl HopOptions {
    /// A way by `interface`.
    pub fn new(gateway: Gateway, interface: Object) -> Self {
        Self { gateway: Some(gateway), interface, mtu: None, weight: 1 }
    }
}

/// RTF_UP
pub const UP: u64 = 0x1;
/// RTF_GATEWAY
pub const GATEWAY: u64 = 0x2;
/// RTF_HOST
pub const HOST: u64 = 0x4;
/// RTF_STATIC
pub const STATIC: u64 = 0x800;
/// RTF_PINNED: it belongs to an interface's address.
pub const PINNED: u64 = 0x10_0000;
/// RTF_LOCAL
pub const LOCAL: u64 = 0x20_0000;
