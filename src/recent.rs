//! Pages of files and of kernel memory that a thread has read lately.
//!
//! A question reads a struct member by member, and each address by the same few page tables. To find the page anew
//! each time would take longer than all else, and pages of ten thousand vnets do not stay in memory. So
//! each thread keeps a few pages. Threads that work on many things at once are short-lived, so one that ends
//! leaves its pages to the next.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::parallel;

/// The bytes of a page: what most kernels have in one, and none maps less at once.
pub(crate) const PAGE: usize = 4096;

/// How many a thread keeps.
const KEPT: usize = 256;

/// Something that is read in pages and does not change.
#[derive(Debug)]
pub(crate) struct Pages {
    /// No other pages of the program have this number.
    id: u64,
}

impl Pages {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(NONE + 1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// Calls `see` with the bytes of page `number`. If the thread does not keep it, it is read by `fill`, which
    /// returns how many bytes there are and may itself read pages of something else.
    ///
    /// # Errors
    /// That of `fill`. What could not be read is not kept.
    pub(crate) fn page<T, E>(
        &self,
        number: u64,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
        see: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, E> {
        let place = self.place(number);
        let empty = RECENT.with_borrow_mut(|recent| match recent.pages.get_mut(place) {
            Some(page) if (page.id, page.number) == (self.id, number) => Ok(see(page.held())),
            // Until it is read, it is no page.
            Some(page) => Err((std::mem::take(page), see)),
            None => Err((Page::default(), see)),
        });
        let (mut page, see) = match empty {
            Ok(seen) => return Ok(seen),
            Err(empty) => empty,
        };
        page.bytes.resize(PAGE, 0);
        page.len = fill(&mut page.bytes)?;
        (page.id, page.number) = (self.id, number);
        let seen = see(page.held());
        RECENT.with_borrow_mut(|recent| {
            recent
                .pages
                .get_mut(place)
                .into_iter()
                .for_each(|kept| *kept = std::mem::take(&mut page));
        });
        Ok(seen)
    }

    /// Where a page is kept.
    fn place(&self, number: u64) -> usize {
        // The upper bits of the product depend on all of the number, whatever lies between pages.
        let spread = (number ^ (self.id << 52)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> (u64::BITS - KEPT.ilog2())) as usize
    }
}

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::new(Recent::take());
}

/// The pages of threads that have ended.
static LEFT: Mutex<Vec<Vec<Page>>> = Mutex::new(Vec::new());

/// The pages that a thread keeps, each in the place that its number leads to.
struct Recent {
    pages: Vec<Page>,
}

#[derive(Default)]
struct Page {
    /// Whose it is; [`NONE`] while it is no page.
    id: u64,
    number: u64,
    /// How many bytes there are of it.
    len: usize,
    /// Empty until the place is used.
    bytes: Vec<u8>,
}

const NONE: u64 = 0;

impl Page {
    fn held(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Recent {
    fn take() -> Self {
        let left = LEFT.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let unused = || std::iter::repeat_with(Page::default).take(KEPT).collect();
        Self { pages: left.unwrap_or_else(unused) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The first byte of a page whose bytes are its number, and its length; up to page 1,000 there are any.
    fn first(pages: &Pages, number: u64) -> Result<(u8, usize), u64> {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(number as u8);
            if number < 1000 { Ok(bytes.len() - number as usize) } else { Err(number) }
        };
        pages.page(number, fill, |bytes| (bytes[0], bytes.len()))
    }

    #[test]
    fn pages_are_told_apart_by_whose_they_are() {
        let (one, other) = (Pages::new(), Pages::new());
        for number in (0..1000).chain((0..1000).rev()) {
            assert_eq!(first(&one, number), Ok((number as u8, PAGE - number as usize)));
        }
        let fill = |bytes: &mut [u8]| {
            bytes.fill(0xaa);
            Ok::<_, ()>(1)
        };
        assert_eq!(other.page(0, fill, <[u8]>::to_vec), Ok(vec![0xaa]));
        assert_eq!(first(&one, 0), Ok((0, PAGE)));
    }

    #[test]
    fn a_page_is_read_once_while_it_is_kept() {
        let pages = Pages::new();
        assert_eq!(first(&pages, 5), Ok((5, PAGE - 5)));
        let fill = |_: &mut [u8]| -> Result<usize, ()> { panic!("it is kept") };
        assert_eq!(pages.page(5, fill, |bytes| bytes[0]), Ok(5));
    }

    #[test]
    fn what_could_not_be_read_is_not_kept() {
        let pages = Pages::new();
        for _ in 0..2 {
            assert_eq!(first(&pages, 1000), Err(1000));
        }
    }

    #[test]
    fn pages_may_be_made_of_other_pages() {
        let (tables, memory) = (Pages::new(), Pages::new());
        for number in (0..600).chain(0..600) {
            let fill = |bytes: &mut [u8]| {
                bytes.fill(first(&tables, number)?.0);
                Ok::<_, u64>(bytes.len())
            };
            assert_eq!(memory.page(number, fill, |bytes| bytes[9]), Ok(number as u8));
        }
    }
}
