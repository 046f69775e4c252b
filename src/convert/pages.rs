//! The pages of a dump, as they are written.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;

use crate::addr::PhysAddr;
use crate::budget::Budget;
use crate::dump::{Part, PhysFaultKind, PhysicalMemory};
use crate::source::unpack::Progress;
use crate::writing::{Memory, stretches};

/// The whole pages of a part of a dump. Pages that the file cuts off are not among them.
pub(super) struct Pages {
    part: Part,
    page: u64,
}

impl Pages {
    /// The pages of `page` bytes in `part`.
    pub(super) fn new(part: Part, page: u64) -> Self {
        Self { part, page }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        let len = |range: Range<PhysAddr>| range.end.offset_from(range.start).unwrap_or(0);
        stretches(self).map(len).sum::<u64>() / self.page
    }

    /// The pages of `range` before the first one that the file cuts off. All
    /// others are after that.
    fn held(&self, range: Range<PhysAddr>) -> Range<PhysAddr> {
        let number = |at: PhysAddr| at.get() / self.page;
        let (mut low, mut high) = (number(range.start), number(range.end));
        if high > low && self.is_held(high - 1) {
            return range;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            match self.is_held(middle) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        range.start..PhysAddr::new(low * self.page)
    }

    fn is_held(&self, number: u64) -> bool {
        let last = PhysAddr::new(number * self.page).wrapping_add(self.page - 1);
        let read = self.part.read(last, &mut [0]);
        !read.is_err_and(|fault| matches!(fault.kind, PhysFaultKind::Truncated(_)))
    }
}

impl Memory for Pages {
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        let mut at = at;
        loop {
            let range = self.part.next(at)?;
            at = range.end;
            let start = range.start.get().checked_next_multiple_of(self.page)?;
            let whole = PhysAddr::new(start)..range.end.page_start(self.page);
            let held = self.held(whole.clone());
            if whole.start < whole.end && held.start < held.end {
                return Some(held);
            }
        }
    }

    fn page(&self, at: PhysAddr, buf: &mut [u8]) -> io::Result<bool> {
        const ZEROS: [u8; 4096] = [0; 4096];
        self.part.read(at, buf).map_err(|fault| {
            io::Error::other(format!("the page at physical address {} cannot be read", fault.at))
        })?;
        Ok(buf.chunks(ZEROS.len()).any(|chunk| !ZEROS.starts_with(chunk)))
    }
}

/// Pages that tell how many of them were written, and that end if nobody waits for more.
pub(super) struct Watched<'a> {
    pages: &'a dyn Memory,
    budget: &'a Budget,
    page: u64,
    total: u64,
    done: Cell<u64>,
    tell: RefCell<&'a mut dyn FnMut(Progress)>,
}

impl<'a> Watched<'a> {
    /// Reads `pages`, which are `total` of `page` bytes, and calls `tell` now and then with how many
    /// were read.
    pub(super) fn new(
        pages: &'a dyn Memory,
        budget: &'a Budget,
        page: u64,
        total: u64,
        tell: &'a mut dyn FnMut(Progress),
    ) -> Self {
        Self { pages, budget, page, total, done: Cell::new(0), tell: RefCell::new(tell) }
    }
}

impl Memory for Watched<'_> {
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        self.pages.next(at)
    }

    fn page(&self, at: PhysAddr, buf: &mut [u8]) -> io::Result<bool> {
        const INTERVAL: u64 = 256;
        self.budget.go_on().map_err(io::Error::other)?;
        let done = self.done.get() + 1;
        self.done.set(done);
        if done.is_multiple_of(INTERVAL) {
            let bytes = |pages: u64| pages * self.page;
            (self.tell.borrow_mut())(Progress { done: bytes(done), total: bytes(self.total) });
        }
        self.pages.page(at, buf)
    }
}
