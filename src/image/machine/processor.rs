//! What the processors were doing when the machine stopped, for the formats that tell.

use std::collections::BTreeMap;

use super::Machine;
use crate::addr::VirtAddr;

/// The registers of a processor that lead to the calls it is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Processor {
    /// The instruction that it is about to run.
    pub counter: VirtAddr,
    pub stack: VirtAddr,
    pub frame: VirtAddr,
    /// Where its function returns to; not on x86.
    pub link: VirtAddr,
}

/// By number, from 0.
pub(super) type Processors = BTreeMap<u32, Processor>;

impl Machine {
    pub fn set_processor(&mut self, number: u32, processor: Processor) {
        self.processors.insert(number, processor);
    }

    /// One that nobody has set stands still, all registers 0.
    pub fn processor(&self, number: u32) -> Processor {
        self.processors.get(&number).copied().unwrap_or_default()
    }
}
