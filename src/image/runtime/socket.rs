//! Sockets: `struct socket`, the stack of each, and its control block.
//!
//! `sys/kern/uipc_socket.c`: soalloc counts a socket in `vnet_sockcnt` of its creator's stack
//! and stores the stack in so_vnet. sodealloc decrements the count. A stack cannot be destroyed
//! while it has sockets. Local sockets are on global lists by kind (`sys/kern/uipc_usrreq.c`).
//! Those of TCP and UDP are on the list of their protocol's `struct inpcbinfo` in the stack
//! (`sys/netinet/in_pcb.c`).

use std::net::SocketAddr;

use super::{Queue, Runtime, Scope, Vnet};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::ipv6_zone;
use crate::image::object::Object;

/// A socket to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOptions {
    /// The kind.
    pub kind: SocketKind,
    /// For TCP and UDP: the address that it is bound to; `None` if it is not bound.
    pub local: Option<SocketAddr>,
    /// For TCP and UDP: the address that it is connected to; `None` if it is not connected.
    pub remote: Option<SocketAddr>,
    /// For TCP: the number in t_state. 1 is LISTEN, 4 ESTABLISHED.
    pub state: u64,
}

/// The kind of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketKind {
    /// A protocol without a control block in the runtime: routing, raw, netgraph.
    Raw,
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
}

#[derive(Debug)]
pub(super) struct Socket {
    socket: Object,
    vnet: Option<Vnet>,
    block: Option<Block>,
}

/// A control block, and the list it is on.
#[derive(Debug)]
struct Block {
    at: VirtAddr,
    head: VirtAddr,
    queue: Queue,
    /// The `struct inpcbinfo` that counts it.
    info: Option<Object>,
    /// What is freed with it.
    allocations: Vec<VirtAddr>,
}

const SOCK_STREAM: u64 = 1;
const SOCK_DGRAM: u64 = 2;
const SOCK_RAW: u64 = 3;
const SOCK_SEQPACKET: u64 = 5;

const INP_IPV4: u64 = 1;
const INP_IPV6: u64 = 2;

impl Runtime {
    /// socreate by `thread`, in the stack of its credential.
    ///
    /// # Errors
    /// The kernel lacks a type, or the thread's jail has no stack yet.
    pub fn socreate(
        &mut self,
        thread: Object,
        options: &SocketOptions,
    ) -> Result<Object, ImageError> {
        let vnet = self.td_to_vnet(thread)?;
        if vnet.is_none() && self.vnets.is_some() {
            return Err(ImageError::Refused("the thread's jail has no stack yet".into()));
        }
        let socket = self.kernel.malloc("socket", "struct socket")?;
        let so_type = match options.kind {
            SocketKind::LocalStream | SocketKind::Tcp => SOCK_STREAM,
            SocketKind::LocalDatagram | SocketKind::Udp => SOCK_DGRAM,
            SocketKind::LocalSeqpacket => SOCK_SEQPACKET,
            SocketKind::Raw => SOCK_RAW,
        };
        self.kernel.set(socket, "so_type", so_type)?;
        self.kernel.set_if_any(socket, "so_count", 1)?;
        let cred = self.kernel.get(thread, "td_ucred")?;
        self.kernel.set_if_any(socket, "so_cred", cred)?;
        if let Some(vnet) = vnet {
            self.kernel.set_pointer(socket, "so_vnet", vnet.0)?;
            self.count_socket(vnet, 1)?;
        }
        let block = self.control_block(socket, cred, vnet, options)?;
        if let Some(block) = &block {
            self.kernel.set_pointer(socket, "so_pcb", block.at)?;
        }
        self.sockets.push(Socket { socket, vnet, block });
        Ok(socket)
    }

    /// soclose of the last reference: removes it from its list, decrements the count, and frees it.
    ///
    /// # Errors
    /// It is not a live socket.
    pub fn soclose(&mut self, socket: Object) -> Result<(), ImageError> {
        let place = self.sockets.iter().position(|known| known.socket == socket);
        let place = place.ok_or(ImageError::BadFree(socket.address))?;
        let known = self.sockets.remove(place);
        if let Some(block) = known.block {
            block.queue.remove(self.kernel.machine_mut(), block.head, block.at)?;
            for allocation in block.allocations {
                self.kernel.machine_mut().free(allocation)?;
            }
            if let Some(info) = block.info {
                let count = self.kernel.get(info, "ipi_count")?;
                self.kernel.set(info, "ipi_count", count.wrapping_sub(1))?;
            }
        }
        if let Some(vnet) = known.vnet {
            self.count_socket(vnet, -1)?;
        }
        self.kernel.machine_mut().free(socket.address)
    }

    fn count_socket(&mut self, vnet: Vnet, by: i64) -> Result<(), ImageError> {
        let object = self.vnet_object(vnet)?;
        let count = self.kernel.get(object, "vnet_sockcnt")?;
        self.kernel.set(object, "vnet_sockcnt", count.wrapping_add_signed(by))
    }

    fn control_block(
        &mut self,
        socket: Object,
        cred: u64,
        vnet: Option<Vnet>,
        options: &SocketOptions,
    ) -> Result<Option<Block>, ImageError> {
        let scope = vnet.map_or(Scope::Kernel, Scope::Vnet);
        match options.kind {
            SocketKind::Raw => Ok(None),
            SocketKind::LocalStream => self.local_block("unp_shead", socket).map(Some),
            SocketKind::LocalDatagram => self.local_block("unp_dhead", socket).map(Some),
            SocketKind::LocalSeqpacket => self.local_block("unp_sphead", socket).map(Some),
            SocketKind::Tcp => {
                self.internet_block("tcbinfo", scope, socket, cred, options).map(Some)
            }
            SocketKind::Udp => {
                self.internet_block("udbinfo", scope, socket, cred, options).map(Some)
            }
        }
    }

