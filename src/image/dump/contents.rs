//! The input of all dump writers.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::addr::PhysAddr;
use crate::image::machine::Machine;

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

impl Contents<'_> {
    /// The installed memory without what is left out.
    pub(super) fn memory(&self) -> Vec<Range<PhysAddr>> {
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
        rows
    }

    pub(super) fn is_dumped(&self, page: PhysAddr) -> bool {
        !self.left_out.contains(&page)
    }
}
