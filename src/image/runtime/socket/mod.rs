//! Sockets: `struct socket`, the stack of each, its control block, its descriptor, and the
//! queues of those that listen.
//!
//! `sys/kern/uipc_socket.c`: soalloc counts a socket in `vnet_sockcnt` of its creator's stack
//! and stores the stack in so_vnet. sodealloc decrements the count. A stack cannot be destroyed
//! while it has sockets. Local sockets are on global lists by kind (`sys/kern/uipc_usrreq.c`).
//! Those of TCP, UDP, UDP-Lite and raw IP are on the list of their protocol's `struct inpcbinfo`
//! in the stack (`sys/netinet/in_pcb.c`), and routing sockets on another list of it.

mod block;
mod damage;
mod descriptor;
mod half_open;
mod internet;
mod local;
mod options;
mod protocol;
mod time_wait;

use super::{Queue, Runtime, Vnet};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

pub use damage::SocketDamage;
pub use half_open::HalfOpen;
pub use options::{SocketKind, SocketOptions, Waiting};

use block::Block;
use descriptor::Descriptor;

#[derive(Debug)]
pub(super) struct Socket {
    socket: Object,
    vnet: Option<Vnet>,
    cred: Object,
    block: Option<Block>,
    descriptor: Option<Descriptor>,
    /// The socket in whose queue it waits, and whether its connection is complete.
    waits: Option<(Object, bool)>,
}

/// SO_ACCEPTCONN in so_options.
const SO_ACCEPTCONN: u64 = 0x2;