    /// A `struct unpcb` on one of the global lists.
    fn local_block(&mut self, list: &str, socket: Object) -> Result<Block, ImageError> {
        let block = self.kernel.malloc("unpcb", "struct unpcb")?;
        self.kernel.set_pointer(block, "unp_socket", socket.address)?;
        self.kernel.set_if_any(block, "unp_refcount", 1)?;
        let head = self.kernel.variable(list)?;
        let queue = Queue::of(&self.kernel, head.type_id, block.type_id, "unp_link")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, block.address)?;
        let (at, allocations) = (block.address, vec![block.address]);
        Ok(Block { at, head: head.address, queue, info: None, allocations })
    }

    /// A `struct inpcb` on the list of its protocol's sockets in the stack.
    fn internet_block(
        &mut self,
        info: &str,
        scope: Scope,
        socket: Object,
        cred: u64,
        options: &SocketOptions,
    ) -> Result<Block, ImageError> {
        let info = self.find(scope, info)?;
        let head = self.pcb_list(info)?;
        let (block, allocations) = self.new_inpcb(options)?;
        self.kernel.set_pointer(block, "inp_socket", socket.address)?;
        self.kernel.set_pointer(block, "inp_pcbinfo", info.address)?;
        self.kernel.set_if_any(block, "inp_cred", cred)?;
        let queue = Queue::of(&self.kernel, head.type_id, block.type_id, "inp_list")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, block.address)?;
        let count = self.kernel.get(info, "ipi_count")?;
        self.kernel.set(info, "ipi_count", count.wrapping_add(1))?;
        let at = block.address;
        Ok(Block { at, head: head.address, queue, info: Some(info), allocations })
    }

    /// ipi_listhead: the head itself since 14. Before that, a pointer to a separate variable, which
    /// tcp_init sets.
    fn pcb_list(&mut self, info: Object) -> Result<Object, ImageError> {
        let head = self.kernel.member(info, "ipi_listhead")?;
        if self.kernel.types().pointee(head.type_id).is_err() {
            return Ok(head);
        }
        let type_id = self.kernel.types().pointee(head.type_id)?;
        let mut at = VirtAddr::new(self.kernel.load_uint(head)?);
        if at.is_null() {
            let size = self.kernel.types().size_of(type_id)?;
            at = self.kernel.machine_mut().malloc("pcb", size)?;
            self.kernel.store(head, at.get())?;
        }
        Ok(Object::new(at, type_id))
    }

    /// The inpcb with its addresses, and what was allocated for it. For TCP there is a tcpcb, which
    /// since 14 contains the inpcb.
    fn new_inpcb(
        &mut self,
        options: &SocketOptions,
    ) -> Result<(Object, Vec<VirtAddr>), ImageError> {
        let (block, allocations) = match options.kind {
            SocketKind::Tcp => self.new_tcpcb(options.state)?,
            _ => {
                let block = self.kernel.malloc("inpcb", "struct inpcb")?;
                (block, vec![block.address])
            }
        };
        let ends = [("l", options.local), ("f", options.remote)];
        let is_v6 = ends.iter().any(|(_, end)| end.is_some_and(|end| end.is_ipv6()));
        self.kernel.set(block, "inp_vflag", if is_v6 { INP_IPV6 } else { INP_IPV4 })?;
        for (end, address) in ends {
            let Some(address) = address else { continue };
            let port = self.kernel.member(block, &format!("inp_inc.inc_ie.ie_{end}port"))?;
            self.kernel.machine_mut().write(port.address, &address.port().to_be_bytes())?;
            let octets = match address {
                SocketAddr::V4(v4) => v4.ip().octets().to_vec(),
                SocketAddr::V6(v6) => {
                    let kept = ipv6_zone::in_kernel(v6).filter(|(_, zone)| *zone == 0);
                    let why = || format!("{v6} has a zone that an inpcb has no room for");
                    kept.ok_or_else(|| ImageError::Refused(why()))?.0.to_vec()
                }
            };
            // An IPv4 address is at the end of the space for an IPv6 one (in_addr_4in6).
            let room = self.kernel.member(block, &format!("inp_inc.inc_ie.ie_depend{end}addr"))?;
            let size = self.kernel.types().size_of(room.type_id)?;
            let at = room.address.wrapping_add(size.saturating_sub(octets.len() as u64));
            self.kernel.machine_mut().write(at, &octets)?;
        }
        Ok((block, allocations))
    }

    fn new_tcpcb(&mut self, state: u64) -> Result<(Object, Vec<VirtAddr>), ImageError> {
        let control = self.kernel.malloc("tcpcb", "struct tcpcb")?;
        self.kernel.set(control, "t_state", state)?;
        let own = self.kernel.member(control, "t_inpcb")?;
        if self.kernel.types().pointee(own.type_id).is_err() {
            return Ok((own, vec![control.address]));
        }
        let block = self.kernel.malloc("inpcb", "struct inpcb")?;
        self.kernel.set_pointer(block, "inp_ppcb", control.address)?;
        self.kernel.store(own, block.address.get())?;
        Ok((block, vec![block.address, control.address]))
    }
}
