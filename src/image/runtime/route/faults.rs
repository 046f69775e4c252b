//! What a sound kernel does not do to its routes.

use super::known::Added;
use super::radix;
use super::sockaddr::{self, Network};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Runtime, Scope};

/// A way to break a route, or its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteFault {
    /// Its interface is freed, and nothing else learns of it.
    FreeInterface,
    /// Its next hop is freed.
    FreeNextHop,
    /// Its next hop's private part belongs to another.
    BackPointer,
    /// A child of its inner node is the top of the tree.
    Cycle,
    /// The table counts one more.
    Count,
    /// The table says that it is another stack's.
    Vnet,
}

impl Runtime {
    /// Breaks the route to `to`, or the table that it is in.
    ///
    /// # Errors
    /// There is no such route, or this kernel has nothing to break there.
    pub fn break_route(
        &mut self,
        scope: Scope,
        fib: u64,
        to: &Network,
        fault: RouteFault,
    ) -> Result<(), ImageError> {
        let rib = self.rib(scope, fib, sockaddr::family(to.address()))?;
        let is_it = |added: &&Added| added.head == rib.head.address && added.to == *to;
        let found = self.routes.all.iter().find(is_it).map(|added| added.entry);
        let entry = found.ok_or_else(|| ImageError::Refused("there is no such route".into()))?;
        match fault {
            RouteFault::FreeInterface => {
                let interface = match self.next_hop_of(entry)? {
                    Some(hop) => self.kernel.get(hop, "nh_ifp")?,
                    None => self.kernel.get(entry, "rt_ifp")?,
                };
                let ifnet = self.kernel.object(VirtAddr::new(interface), "struct ifnet")?;
                self.forget_interface(ifnet)
            }
            RouteFault::FreeNextHop => {
                let hop = self.require_hop(entry)?;
                self.kernel.machine_mut().free(hop.address)
            }
            RouteFault::BackPointer => {
                let hop = self.require_hop(entry)?;
                let private = VirtAddr::new(self.kernel.get(hop, "nh_priv")?);
                let private = self.kernel.object(private, "struct nhop_priv")?;
                self.kernel.set_pointer(private, "nh", private.address)
            }
            RouteFault::Cycle => {
                let inner = self.kernel.member(entry, "rt_nodes[1]")?;
                self.kernel.set_pointer(inner, radix::RIGHT, rib.tree.top.address)
            }
            RouteFault::Count => {
                let count = self.kernel.get(rib.head, "rnh_prefixes")?;
                self.kernel.set(rib.head, "rnh_prefixes", count + 1)
            }
            RouteFault::Vnet => self.kernel.set_pointer(rib.head, "rib_vnet", rib.head.address),
        }
    }

    fn next_hop_of(&self, entry: Object) -> Result<Option<Object>, ImageError> {
        if !self.kernel.has(entry, "rt_nhop") {
            return Ok(None);
        }
        let hop = VirtAddr::new(self.kernel.get(entry, "rt_nhop")?);
        self.kernel.object(hop, "struct nhop_object").map(Some)
    }

    fn require_hop(&self, entry: Object) -> Result<Object, ImageError> {
        let hop = self.next_hop_of(entry)?;
        hop.ok_or_else(|| ImageError::Refused("this kernel has no next hops".into()))
    }
}
