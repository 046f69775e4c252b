//! The kernel's message buffer as it is in memory: what dmesg(8) prints.

use crate::addr::VirtAddr;
use crate::constants::MSG_MAGIC;
use crate::fault::FaultKind;
use crate::target::{ReadError, Target};
use crate::value::Object;

/// The ring, not unwrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRing {
    pub bytes: Vec<u8>,
    /// Where they are.
    pub start: VirtAddr,
    /// Bytes ever written, modulo a multiple of the ring's length (`msg_wseq`).
    pub written: u64,
}

/// The largest size that is believed: kern.msgbufsize can be large, but not larger than this.
const LARGEST: u64 = 256 << 20;

impl MessageRing {
    /// Reads the ring that `msgbufp` points to; `None` if there is none yet, or
    /// what is there is not a message buffer.
    ///
    /// # Errors
    /// It cannot be read, as a whole.
    pub fn read(target: &Target) -> Result<Option<Self>, ReadError> {
        let address = target.memory().pointer(target.address_of("msgbufp")?)?;
        if address.is_null() {
            return Ok(None);
        }
        let type_id = target.types()?.find("struct msgbuf")?;
        let buffer = Object::new(target, type_id, address);
        let size = buffer.uint("msg_size")?;
        if buffer.uint("msg_magic")? != MSG_MAGIC || size > LARGEST {
            return Ok(None);
        }
        let (start, written) = (buffer.pointer("msg_ptr")?, buffer.uint("msg_wseq")?);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        match target.memory().read(start, &mut bytes) {
            Ok(()) => Ok(Some(Self { bytes, start, written })),
            Err(fault) if fault.kind == FaultKind::BadAddress => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }
}
