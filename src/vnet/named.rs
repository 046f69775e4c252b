//! Vnets that are not on the list, read when a user names their address.

use std::sync::OnceLock;

use crate::addr::VirtAddr;
use crate::vnet::Vnet;

/// Vnets as they were asked for. Grows only, so that what was lent stays.
#[derive(Debug, Default)]
pub struct Named {
    first: OnceLock<Box<Node>>,
}

#[derive(Debug)]
struct Node {
    vnet: Vnet,
    next: OnceLock<Box<Node>>,
}

impl Named {
    /// The vnet at `address`; `read` is called if nobody asked for it before.
    pub fn at(&self, address: VirtAddr, read: impl FnOnce() -> Option<Vnet>) -> Option<&Vnet> {
        let mut slot = &self.first;
        while let Some(node) = slot.get() {
            if node.vnet.address == address {
                return Some(&node.vnet);
            }
            slot = &node.next;
        }
        let vnet = read()?;
        let node = slot.get_or_init(|| Box::new(Node { vnet, next: OnceLock::new() }));
        // Another thread may have been faster, with another vnet.
        if node.vnet.address == address { Some(&node.vnet) } else { None }
    }
}
