//! Memory that is read when it is written.

use std::fmt;

use serde::{Serialize, Serializer};

use super::block::CHUNK;
use crate::addr::VirtAddr;
use crate::bytes::Hex;
use crate::memory::KernelMemory;

/// Memory that can be read from its first byte to its last: hex digits as text. It is read when
/// it is written, and not kept. Where memory has changed since, and ends before the stretch
/// does, so does the text.
#[derive(Clone, Copy)]
pub struct Stretch<'m> {
    pub(super) memory: &'m KernelMemory,
    /// The first byte.
    pub address: VirtAddr,
    /// Bytes.
    pub length: u64,
}

/// Hex digits.
impl fmt::Display for Stretch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = usize::try_from(self.length).map_or(CHUNK, |length| length.min(CHUNK));
        let mut buffer = vec![0; size];
        let (mut at, mut left) = (self.address, self.length);
        while left > 0 {
            let wanted = usize::try_from(left).map_or(size, |left| left.min(size));
            let Some(part) = buffer.get_mut(..wanted) else { break };
            let (len, fault) = self.memory.read_prefix(at, part);
            write!(f, "{}", Hex(part.get(..len).unwrap_or(&[])))?;
            if fault.is_some() {
                break;
            }
            at = at.wrapping_add(len as u64);
            left -= len as u64;
        }
        Ok(())
    }
}

impl Serialize for Stretch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The same place of the same memory.
impl PartialEq for Stretch<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.memory, other.memory)
            && (self.address, self.length) == (other.address, other.length)
    }
}

impl fmt::Debug for Stretch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, length, .. } = self;
        f.debug_struct("Stretch").field("address", address).field("length", length).finish()
    }
}
