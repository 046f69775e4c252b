//! The pages of a minidump, as physical memory.

use std::ops::Range;
use std::sync::Arc;

use super::bitmap::Bitmap;
use crate::addr::{FileOffset, PhysAddr};
use crate::dump::{PhysFault, PhysFaultKind, PhysicalMemory, copy};
use crate::source::Source;

/// The dumped pages, one after another from `first` on.
pub(super) struct Pages {
    source: Arc<Source>,
    bitmap: Bitmap,
    first: FileOffset,
    page_size: u64,
}

impl Pages {
    /// The pages that `bitmap` marks. The first one is at `first`.
    pub(super) fn new(
        source: Arc<Source>,
        bitmap: Bitmap,
        first: FileOffset,
        page_size: u64,
    ) -> Self {
        Self { source, bitmap, first, page_size }
    }

    /// How many pages the bitmap promises.
    pub(super) fn count(&self) -> u64 {
        self.bitmap.count()
    }

    /// The size of a page, in bytes.
    pub(super) fn page_size(&self) -> u64 {
        self.page_size
    }

    /// Where the machine's memory begins, as far as the dump shows it.
    pub(super) fn lowest(&self) -> Option<PhysAddr> {
        let page = self.bitmap.lowest_page()?;
        page.checked_mul(self.page_size).map(PhysAddr::new)
    }

    /// How many whole pages the file has room for.
    pub(super) fn whole(&self) -> u64 {
        self.source.len().saturating_sub(self.first.get()) / self.page_size
    }

    /// Where the last page ends.
    pub(super) fn end(&self) -> FileOffset {
        self.first.wrapping_add(self.count().wrapping_mul(self.page_size))
    }

    /// The place in the file of the byte at `at`.
    fn locate(&self, at: PhysAddr) -> Result<FileOffset, PhysFault> {
        let not_dumped = PhysFault { at, kind: PhysFaultKind::NotDumped };
        // A page has a power of two bytes, and a division takes longer than all else here.
        let rank =
            self.bitmap.rank(at.get() >> self.page_size.trailing_zeros()).ok_or(not_dumped)?;
        let within = rank * self.page_size + at.page_offset(self.page_size);
        self.first.checked_add(within).ok_or(not_dumped)
    }

    /// The place in the file of these bytes, if all of them are dumped. Then they are one piece of the file too:
    /// of pages that follow each other, none lies between.
    fn piece(&self, at: PhysAddr, len: usize) -> Option<FileOffset> {
        let more = (len as u64).checked_sub(1)?;
        let first = self.locate(at).ok()?;
        let last = self.locate(at.checked_add(more)?).ok()?;
        (last.get().checked_sub(first.get()) == Some(more)).then_some(first)
    }
}

impl PhysicalMemory for Pages {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        let is_longer = buf.len() as u64 > self.page_size;
        if let Some(offset) = is_longer.then(|| self.piece(at, buf.len())).flatten() {
            return copy(&self.source, offset, at, buf);
        }
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let left = self.page_size - at.page_offset(self.page_size);
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let (part, further) = rest.split_at_mut(len);
            copy(&self.source, self.locate(at)?, at, part)?;
            at = at.wrapping_add(len as u64);
            rest = further;
        }
        Ok(())
    }

    fn is_hole(&self, at: PhysAddr, len: u64) -> bool {
        let piece = usize::try_from(len).ok().and_then(|len| self.piece(at, len));
        piece.is_some_and(|offset| self.source.is_hole(offset, len))
    }

    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        let pages = self.bitmap.next(at.get() / self.page_size)?;
        let byte = |page: u64| page.checked_mul(self.page_size).map(PhysAddr::new);
        Some(byte(pages.start)?.max(at)..byte(pages.end)?)
    }
}
