//! Minidumps: the pages that the kernel had mapped, found through a bitmap.
//!
//! A header page, the message buffer, the ranges of physical memory (newer
//! versions), a bitmap with one bit a page, the kernel's page map, and then the
//! pages whose bits are set, in ascending order. Each part is rounded up to whole
//! pages. `header` knows that order, a file per architecture what its header
//! says, `bitmap` where a page lies, `pages` how it is read.
//!
//! Sizes that cannot be true are refused and the field named. A wrong size moves
//! every part behind it, and what is read there looks like data: so the file's
//! length has to agree with the bitmap, or else the page map to look like one. A
//! file that merely ends among its pages is read as far as it goes, with a warning.

mod amd64;
mod bitmap;
mod header;
mod pages;

use std::sync::Arc;

use super::{Core, Facts, Format, Hints, KernelDumpHeader, MinidumpFacts, PageMap};
use crate::arch::Arch;
use crate::error::DumpError;
use crate::source::Source;
use bitmap::{Bitmap, Ranges};
use header::{FORMAT, Header, Layout};
use pages::Pages;

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
    let page_map = PageMap {
        arch: header.arch,
        version: header.version,
        kernbase: header.kernbase,
        direct_map: header.direct_map.clone(),
        entries: layout.page_map,
    };
    let bitmap = Bitmap::new(layout.bitmap, ranges)?;
    let memory = Pages::new(Arc::clone(source), bitmap, layout.pages, header.page_size);
    let end = compare_with_length(&memory, source, &page_map)?;
    Ok(Core {
        format: Format::Minidump { version: header.version },
        arch: header.arch,
        hints: Hints::PageMap(page_map),
        header: end.trailer,
        facts: Facts {
            file_len: source.len(),
            page_size: header.page_size,
            pages: memory.count(),
            pages_cut_off: end.pages_cut_off,
            minidump: Some(MinidumpFacts {
                kernbase: header.kernbase,
                direct_map: header.direct_map,
                bitmap_len: header.bitmap_size,
                page_map_len: header.page_map_size,
                message_buffer: layout.message_buffer,
            }),
        },
        warnings: end.warning.into_iter().collect(),
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
            what: format!("a minidump of {:?}", String::from_utf8_lossy(other)),
        }),
    }
}

/// How the file ends.
#[derive(Default)]
struct End {
    pages_cut_off: u64,
    trailer: Option<KernelDumpHeader>,
    warning: Option<String>,
}

/// Holds what the bitmap promises against the file's length.
fn compare_with_length(
    memory: &Pages,
    source: &Source,
    page_map: &PageMap,
) -> Result<End, DumpError> {
    let (pages, whole) = (memory.count(), memory.whole());
    if whole < pages {
        check_page_map(page_map, memory)?;
        let pages_cut_off = pages - whole;
        let warning = Some(format!(
            "the file is shorter than its bitmap promises: \
             {pages_cut_off} of {pages} pages are cut off"
        ));
        return Ok(End { pages_cut_off, warning, ..End::default() });
    }
    let end = usize::try_from(memory.end().get()).unwrap_or(usize::MAX);
    let rest = source.bytes().get(end..).unwrap_or_default();
    // A live dump ends with a header on the next page (sys/kern/kern_vnodedumper.c, 14.0).
    if let Some(trailer) = KernelDumpHeader::parse(rest) {
        return Ok(End { trailer: Some(trailer), ..End::default() });
    }
    // Decompressed and copied dumps may be padded to the blocks they were written in.
    const PADDING: usize = 1 << 20;
    let warning = if rest.len() > PADDING || rest.iter().any(|byte| *byte != 0) {
        check_page_map(page_map, memory)?;
        Some(format!(
            "the file goes on for {:#x} bytes after the last page that its bitmap promises",
            rest.len()
        ))
    } else {
        (pages == 0).then(|| "the page bitmap is empty: no page was dumped".to_owned())
    };
    Ok(End { warning, ..End::default() })
}

/// Do the page map and the page tables behind it look like what they are? Asked
/// only where the file's length says that something is wrong.
fn check_page_map(page_map: &PageMap, memory: &Pages) -> Result<(), DumpError> {
    let odd = match page_map.arch {
        Arch::Amd64 => amd64::odd_entry(page_map, memory),
    };
    let Some((place, value)) = odd else { return Ok(()) };
    Err(DumpError::BadField {
        format: FORMAT,
        field: "page map",
        value: format!("{value:#x} ({place})"),
        why: "that is no page-table entry, so the parts of the dump lie elsewhere: \
              msgbufsize, bitmapsize or pmapsize is wrong"
            .to_owned(),
    })
}
