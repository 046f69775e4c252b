//! The input of all dump writers.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use crate::addr::PhysAddr;
use crate::image::machine::Machine;
use crate::writing::Memory;

/// The contents of a dump.
#[derive(Debug)]
pub struct Contents<'a> {
    pub machine: &'a Machine,
    /// The kernel's message buffer: all of its memory, and the part that is text.
    pub message_buffer: &'a [u8],
    pub message_size: u32,
    /// How many processors there are.
    pub cpus: u32,
    /// Pages that the dump omits although they are in use.
    pub left_out: &'a BTreeSet<PhysAddr>,
}

impl<'a> Contents<'a> {
    /// The installed memory without what is left out.
    pub(super) fn memory(&self) -> MachineMemory<'a> {
        let page = self.machine.page_size();
        let mut rows = Vec::new();
        for range in self.machine.memory_ranges() {
            let mut start = range.start;
            for gone in self.left_out.range(range.clone()) {
                rows.push(start..*gone);
                start = gone.wrapping_add(page);
            }
            rows.push(start..range.end);
        }
        rows.retain(|row| row.start < row.end);
        MachineMemory { machine: self.machine, rows }
    }

    /// The pages that the kernel uses, without what is left out.
    pub(super) fn memory_in_use(&self) -> MachineMemory<'a> {
        let page = self.machine.page_size();
        let frames = self.machine.frames_in_use().filter(|page| self.is_dumped(*page));
        let rows = frames.map(|at| at..at.wrapping_add(page)).collect();
        MachineMemory { machine: self.machine, rows }
    }

    pub(super) fn is_dumped(&self, page: PhysAddr) -> bool {
        !self.left_out.contains(&page)
    }
}

/// Physical memory of the machine.
pub(super) struct MachineMemory<'a> {
    machine: &'a Machine,
    rows: Vec<Range<PhysAddr>>,
}

impl Memory for MachineMemory<'_> {
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        let after = self.rows.partition_point(|row| row.end <= at);
        let row = self.rows.get(after)?;
        Some(row.start.max(at)..row.end)
    }

    fn page(&self, at: PhysAddr, buf: &mut [u8]) -> io::Result<bool> {
        let is_touched = self.machine.is_touched(at);
        if is_touched {
            self.machine.read_physical(at, buf);
        }
        Ok(is_touched)
    }
}
