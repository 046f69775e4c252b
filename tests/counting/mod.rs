//! An allocator that counts, for tests of what something may cost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is allocated in all, and the most at one time.
struct Counting;

static TOTAL: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator is one")]
// SAFETY: everything is the system's allocator's doing; the counts change nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TOTAL.fetch_add(layout.size(), Ordering::Relaxed);
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Bytes allocated in all while `f` runs, and the most held at one time.
pub fn counted<T>(f: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = (TOTAL.load(Ordering::Relaxed), HELD.load(Ordering::Relaxed));
    PEAK.store(before.1, Ordering::Relaxed);
    let done = f();
    let total = TOTAL.load(Ordering::Relaxed) - before.0;
    (done, total, PEAK.load(Ordering::Relaxed).saturating_sub(before.1))
}
