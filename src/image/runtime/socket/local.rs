//! Local sockets: a `struct unpcb` on one of the global lists, its path and its peer
//! (`sys/kern/uipc_usrreq.c`).

use super::block::Block;
use super::options::{SocketKind, SocketOptions};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Queue, Runtime};

const AF_LOCAL: u64 = 1;

impl Runtime {
    pub(super) fn local_block(
        &mut self,
        list: &str,
        socket: Object,
        options: &SocketOptions,
    ) -> Result<Option<Block>, ImageError> {
        let block = self.kernel.malloc("unpcb", "struct unpcb")?;
        self.kernel.set_pointer(block, "unp_socket", socket.address)?;
        self.kernel.set_if_any(block, "unp_refcount", 1)?;
        let head = self.kernel.variable(list)?;
        let queue = Queue::of(&self.kernel, head.type_id, block.type_id, "unp_link")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, block.address)?;
        let mut allocations = vec![block.address];
        if let Some(path) = &options.path {
            allocations.push(self.bind_path(block, path)?);
        }
        if let Some(peer) = options.peer {
            self.connect_local(block, peer, options.kind)?;
        }
        let at = block.address;
        Ok(Some(Block { at, head: head.address, queue, info: None, cred: None, allocations }))
    }

    /// uipc_bind: a copy of the address, as long as its path.
    fn bind_path(&mut self, block: Object, path: &str) -> Result<VirtAddr, ImageError> {
        let address = self.kernel.malloc("soname", "struct sockaddr_un")?;
        let text = self.kernel.member(address, "sun_path")?;
        let room = self.kernel.types().size_of(text.type_id)?;
        if path.len() as u64 > room {
            return Err(ImageError::Refused(format!("a path has at most {room} bytes: {path}")));
        }
        self.kernel.machine_mut().write(text.address, path.as_bytes())?;
        let header = text.address.get().wrapping_sub(address.address.get());
        self.kernel.set(address, "sun_len", header.wrapping_add(path.len() as u64))?;
        self.kernel.set(address, "sun_family", AF_LOCAL)?;
        self.kernel.set_pointer(block, "unp_addr", address.address)?;
        Ok(address.address)
    }

    /// unp_connect2: the ends of a stream point to each other, datagrams go one way.
    fn connect_local(
        &mut self,
        block: Object,
        peer: Object,
        kind: SocketKind,
    ) -> Result<(), ImageError> {
        let other = VirtAddr::new(self.kernel.get(peer, "so_pcb")?);
        if other.is_null() {
            return Err(ImageError::Refused("the peer is no local socket".into()));
        }
        let other = Object { address: other, ..block };
        self.kernel.set_pointer(block, "unp_conn", other.address)?;
        if kind == SocketKind::LocalDatagram {
            let refs = self.kernel.member(other, "unp_refs")?;
            let queue = Queue::of(&self.kernel, refs.type_id, block.type_id, "unp_reflink")?;
            return queue.insert_head(self.kernel.machine_mut(), refs.address, block.address);
        }
        self.kernel.set_pointer(other, "unp_conn", block.address)
    }
}
