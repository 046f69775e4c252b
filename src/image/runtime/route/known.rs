//! What the runtime remembers of routes, and a table that it works on.

use super::options::HopOptions;
use super::radix::Tree;
use super::sockaddr::Network;
use crate::addr::VirtAddr;
use crate::image::object::Object;

/// All routes that were added.
#[derive(Debug, Default)]
pub struct Routes {
    pub all: Vec<Added>,
    pub hops: Vec<KnownHop>,
}

/// A route, and the head of its table.
#[derive(Debug)]
pub struct Added {
    pub head: VirtAddr,
    pub to: Network,
    pub entry: Object,
}

/// A routing table.
#[derive(Debug, Clone, Copy)]
pub struct Rib {
    pub head: Object,
    pub tree: Tree,
    pub masks: Tree,
    pub fib: u64,
}

/// A next hop that routes of a table may share.
#[derive(Debug)]
pub struct KnownHop {
    pub head: VirtAddr,
    pub hop: HopOptions,
    pub flags: u64,
    pub expire: u64,
    pub at: VirtAddr,
}
