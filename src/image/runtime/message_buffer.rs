//! The kernel's message buffer, msgbuf(9).
//!
//! `sys/kern/subr_msgbuf.c`, msgbufinit: the struct is at the end of the
//! memory that it describes, so a dump that copies whole pages of the text also copies
//! the struct.

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::machine::Machine;
use crate::image::object::Object;

/// `MSG_MAGIC` of `sys/sys/msgbuf.h`.
const MAGIC: u64 = 0x06_3062;
/// `MSGBUF_SIZE` of 10.0 and later: 96 KB, including the struct.
const MEMORY: u64 = 96 << 10;

/// Where the text is.
#[derive(Debug, Clone, Copy)]
pub struct MessageBuffer {
    text: VirtAddr,
    size: u64,
    written: u64,
    sequence: VirtAddr,
    sequence_size: u64,
}

impl MessageBuffer {
    /// Allocates the buffer and points `msgbufp` at it.
    pub(super) fn allocate(kernel: &mut LoadedKernel) -> Result<Self, ImageError> {
        let type_id = kernel.types().find("struct msgbuf")?;
        let text = kernel.machine_mut().malloc_contiguous("msgbuf", MEMORY)?;
        let size = MEMORY.checked_sub(kernel.types().size_of(type_id)?).filter(|size| *size > 0);
        let size = size.ok_or_else(|| ImageError::Load("its struct msgbuf is too large".into()))?;
        let header = Object::new(text.wrapping_add(size), type_id);
        kernel.set_pointer(header, "msg_ptr", text)?;
        kernel.set(header, "msg_magic", MAGIC)?;
        kernel.set(header, "msg_size", size)?;
        // Sequence numbers wrap modulo a multiple of the size (SEQMOD).
        kernel.set_if_any(header, "msg_seqmod", size * 16)?;
        kernel.set_symbol("msgbufp", header.address.get())?;
        kernel.set_symbol("msgbufmapped", 1)?;
        let sequence = kernel.member(header, "msg_wseq")?;
        let sequence_size = kernel.types().size_of(sequence.type_id)?;
        Ok(Self { text, size, written: 0, sequence: sequence.address, sequence_size })
    }

    /// Adds a line. When the buffer is full, the oldest text is overwritten.
    pub(super) fn append(&mut self, machine: &mut Machine, line: &str) -> Result<(), ImageError> {
        for byte in line.bytes().chain([b'\n']) {
            machine.write(self.text.wrapping_add(self.written % self.size), &[byte])?;
            self.written = (self.written + 1) % (self.size * 16);
        }
        machine.set_uint(self.sequence, self.sequence_size, self.written)
    }

    /// The size of the text ring in bytes: `msg_size`.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The memory that a minidump copies: the text, rounded up to whole pages.
    pub fn bytes(&self, machine: &Machine) -> Result<Vec<u8>, ImageError> {
        let mut bytes = vec![0; self.size.next_multiple_of(machine.page_size()) as usize];
        machine.read(self.text, &mut bytes)?;
        Ok(bytes)
    }
}
