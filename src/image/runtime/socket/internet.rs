//! Internet sockets: a `struct inpcb` on the list of its protocol (`sys/netinet/in_pcb.c`), and
//! what its protocol adds.

use std::net::SocketAddr;

use super::block::Block;
use super::options::{SocketKind, SocketOptions};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::ipv6_zone;
use crate::image::object::Object;
use crate::image::runtime::{Queue, Runtime, Scope};

const INP_IPV4: u64 = 1;
const INP_IPV6: u64 = 2;
/// The socket was opened as one of IPv6.
const INP_IPV6PROTO: u64 = 4;

impl Runtime {
    /// in_pcballoc: the newest is first on the list.
    pub(super) fn internet_block(
        &mut self,
        info: &str,
        scope: Scope,
        socket: Object,
        cred: Object,
        options: &SocketOptions,
    ) -> Result<Block, ImageError> {
        let info = self.find(scope, info)?;
        let head = self.pcb_list(info)?;
        let (block, allocations) = self.new_inpcb(options)?;
        self.kernel.set_pointer(block, "inp_socket", socket.address)?;
        self.kernel.set_pointer(block, "inp_pcbinfo", info.address)?;
        self.kernel.set_if_any(block, "inp_cred", cred.address.get())?;
        self.hold_credential(cred, 1)?;
        let queue = Queue::of(&self.kernel, head.type_id, block.type_id, "inp_list")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, block.address)?;
        let count = self.kernel.get(info, "ipi_count")?;
        self.kernel.set(info, "ipi_count", count.wrapping_add(1))?;
        let at = block.address;
        let (info, cred) = (Some(info), Some(cred));
        Ok(Block { at, head: head.address, queue, info, cred, allocations })
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

    /// The inpcb with its addresses, and what was allocated for it.
    fn new_inpcb(
        &mut self,
        options: &SocketOptions,
    ) -> Result<(Object, Vec<VirtAddr>), ImageError> {
        let (block, allocations) = match options.kind {
            SocketKind::Tcp => {
                let (control, block, allocations) = self.new_control("struct tcpcb", "t_inpcb")?;
                self.kernel.set(control, "t_state", options.state)?;
                (block, allocations)
            }
            _ => {
                let block = self.kernel.malloc("inpcb", "struct inpcb")?;
                (block, vec![block.address])
            }
        };
        let flags = match (options.is_inet6(), options.both) {
            (false, _) => INP_IPV4,
            (true, false) => INP_IPV6 | INP_IPV6PROTO,
            (true, true) => INP_IPV4 | INP_IPV6 | INP_IPV6PROTO,
        };
        self.kernel.set(block, "inp_vflag", flags)?;
        self.kernel.set_if_any(block, "inp_ip_p", options.ip_protocol)?;
        let connection = self.kernel.member(block, "inp_inc")?;
        self.set_ends(connection, options.local, options.remote)?;
        Ok((block, allocations))
    }

    /// The ends of a connection, in its `struct in_conninfo`.
    pub(super) fn set_ends(
        &mut self,
        connection: Object,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    ) -> Result<(), ImageError> {
        for (end, address) in [("l", local), ("f", remote)] {
            let Some(address) = address else { continue };
            let port = self.kernel.member(connection, &format!("inc_ie.ie_{end}port"))?;
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
            let room = self.kernel.member(connection, &format!("inc_ie.ie_depend{end}addr"))?;
            let size = self.kernel.types().size_of(room.type_id)?;
            let at = room.address.wrapping_add(size.saturating_sub(octets.len() as u64));
            self.kernel.machine_mut().write(at, &octets)?;
        }
        Ok(())
    }

    /// The control block of a protocol, the inpcb, and both allocations. Since 14 a tcpcb begins
    /// with its inpcb; before, it points back.
    fn new_control(
        &mut self,
        type_name: &str,
        back: &str,
    ) -> Result<(Object, Object, Vec<VirtAddr>), ImageError> {
        let control = self.kernel.malloc("tcpcb", type_name)?;
        let own = self.kernel.member(control, back)?;
        if self.kernel.types().pointee(own.type_id).is_err() {
            return Ok((control, own, vec![control.address]));
        }
        let block = self.kernel.malloc("inpcb", "struct inpcb")?;
        self.kernel.set_pointer(block, "inp_ppcb", control.address)?;
        self.kernel.store(own, block.address.get())?;
        Ok((control, block, vec![block.address, control.address]))
    }
}
