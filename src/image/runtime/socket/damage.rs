//! Faults: what a kernel with a bug, or with overwritten memory, leaves of a socket.

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Runtime, Vnet};

/// A fault of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketDamage {
    /// Its so_vnet is another stack.
    OtherVnet(Vnet),
    /// Nothing leads to it any more, but it is still counted.
    Leaked,
    /// It is no longer counted.
    Uncounted,
    /// Its control block is freed, but still on the list.
    FreedBlock,
    /// The next element of its control block is the block itself.
    Cycle,
    /// Its so_pcb leads to the control block of another socket.
    OtherBlock(Object),
    /// The tcpcb or tcptw of its control block points back to that of another socket.
    OtherControl(Object),
    /// A local socket is connected to another one, which does not know.
    OtherPeer(Object),
}

impl Runtime {
    /// Does this to a socket.
    ///
    /// # Errors
    /// It has no such part.
    pub fn damage_socket(
        &mut self,
        socket: Object,
        damage: SocketDamage,
    ) -> Result<(), ImageError> {
        match damage {
            SocketDamage::OtherVnet(vnet) => self.kernel.set_pointer(socket, "so_vnet", vnet.0),
            SocketDamage::Leaked => {
                let mut known = self.forget_socket(socket)?;
                self.close_descriptor(known.descriptor.take())?;
                known.block.map_or(Ok(()), |block| self.free_block(block))
            }
            SocketDamage::Uncounted => match self.known_socket(socket)?.vnet {
                Some(vnet) => self.count_socket(vnet, -1),
                None => Ok(()),
            },
            SocketDamage::FreedBlock => {
                let allocations = match &mut self.known_socket(socket)?.block {
                    Some(block) => std::mem::take(&mut block.allocations),
                    None => Vec::new(),
                };
                let free = |at: VirtAddr| self.kernel.machine_mut().free(at);
                allocations.into_iter().try_for_each(free)
            }
            SocketDamage::Cycle => {
                let block = self.known_socket(socket)?.block.as_ref();
                let place = block.map(|block| (block.at, block.queue.next));
                let none = || ImageError::Refused("it has no control block".into());
                let (at, next) = place.ok_or_else(none)?;
                self.kernel.machine_mut().set_pointer(at.wrapping_add(next), at)
            }
            SocketDamage::OtherBlock(other) => {
                let at = self.kernel.get(other, "so_pcb")?;
                self.kernel.set(socket, "so_pcb", at)
            }
            SocketDamage::OtherControl(other) => {
                let (block, other) =
                    (self.internet_block_of(socket)?, self.internet_block_of(other)?);
                if self.tcp_embeds()? {
                    let why = "in this release a tcpcb contains its control block";
                    return Err(ImageError::Refused(why.into()));
                }
                let control = VirtAddr::new(self.kernel.get(block, "inp_ppcb")?);
                let control = self.kernel.object(control, "struct tcpcb")?;
                self.kernel.set_pointer(control, "t_inpcb", other.address)
            }
            SocketDamage::OtherPeer(other) => {
                let block = VirtAddr::new(self.kernel.get(socket, "so_pcb")?);
                let block = self.kernel.object(block, "struct unpcb")?;
                let other = self.kernel.get(other, "so_pcb")?;
                self.kernel.set(block, "unp_conn", other)
            }
        }
    }
}
