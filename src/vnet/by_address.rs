//! Vnets that are not on the list, read when a user names their address.

use std::sync::OnceLock;

use crate::addr::VirtAddr;
use crate::vnet::Vnet;

/// Vnets that were asked for. It only grows, so that references stay valid.
#[derive(Debug, Default)]
pub struct VnetsByAddress {
    first: OnceLock<Box<Node>>,
}

#[derive(Debug)]
struct Node {
    vnet: Vnet,
    next: OnceLock<Box<Node>>,
}

impl VnetsByAddress {
    /// The vnet at `address`; `read` is called if nobody asked for it before.
    pub fn at(&self, address: VirtAddr, read: impl FnOnce() -> Option<Vnet>) -> Option<&Vnet> {
        let mut slot = &self.first;
        while let Some(node) = slot.get() {
            if node.vnet.address == address {
                return Some(&node.vnet);
            }
            slot = &node.next;
        }
        let mut node = Box::new(Node { vnet: read()?, next: OnceLock::new() });
        // Another thread may be faster, with the same vnet or another one. Then the next
        // slot is tried.
        loop {
            let Err(kept) = slot.set(node) else { return Some(&slot.get()?.vnet) };
            let faster = slot.get()?;
            if faster.vnet.address == address {
                return Some(&faster.vnet);
            }
            (node, slot) = (kept, &faster.next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn vnet(address: u64) -> Vnet {
        Vnet {
            index: None,
            address: VirtAddr::new(address),
            default: false,
            magic: 0,
            state: None,
            shutdown: None,
            ifcnt: None,
            sockcnt: None,
            data_mem: VirtAddr::default(),
            data_base: VirtAddr::default(),
            filled: false,
            condition: None,
            found_by: Vec::new(),
            jails: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn threads_that_ask_at_once_are_all_answered() {
        const THREADS: u64 = 8;
        let (named, barrier) = (VnetsByAddress::default(), Barrier::new(THREADS as usize));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (named, barrier) = (&named, &barrier);
                scope.spawn(move || {
                    // Two threads each ask for the same vnet.
                    let address = thread / 2;
                    let found = named.at(VirtAddr::new(address), || {
                        barrier.wait();
                        Some(vnet(address))
                    });
                    assert_eq!(found.unwrap().address, VirtAddr::new(address));
                });
            }
        });
        let again = named.at(VirtAddr::new(3), || None);
        assert!(again.is_some(), "what was read once is kept");
    }
}