impl Runtime {
    /// socket(2) by `thread`, in the stack of its credential; or, if it waits in a queue, what
    /// the stack does when a connection arrives.
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
        let cred = self.credential(thread, "td_ucred")?;
        let socket = self.soalloc(cred, vnet, options)?;
        let block = self.control_block(socket, cred, vnet, options)?;
        if let Some(block) = &block {
            self.kernel.set_pointer(socket, "so_pcb", block.at)?;
        }
        if options.listens() {
            self.solisten(socket, options.backlog.unwrap_or(DEFAULT_BACKLOG))?;
        } else {
            self.fill_buffers(socket, options)?;
        }
        if let Some(waiting) = options.waits_in {
            self.enqueue(socket, waiting)?;
        }
        let descriptor = match options.descriptor && options.waits_in.is_none() {
            true => self.open_descriptor(thread, socket, cred)?,
            false => None,
        };
        let waits = options.waits_in.map(|waiting| (waiting.at, waiting.complete));
        self.sockets.push(Socket { socket, vnet, cred, block, descriptor, waits });
        Ok(socket)
    }

    /// close(2) of the last descriptor and soclose: removes it from its lists, decrements the
    /// count, and frees it.
    ///
    /// # Errors
    /// It is not a live socket.
    pub fn soclose(&mut self, socket: Object) -> Result<(), ImageError> {
        let mut known = self.forget_socket(socket)?;
        self.close_descriptor(known.descriptor.take())?;
        self.dequeue(&known)?;
        if let Some(block) = known.block {
            self.free_block(block)?;
        }
        self.sodealloc(known.socket, known.vnet, known.cred)
    }

    /// The reference count of a credential, which a socket and its control block hold.
    fn hold_credential(&mut self, cred: Object, by: i64) -> Result<(), ImageError> {
        if by > 0 { self.crhold(cred) } else { self.crfree(cred) }
    }

    fn soalloc(
        &mut self,
        cred: Object,
        vnet: Option<Vnet>,
        options: &SocketOptions,
    ) -> Result<Object, ImageError> {
        let socket = self.kernel.malloc("socket", "struct socket")?;
        self.kernel.set(socket, "so_type", options.kind.so_type())?;
        self.kernel.set_if_any(socket, "so_count", 1)?;
        self.kernel.set_if_any(socket, "so_cred", cred.address.get())?;
        self.hold_credential(cred, 1)?;
        if let Some(protocol) = self.protocol(options)? {
            self.kernel.set_pointer(socket, "so_proto", protocol)?;
        }
        if let Some(vnet) = vnet {
            self.kernel.set_pointer(socket, "so_vnet", vnet.0)?;
            self.count_socket(vnet, 1)?;
        }
        Ok(socket)
    }

    fn sodealloc(
        &mut self,
        socket: Object,
        vnet: Option<Vnet>,
        cred: Object,
    ) -> Result<(), ImageError> {
        if let Some(vnet) = vnet {
            self.count_socket(vnet, -1)?;
        }
        self.hold_credential(cred, -1)?;
        self.kernel.machine_mut().free(socket.address)
    }

    fn count_socket(&mut self, vnet: Vnet, by: i64) -> Result<(), ImageError> {
        let object = self.vnet_object(vnet)?;
        let count = self.kernel.get(object, "vnet_sockcnt")?;
        self.kernel.set(object, "vnet_sockcnt", count.wrapping_add_signed(by))
    }

    fn forget_socket(&mut self, socket: Object) -> Result<Socket, ImageError> {
        let place = self.sockets.iter().position(|known| known.socket == socket);
        let place = place.ok_or(ImageError::BadFree(socket.address))?;
        Ok(self.sockets.remove(place))
    }

    fn known_socket(&mut self, socket: Object) -> Result<&mut Socket, ImageError> {
        let found = self.sockets.iter_mut().find(|known| known.socket == socket);
        found.ok_or(ImageError::BadFree(socket.address))
    }

    /// solisten_proto: the queues take the place of the buffers, since 12.0.
    fn solisten(&mut self, socket: Object, backlog: u64) -> Result<(), ImageError> {
        let options = self.kernel.get(socket, "so_options")?;
        self.kernel.set(socket, "so_options", options | SO_ACCEPTCONN)?;
        if !self.kernel.has(socket, "sol_qlimit") {
            return Ok(());
        }
        for head in ["sol_incomp", "sol_comp"] {
            let (head, queue) = self.accept_queue(socket, head)?;
            queue.init(self.kernel.machine_mut(), head)?;
        }
        self.kernel.set(socket, "sol_qlimit", backlog)
    }

    /// Bytes that wait in the buffers.
    fn fill_buffers(&mut self, socket: Object, options: &SocketOptions) -> Result<(), ImageError> {
        for (buffer, bytes) in [("so_rcv", options.received), ("so_snd", options.sent)] {
            for member in ["sb_acc", "sb_ccc"] {
                self.kernel.set(socket, &format!("{buffer}.{member}"), bytes)?;
            }
            self.kernel.set(socket, &format!("{buffer}.sb_hiwat"), BUFFER_SIZE)?;
        }
        Ok(())
    }

    /// sonewconn: appends a connection to a queue of a socket that listens.
    fn enqueue(&mut self, socket: Object, waiting: Waiting) -> Result<(), ImageError> {
        let listens = self.kernel.get(waiting.at, "so_options")? & SO_ACCEPTCONN != 0;
        if !listens || !self.kernel.has(socket, "sol_qlimit") {
            return Err(ImageError::Refused("a socket waits only in one that listens".into()));
        }
        let (head, length, state) = queue_names(waiting.complete);
        let (head, queue) = self.accept_queue(waiting.at, head)?;
        queue.insert_tail(self.kernel.machine_mut(), head, socket.address)?;
        let count = self.kernel.get(waiting.at, length)?;
        self.kernel.set(waiting.at, length, count.wrapping_add(1))?;
        self.kernel.set_pointer(socket, "so_listen", waiting.at.address)?;
        self.set_state(socket, "so_qstate", state)
    }

    fn dequeue(&mut self, known: &Socket) -> Result<(), ImageError> {
        let Some((at, complete)) = known.waits else { return Ok(()) };
        let (head, length, _) = queue_names(complete);
        let (head, queue) = self.accept_queue(at, head)?;
        queue.remove(self.kernel.machine_mut(), head, known.socket.address)?;
        let count = self.kernel.get(at, length)?;
        self.kernel.set(at, length, count.wrapping_sub(1))
    }

    fn accept_queue(&self, socket: Object, head: &str) -> Result<(VirtAddr, Queue), ImageError> {
        let head = self.kernel.member(socket, head)?;
        let queue = Queue::of(&self.kernel, head.type_id, socket.type_id, "so_list")?;
        Ok((head.address, queue))
    }
}

/// The queue for complete connections or that for others: its head, its length, and the state
/// of a socket in it.
fn queue_names(complete: bool) -> (&'static str, &'static str, &'static str) {
    match complete {
        true => ("sol_comp", "sol_qlen", "SQ_COMP"),
        false => ("sol_incomp", "sol_incqlen", "SQ_INCOMP"),
    }
}

/// What most servers ask for.
const DEFAULT_BACKLOG: u64 = 128;

/// net.inet.tcp.sendspace and recvspace.
const BUFFER_SIZE: u64 = 65536;
