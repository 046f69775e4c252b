//! The registers at the moment when the machine stopped, for dump formats that record them.

use std::collections::BTreeMap;

use super::Machine;
use crate::addr::VirtAddr;

/// The registers of a processor that a stack walk starts from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Processor {
    /// The address of the next instruction.
    pub counter: VirtAddr,
    /// The stack pointer.
    pub stack: VirtAddr,
    /// The frame pointer.
    pub frame: VirtAddr,
    /// The return address of the current function, in the link register; unused on x86.
    pub link: VirtAddr,
    /// The general registers by their numbers in DWARF. Those above stand for themselves.
    pub general: [u64; 32],
}

/// By CPU number, from 0.
pub(super) type Processors = BTreeMap<u32, Processor>;

impl Machine {
    /// Sets the registers of the processor with this number, from 0.
    pub fn set_processor(&mut self, number: u32, processor: Processor) {
        self.processors.insert(number, processor);
    }

    /// The registers of a processor; all 0 if they were never set.
    pub fn processor(&self, number: u32) -> Processor {
        self.processors.get(&number).copied().unwrap_or_default()
    }
}
