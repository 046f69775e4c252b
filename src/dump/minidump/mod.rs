//! Minidumps: the pages that the kernel had mapped, found through a bitmap.
//!
//! A header page, the message buffer, the ranges of physical memory (newer
//! versions), a bitmap with one bit a page, the kernel's page map, and then the
//! pages whose bits are set, in ascending order. Each part is rounded up to whole
//! pages. `header` knows that order, a file per architecture what its header
//! says, `bitmap` where a page lies.
//!
//! Sizes that cannot be true are refused and the field named; a file that ends
//! among its pages is read as far as it goes, with a warning.

mod amd64;
mod bitmap;
mod header;

use std::sync::Arc;

use super::{Core, Facts, Format, Hints, KernelDumpHeader, MinidumpFacts, PageMap};
use super::{PhysFault, PhysFaultKind, PhysicalMemory};
use crate::addr::{FileOffset, PhysAddr};
use crate::error::DumpError;
use crate::source::Source;
use bitmap::{Bitmap, Ranges};
use header::{Header, Layout};

/// What every minidump begins with.
pub(super) const MAGIC: &[u8] = b"minidump FreeBSD/";

/// Opens the minidump in `source`.
pub(super) fn open(source: &Arc<Source>) -> Result<Core, DumpError> {
    let header = read_header(source)?;
    let layout = Layout::of(&header, source)?;
    let ranges = match &layout.dump_avail {
        Some(region) => Ranges::parse(region.bytes(), header.page_size, header.bitmap_size)?,
        None => Ranges::from_zero(header.bitmap_size),
    };
    let bitmap = Bitmap::new(layout.bitmap, ranges)?;
    let pages = bitmap.count();
    let memory = Pages {
        source: Arc::clone(source),
        bitmap,
        first: layout.pages,
        page_size: header.page_size,
    };
    let (pages_cut_off, trailer, warnings) = compare_with_length(&memory, pages);
    let minidump = MinidumpFacts {
        kernbase: header.kernbase,
        direct_map: header.direct_map.clone(),
        bitmap_len: header.bitmap_size,
        page_map_len: header.page_map_size,
        message_buffer: layout.message_buffer,
    };
    Ok(Core {
        format: Format::Minidump { version: header.version },
        arch: header.arch,
        hints: Hints::PageMap(PageMap {
            arch: header.arch,
            version: header.version,
            kernbase: header.kernbase,
            direct_map: header.direct_map,
            entries: layout.page_map,
        }),
        header: trailer,
        facts: Facts {
            file_len: source.len(),
            page_size: header.page_size,
            pages,
            pages_cut_off,
            minidump: Some(minidump),
        },
        warnings,
        memory: Box::new(memory),
    })
}

fn read_header(source: &Source) -> Result<Header, DumpError> {
    let bytes = source.bytes();
    let rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    // The name is short and ends at a NUL; a damaged one must not flood a message.
    let name = rest.iter().take(16).take_while(|byte| **byte != 0).copied().collect::<Vec<_>>();
    match name.as_slice() {
        b"amd64" => amd64::header(bytes),
        other => Err(DumpError::Unsupported {
            what: format!("a minidump of {}", String::from_utf8_lossy(other).escape_debug()),
        }),
    }
}

/// Holds what the bitmap promises against the file's length: how many pages are
/// cut off, the kernel dump header that a live dump ends with, and what to warn of.
fn compare_with_length(memory: &Pages, pages: u64) -> (u64, Option<KernelDumpHeader>, Vec<String>) {
    let present = memory.source.len().saturating_sub(memory.first.get());
    let whole = present / memory.page_size;
    if pages == 0 {
        return (0, None, vec!["the page bitmap is empty: no page was dumped".to_owned()]);
    }
    if whole < pages {
        let cut_off = pages - whole;
        let warning = format!(
            "the file is shorter than its bitmap promises: {cut_off} of {pages} pages are cut off"
        );
        return (cut_off, None, vec![warning]);
    }
    let after = (memory.first.get() + pages * memory.page_size) as usize;
    let rest = memory.source.bytes().get(after..).unwrap_or_default();
    // A live dump ends with a header in a block of its own (kern_shutdown.c, 14.0).
    if let Some(header) = KernelDumpHeader::parse(rest) {
        return (0, Some(header), Vec::new());
    }
    // savecore copies whole blocks, so that a few zeros past the end mean nothing.
    let padding = rest.len() < memory.page_size as usize && rest.iter().all(|byte| *byte == 0);
    let warnings = match rest.len() {
        0 => Vec::new(),
        _ if padding => Vec::new(),
        extra => vec![format!(
            "the file goes on for {extra:#x} bytes after the last page that its bitmap promises: \
             a size in its header may be wrong, or something was appended"
        )],
    };
    (0, None, warnings)
}

/// The pages of a minidump, as physical memory.
struct Pages {
    source: Arc<Source>,
    bitmap: Bitmap,
    /// Where the first page lies.
    first: FileOffset,
    page_size: u64,
}

impl Pages {
    /// The place in the file of the byte at `at`.
    fn locate(&self, at: PhysAddr) -> Result<FileOffset, PhysFault> {
        let page = at.get() / self.page_size;
        let not_dumped = PhysFault { at, kind: PhysFaultKind::NotDumped };
        let rank = self.bitmap.rank(page).ok_or(not_dumped)?;
        let within = rank * self.page_size + at.page_offset(self.page_size);
        self.first.checked_add(within).ok_or(not_dumped)
    }
}

impl PhysicalMemory for Pages {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        let (mut at, mut rest) = (at, buf);
        loop {
            if rest.is_empty() {
                return Ok(());
            }
            let left = self.page_size - at.page_offset(self.page_size);
            let len = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (page, further) = rest.split_at_mut(len);
            super::copy(&self.source, self.locate(at)?, at, page)?;
            at = at.wrapping_add(len as u64);
            rest = further;
        }
    }
}
