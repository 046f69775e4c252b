//! Control blocks: what a protocol has of a socket, and the list it is on.

use super::options::{SocketKind, SocketOptions};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Queue, Runtime, Scope, Vnet};

/// A control block, and the list it is on.
#[derive(Debug)]
pub(super) struct Block {
    pub at: VirtAddr,
    pub head: VirtAddr,
    pub queue: Queue,
    /// The `struct inpcbinfo` that counts it.
    pub info: Option<Object>,
    /// The credential that it holds.
    pub cred: Option<Object>,
    /// What is freed with it.
    pub allocations: Vec<VirtAddr>,
}

impl Runtime {
    pub(super) fn control_block(
        &mut self,
        socket: Object,
        cred: Object,
        vnet: Option<Vnet>,
        options: &SocketOptions,
    ) -> Result<Option<Block>, ImageError> {
        let scope = vnet.map_or(Scope::Kernel, Scope::Vnet);
        let internet = match options.kind {
            SocketKind::Raw => return Ok(None),
            SocketKind::Routing => return self.routing_block(scope, socket),
            SocketKind::LocalStream => return self.local_block("unp_shead", socket, options),
            SocketKind::LocalDatagram => return self.local_block("unp_dhead", socket, options),
            SocketKind::LocalSeqpacket => return self.local_block("unp_sphead", socket, options),
            SocketKind::Tcp => "tcbinfo",
            SocketKind::Udp => "udbinfo",
            SocketKind::UdpLite => "ulitecbinfo",
            SocketKind::RawIp => "ripcbinfo",
        };
        self.internet_block(internet, scope, socket, cred, options).map(Some)
    }

    /// Takes a control block off its list and frees it.
    pub(super) fn free_block(&mut self, block: Block) -> Result<(), ImageError> {
        self.unlink_block(&block)?;
        for allocation in block.allocations {
            self.kernel.machine_mut().free(allocation)?;
        }
        match block.cred {
            Some(cred) => self.hold_credential(cred, -1),
            None => Ok(()),
        }
    }

    pub(super) fn unlink_block(&mut self, block: &Block) -> Result<(), ImageError> {
        block.queue.remove(self.kernel.machine_mut(), block.head, block.at)?;
        if let Some(info) = block.info {
            let count = self.kernel.get(info, "ipi_count")?;
            self.kernel.set(info, "ipi_count", count.wrapping_sub(1))?;
        }
        Ok(())
    }

    /// raw_attach up to 13, rts_attach since 14: the list of the stack's routing sockets. Kernels
    /// whose types do not show it have none here.
    fn routing_block(&mut self, scope: Scope, socket: Object) -> Result<Option<Block>, ImageError> {
        let newer = || self.find(scope, "route_cb.cblist").map(|head| (head, "struct rcb"));
        let older = || self.find(scope, "rawcb_list").map(|head| (head, "struct rawcb"));
        let Ok((head, type_name)) = newer().or_else(|_| older()) else { return Ok(None) };
        let block = self.kernel.malloc("pcb", type_name)?;
        self.kernel.set_pointer(block, "rcb_socket", socket.address)?;
        let queue = Queue::of(&self.kernel, head.type_id, block.type_id, "list")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, block.address)?;
        let (at, allocations) = (block.address, vec![block.address]);
        Ok(Some(Block { at, head: head.address, queue, info: None, cred: None, allocations }))
    }
}
