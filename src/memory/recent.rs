//! The pages of kernel memory that a thread has read lately.
//!
//! A question reads a struct member by member. To translate each address and to find each page in the
//! dump would take longer than all else, and pages of ten thousand vnets do not stay in memory. So
//! each thread keeps a few pages that it has read as a whole. Threads that work on many things at once are
//! short-lived, so one that ends leaves its pages to the next.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::addr::VirtAddr;
use crate::parallel;

/// The bytes of a page: no kernel maps less at once.
pub(super) const PAGE: u64 = 4096;

/// How many a thread keeps.
const KEPT: usize = 256;

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::new(Recent::take());
}

/// Those of threads that have ended.
static LEFT: Mutex<Vec<Vec<Page>>> = Mutex::new(Vec::new());

/// The pages that a thread keeps.
struct Recent {
    pages: Vec<Page>,
}

/// One of the places for a page; which of them it takes depends on its address.
struct Page {
    /// The memory that it is of; [`NONE`] while it is of none.
    memory: u64,
    start: VirtAddr,
    /// Empty until the place is used.
    bytes: Vec<u8>,
}

const NONE: u64 = 0;

/// A number that no other memory of the program has.
pub(super) fn new_memory() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(NONE + 1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Fills `buf` from address `at` of a memory that never changes. Pages that the thread does not keep are
/// read by `fill`. False if that fails for one of them.
pub(super) fn read(
    memory: u64,
    at: VirtAddr,
    buf: &mut [u8],
    fill: impl Fn(VirtAddr, &mut [u8]) -> bool,
) -> bool {
    RECENT.with_borrow_mut(|Recent { pages }| {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let within = at.page_offset(PAGE) as usize;
            let len = rest.len().min(PAGE as usize - within);
            let Some(page) = pages.get_mut(place(memory, at)) else { return false };
            let start = at.page_start(PAGE);
            if (page.memory, page.start) != (memory, start) && !page.turn_to(memory, start, &fill) {
                return false;
            }
            let (part, further) = rest.split_at_mut(len);
            let Some(bytes) = page.bytes.get(within..within + len) else { return false };
            part.copy_from_slice(bytes);
            rest = further;
            // A read that goes on past the last address fails there.
            at = at.wrapping_add(len as u64);
        }
        true
    })
}

impl Recent {
    fn take() -> Self {
        let left = LEFT.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let unused = || Page { memory: NONE, start: VirtAddr::default(), bytes: Vec::new() };
        Self { pages: left.unwrap_or_else(|| std::iter::repeat_with(unused).take(KEPT).collect()) }
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        // For each that works at once, one may wait for it.
        if left.len() < 2 * parallel::processors().get() {
            left.push(std::mem::take(&mut self.pages));
        }
    }
}

impl Page {
    fn turn_to(
        &mut self,
        memory: u64,
        start: VirtAddr,
        fill: impl Fn(VirtAddr, &mut [u8]) -> bool,
    ) -> bool {
        // Until it is read, it is of none.
        self.memory = NONE;
        self.bytes.resize(PAGE as usize, 0);
        if !fill(start, &mut self.bytes) {
            return false;
        }
        (self.memory, self.start) = (memory, start);
        true
    }
}

/// Where the page that holds `at` is kept.
fn place(memory: u64, at: VirtAddr) -> usize {
    // The upper bits of the product depend on all of the number, whatever lies between pages.
    let spread = ((at.get() / PAGE) ^ (memory << 52)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (spread >> (u64::BITS - KEPT.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory whose bytes are the numbers of their pages, up to page 1,000.
    fn fill(start: VirtAddr, bytes: &mut [u8]) -> bool {
        let number = start.get() / PAGE;
        bytes.fill(number as u8);
        number < 1000
    }

    fn bytes(memory: u64, at: u64, len: usize) -> Option<Vec<u8>> {
        let mut buf = vec![0xff; len];
        read(memory, VirtAddr::new(at), &mut buf, fill).then_some(buf)
    }

    #[test]
    fn pages_are_told_apart_by_their_memory() {
        let (one, other) = (new_memory(), new_memory());
        for number in (0..1000).chain((0..1000).rev()) {
            assert_eq!(bytes(one, number * PAGE + 7, 2), Some(vec![number as u8; 2]));
        }
        let mut buf = [0];
        assert!(read(other, VirtAddr::new(7), &mut buf, |_, page| {
            page.fill(0xaa);
            true
        }));
        assert_eq!((buf, bytes(one, 7, 1)), ([0xaa], Some(vec![0])));
    }

    #[test]
    fn a_page_is_read_once_while_it_is_kept() {
        let memory = new_memory();
        assert_eq!(bytes(memory, 5 * PAGE, 1), Some(vec![5]));
        assert!(read(memory, VirtAddr::new(6 * PAGE - 1), &mut [0], |_, _| panic!("it is kept")));
    }

    #[test]
    fn reads_cross_pages_up_to_one_that_cannot_be_read() {
        let memory = new_memory();
        assert_eq!(bytes(memory, 3 * PAGE - 1, 3), Some(vec![2, 3, 3]));
        assert_eq!(bytes(memory, 1000 * PAGE - 2, 2), Some(vec![0xe7; 2]));
        assert_eq!(bytes(memory, 1000 * PAGE - 2, 3), None);
        assert_eq!(bytes(memory, 1000 * PAGE, 1), None, "what could not be read is not kept");
    }
}
