//! Raw physical memory: a hypervisor's memory file (QEMU's `pmemsave` or a memory
//! backend), or `/dev/mem`. It has no header. The caller must know
//! the machine, and where memory lies if file offsets are not physical addresses.
//!
//! A device has no length, and not only memory. So where it has memory must be known too.

use std::sync::Arc;

use super::segment::Segment;
use super::segments::Segments;
use super::{Clues, Core, Facts, Format, Hints};
use crate::addr::{FileOffset, PhysAddr};
use crate::arch::Arch;
use crate::dump::{DumpError, NotADump};
use crate::source::Source;

/// A stretch of physical memory and its position in a raw file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySegment {
    /// Its first physical address.
    pub phys: PhysAddr,
    /// Its length in bytes.
    pub len: u64,
    /// Where its first byte is in the file.
    pub offset: FileOffset,
}

/// The page size of every machine is this or a multiple.
const PAGE: u64 = 4096;

/// Opens `source` as the memory of a machine. `segments` says where memory lies. If it is
/// empty, the offset of each byte in the file is its physical address. Of a device nothing is
/// read but `segments`: of an empty list, nothing at all.
///
/// # Errors
/// The segments overlap or wrap around, or the file is empty.
pub fn open_raw(
    source: Arc<Source>,
    arch: Arch,
    segments: &[MemorySegment],
) -> Result<Core, DumpError> {
    if source.is_empty() && !source.is_device() {
        return Err(NotADump::Empty.into());
    }
    let mut sorted = match segments {
        [] if source.is_device() => Vec::new(),
        [] => vec![Segment { start: 0, len: source.len(), offset: 0 }],
        segments => segments.iter().map(segment).collect::<Result<_, _>>()?,
    };
    sorted.sort_by_key(|segment| segment.start);
    for pair in sorted.windows(2) {
        if let [first, second] = pair
            && first.start + first.len > second.start
        {
            let why = format!("the segment at {:#x} reaches beyond that", first.start);
            return Err(bad("start", second.start, &why));
        }
    }
    let memory = Segments::new(Arc::clone(&source), sorted);
    let (pages, pages_cut_off) = memory.count(PAGE);
    let is_live = source.is_device();
    let warning = (pages_cut_off > 0).then(|| {
        format!(
            "the file is shorter than its memory map: {pages_cut_off} of {pages} pages are cut off"
        )
    });
    Ok(Core {
        format: if is_live { Format::Live } else { Format::Raw },
        arch,
        hints: Hints::Physical,
        clues: Clues::default(),
        header: None,
        packed: None,
        facts: Facts {
            file_len: if is_live { pages.saturating_mul(PAGE) } else { source.len() },
            page_size: PAGE,
            pages,
            memory_pages: None,
            pages_cut_off,
            minidump: None,
        },
        warnings: warning.into_iter().collect(),
        memory: Box::new(memory),
    })
}

fn segment(segment: &MemorySegment) -> Result<Segment, DumpError> {
    let MemorySegment { phys, len, offset } = *segment;
    if len == 0 || phys.checked_add(len).is_none() {
        return Err(bad("length", len, &format!("from {phys} on it is empty or wraps around")));
    }
    if offset.checked_add(len).is_none() {
        return Err(bad("offset", offset.get(), "with its length it wraps around"));
    }
    Ok(Segment { start: phys.get(), len, offset: offset.get() })
}

fn bad(field: &'static str, value: u64, why: &str) -> DumpError {
    let value = format!("{value:#x}");
    DumpError::BadField { format: "memory map", field, value, why: why.to_owned() }
}
