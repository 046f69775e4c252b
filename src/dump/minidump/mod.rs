//! Minidumps: the pages that the kernel had mapped, located by a bitmap.
//!
//! The parts are a header page, the message buffer, the ranges of physical memory (in newer
//! versions), a bitmap with one bit for each page, the kernel's page map, and then the
//! pages whose bits are set, in ascending order. Each part is rounded up to whole
//! pages. `header` knows that order, one file for each architecture its
//! header, `bitmap` where a page lies, and `pages` how it is read.
//!
//! Impossible sizes are refused and the field is named. A wrong size moves
//! every later part, and what is read there is arbitrary data. So the file's
//! length must agree with the bitmap, or else the page map must look like one. A
//! file that merely ends among its pages is read up to its end, with a warning.

mod amd64;
mod arm;
mod arm64;
mod bitmap;
mod entries;
mod header;
mod i386;
mod pages;
mod powerpc64;
mod riscv64;

use std::sync::Arc;

use super::{
    Clues, Core, DirectMap, Facts, Format, Hints, KernelDumpHeader, MinidumpFacts, PageMap,
    PageMapFormat,
};
use crate::dump::DumpError;
use crate::source::Source;
use bitmap::{Bitmap, Ranges};
use header::{Header, Layout, bad};
use pages::Pages;

/// The first bytes of every minidump.
pub(super) const MAGIC: &[u8] = b"minidump FreeBSD/";

/// Opens the minidump in `source`.
pub(super) fn open(source: &Arc<Source>) -> Result<Core, DumpError> {
    let header = read_header(source)?;
    let layout = Layout::of(&header, source)?;
    let ranges = match &layout.dump_avail {
        Some(region) => Ranges::parse(region.bytes(), &header)?,
        None => Ranges::from_zero(header.bitmap_size),
    };
    let described = layout.dump_avail.is_some().then(|| ranges.numbered(header.page_size));
    let memory_pages = layout.dump_avail.is_some().then(|| ranges.pages());
    let page_map = PageMap {
        format: header.map_format,
        kernbase: header.kernbase,
        direct_map: header.direct_map.clone(),
        entries: layout.page_map,
    };
    let bitmap = Bitmap::new(layout.bitmap, header.arch.endian(), ranges)?;
    let memory = Pages::new(Arc::clone(source), bitmap, layout.pages, header.page_size);
    let check = || entries::check(&page_map, header.entries, &memory);
    if !header.is_sure {
        entries::check_kind(&page_map, header.entries, &memory)?;
    }
    let end = compare_with_length(&memory, source, &header, check)?;
    let direct_map_warning =
        header.direct_map.as_ref().and_then(|map| odd_direct_map(map, &header, &memory));
    Ok(Core {
        format: Format::Minidump { version: header.version },
        arch: header.arch,
        hints: Hints::PageMap(page_map),
        clues: Clues { start: header.start, ..Clues::default() },
        header: end.trailer,
        packed: None,
        facts: Facts {
            file_len: source.len(),
            page_size: header.page_size,
            pages: memory.count(),
            memory_pages,
            pages_cut_off: end.pages_cut_off,
            minidump: Some(MinidumpFacts {
                kernbase: header.kernbase,
                direct_map: header.direct_map,
                bitmap_len: header.bitmap_size,
                page_map_len: header.page_map_size,
                before_bitmap: layout.before_bitmap,
                after_bitmap: layout.after_bitmap,
                ranges: described,
                messages_at_end: layout.after_messages,
                message_buffer: layout.message_buffer,
            }),
        },
        warnings: end.warning.into_iter().chain(direct_map_warning).collect(),
        memory: Box::new(memory),
    })
}

fn read_header(source: &Source) -> Result<Header, DumpError> {
    let bytes = source.bytes();
    let rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    // The name is short and ends with a NUL. A damaged one must not flood a message.
    let name = rest.iter().take(16).take_while(|byte| **byte != 0).copied().collect::<Vec<_>>();
    match name.as_slice() {
        b"amd64" => amd64::header(bytes),
        b"arm64" => arm64::header(bytes),
        b"riscv" => riscv64::header(bytes),
        b"i386" => i386::header(bytes),
        b"arm" => arm::header(bytes),
        b"powerpc64" => powerpc64::header(bytes),
        other => Err(DumpError::Unsupported {
            what: format!("a minidump of the architecture {:?}", String::from_utf8_lossy(other)),
        }),
    }
}

/// Warns if the header puts the direct map at a strange physical address. It should be
/// the beginning of memory rounded down to what an entry of level 1 covers
/// (`pmap_bootstrap` in sys/arm64/arm64/pmap.c and sys/riscv/riscv/pmap.c).
fn odd_direct_map(map: &DirectMap, header: &Header, memory: &Pages) -> Option<String> {
    if !matches!(header.map_format, PageMapFormat::Arm64 { .. } | PageMapFormat::Riscv64) {
        return None;
    }
    let entries = header.page_size / 8;
    let level_1 = header.page_size * entries * entries;
    let lowest = memory.lowest()?;
    let lies = match lowest.offset_from(map.phys) {
        None => "below",
        Some(distance) if distance >= level_1 => "far above",
        Some(_) => return None,
    };
    Some(format!(
        "the direct map is said to begin at physical {} (dmapphys), but memory begins at {lowest}, \
         {lies} it",
        map.phys
    ))
}

/// How the file ends.
#[derive(Default)]
struct End {
    pages_cut_off: u64,
    trailer: Option<KernelDumpHeader>,
    warning: Option<String>,
}

/// Compares what the bitmap promises with the file's length. `check` tells whether
/// the page map looks like one; it is called only if something is wrong.
fn compare_with_length(
    memory: &Pages,
    source: &Source,
    header: &Header,
    check: impl Fn() -> Result<(), DumpError>,
) -> Result<End, DumpError> {
    let (pages, whole) = (memory.count(), memory.whole());
    if whole < pages {
        check()?;
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
    if let Some(trailer) = KernelDumpHeader::parse(rest).filter(|trailer| trailer.parity_holds) {
        return Ok(End { trailer: Some(trailer), ..End::default() });
    }
    // Decompressed and copied dumps may be padded to the block size they were written with.
    const PADDING: usize = 1 << 20;
    let warning = if rest.len() > PADDING || rest.iter().any(|byte| *byte != 0) {
        check()?;
        // Tables among the pages would have shown that the pages lie elsewhere.
        if header.map_format != PageMapFormat::Amd64Directories
            && rest.len() as u64 >= memory.page_size()
        {
            let why = format!(
                "the file goes on for {:#x} bytes after the last page that its bitmap promises, \
                 so bitmapsize or pmapsize is wrong, or something was appended to the dump",
                rest.len()
            );
            return Err(bad("pmapsize", header.page_map_size, &why));
        }
        Some(format!(
            "the file goes on for {:#x} bytes after the last page that its bitmap promises",
            rest.len()
        ))
    } else {
        (pages == 0).then(|| "the page bitmap is empty: no page was dumped".to_owned())
    };
    Ok(End { warning, ..End::default() })
}
