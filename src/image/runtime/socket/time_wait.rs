//! The end of a TCP connection: TIME_WAIT, and connections that TCP has let go of
//! (`sys/netinet/tcp_timewait.c`, `tcp_subr.c`).

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Queue, Runtime, Scope};

const INP_TIMEWAIT: u64 = 0x0100_0000;
const INP_DROPPED: u64 = 0x0400_0000;
/// Since 14, a connection holds its socket.
const INP_SOCKREF: u64 = 0x0800_0000;

/// SS_NOFDREF in so_state.
pub(super) const SS_NOFDREF: u64 = 1;

/// TCPS_TIME_WAIT
const TIME_WAIT: u64 = 10;

impl Runtime {
    /// tcp_twstart, and then close(2) if `closed`. Up to 13 a `struct tcptw` replaces the tcpcb, and
    /// the socket goes with its descriptor. Since 14 only the state changes, and the connection
    /// keeps its socket.
    ///
    /// # Errors
    /// It is no TCP socket.
    pub fn tcp_time_wait(&mut self, socket: Object, closed: bool) -> Result<(), ImageError> {
        let block = self.internet_block_of(socket)?;
        let embeds = self.tcp_embeds()?;
        if embeds {
            let control = self.kernel.object(block.address, "struct tcpcb")?;
            self.kernel.set(control, "t_state", TIME_WAIT)?;
        } else {
            self.replace_by_tcptw(socket, block)?;
        }
        if !closed {
            return Ok(());
        }
        let known = self.known_socket(socket)?;
        let descriptor = known.descriptor.take();
        self.close_descriptor(descriptor)?;
        if embeds {
            self.add_flags(block, "inp_flags", INP_SOCKREF)?;
            return self.add_flags(socket, "so_state", SS_NOFDREF);
        }
        self.kernel.set_pointer(block, "inp_socket", VirtAddr::new(0))?;
        let known = self.forget_socket(socket)?;
        self.sodealloc(known.socket, known.vnet, known.cred)
    }

    /// tcp_close: the protocol lets go of a connection whose socket is still there.
    ///
    /// # Errors
    /// It is no TCP socket.
    pub fn tcp_drop(&mut self, socket: Object) -> Result<(), ImageError> {
        let block = self.internet_block_of(socket)?;
        let at = match self.tcp_embeds()? {
            true => block.address,
            false => VirtAddr::new(self.kernel.get(block, "inp_ppcb")?),
        };
        let control = self.kernel.object(at, "struct tcpcb")?;
        self.kernel.set(control, "t_state", 0)?;
        self.add_flags(block, "inp_flags", INP_DROPPED)
    }

    /// The `struct inpcb` of a socket.
    pub(super) fn internet_block_of(&mut self, socket: Object) -> Result<Object, ImageError> {
        let known = self.known_socket(socket)?;
        let block = known.block.as_ref().filter(|block| block.info.is_some());
        let at = block.map(|block| block.at);
        let at = at.ok_or_else(|| ImageError::Refused("it is no internet socket".into()))?;
        self.kernel.object(at, "struct inpcb")
    }

    pub(super) fn tcp_embeds(&self) -> Result<bool, ImageError> {
        let types = self.kernel.types();
        let own = types.member(types.find("struct tcpcb")?, "t_inpcb")?;
        Ok(types.pointee(own.type_id).is_err())
    }

    fn replace_by_tcptw(&mut self, socket: Object, block: Object) -> Result<(), ImageError> {
        let (vnet, cred) = {
            let known = self.known_socket(socket)?;
            (known.vnet, known.cred)
        };
        let control = VirtAddr::new(self.kernel.get(block, "inp_ppcb")?);
        self.kernel.machine_mut().free(control)?;
        let waiting = self.kernel.malloc("tcptw", "struct tcptw")?;
        self.kernel.set_pointer(waiting, "tw_inpcb", block.address)?;
        self.kernel.set_pointer(waiting, "tw_cred", cred.address)?;
        self.hold_credential(cred, 1)?;
        self.kernel.set_pointer(block, "inp_ppcb", waiting.address)?;
        self.add_flags(block, "inp_flags", INP_TIMEWAIT)?;
        let head = self.find(vnet.map_or(Scope::Kernel, Scope::Vnet), "twq_2msl")?;
        let queue = Queue::of(&self.kernel, head.type_id, waiting.type_id, "tw_2msl")?;
        let machine = self.kernel.machine_mut();
        // tcp_tw_init
        if let Some(last) = queue.last
            && machine.pointer(head.address.wrapping_add(last))?.is_null()
        {
            queue.init(machine, head.address)?;
        }
        queue.insert_tail(machine, head.address, waiting.address)?;
        if let Some(block) = &mut self.known_socket(socket)?.block {
            block.allocations.retain(|at| *at != control);
        }
        Ok(())
    }

    pub(super) fn add_flags(
        &mut self,
        object: Object,
        member: &str,
        flags: u64,
    ) -> Result<(), ImageError> {
        let old = self.kernel.get(object, member)?;
        self.kernel.set(object, member, old | flags)
    }
}
