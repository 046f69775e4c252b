//! The page tables that a translation reads.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::addr::PhysAddr;
use crate::dump::{PhysFault, PhysicalMemory};

/// Memory that notes the pages that were read of it: those of the page tables, if only a
/// translation reads it. There are no more of them than pages in the dump.
pub(super) struct Tables<'m> {
    memory: &'m dyn PhysicalMemory,
    page: u64,
    found: Mutex<BTreeSet<PhysAddr>>,
}

impl<'m> Tables<'m> {
    /// The memory with pages of `page` bytes, in which the topmost table takes up `top`.
    pub(super) fn new(memory: &'m dyn PhysicalMemory, page: u64, top: Range<PhysAddr>) -> Self {
        let after = |at: &PhysAddr| at.checked_add(page);
        let pages = iter::successors(Some(top.start.page_start(page)), after);
        let found = pages.take_while(|at| *at < top.end).collect();
        Self { memory, page, found: Mutex::new(found) }
    }

    /// The pages that were read, ascending.
    pub(super) fn found(self) -> impl Iterator<Item = Range<PhysAddr>> {
        let page = self.page;
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().map(move |at| at..at.wrapping_add(page))
    }
}

impl PhysicalMemory for Tables<'_> {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        self.memory.read(at, buf)?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(at.page_start(self.page));
        Ok(())
    }

    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        self.memory.next(at)
    }
}
