//! What the minidump headers of all architectures have in common, and the order
//! of the parts of a minidump.

use std::sync::Arc;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::dump::{DirectMap, DumpError, PageMapFormat};
use crate::source::{Region, Source};

/// The format's name in messages.
pub(super) const FORMAT: &str = "minidump";

/// A header in a form common to all architectures. Sizes are in bytes.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) arch: Arch,
    pub(super) version: u32,
    pub(super) page_size: u64,
    pub(super) message_buffer_size: u64,
    /// Zero in versions without dump_avail.
    pub(super) dump_avail_size: u64,
    pub(super) bitmap_size: u64,
    pub(super) page_map_size: u64,
    pub(super) kernbase: VirtAddr,
    pub(super) direct_map: Option<DirectMap>,
    pub(super) map_format: PageMapFormat,
    pub(super) entries: Entries,
    /// `false` if a field decides what the page map is and only the page map
    /// itself can confirm it.
    pub(super) is_sure: bool,
    /// Where the kernel's image runs, if not where it is linked.
    pub(super) start: Option<VirtAddr>,
}

/// What the entries of a page map show by themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries {
    /// Bytes of one entry: 4, 8 or 16.
    pub(super) size: usize,
    pub(super) endian: Endian,
    /// What a valid entry points to, and whether it looks like a kernel's; `None`
    /// for an entry that is not valid. An entry of 16 bytes is two words; for others
    /// the second word is zero.
    pub(super) decode: fn(u64, u64) -> Option<DecodedEntry>,
}

/// A valid entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecodedEntry {
    pub(super) frame: u64,
    /// Is a bit set that kernels always leave clear?
    pub(super) odd: bool,
}

/// The version and the three sizes that are side by side in every header.
pub(super) struct CommonFields {
    pub(super) version: u32,
    pub(super) message_buffer_size: u32,
    pub(super) bitmap_size: u32,
    pub(super) page_map_size: u32,
}

impl CommonFields {
    /// Reads them from `offset`, and checks what holds for every architecture.
    pub(super) fn parse(
        fields: &HeaderFields<'_>,
        offset: usize,
        arch: Arch,
    ) -> Result<Self, DumpError> {
        let head = Self {
            version: fields.u32(offset)?,
            message_buffer_size: fields.u32(offset + 4)?,
            bitmap_size: fields.u32(offset + 8)?,
            page_map_size: fields.u32(offset + 12)?,
        };
        // The kernel stores the bitmap in words.
        if head.bitmap_size == 0 || !u64::from(head.bitmap_size).is_multiple_of(arch.pointer_size())
        {
            let why = "the bitmap is a whole number of words, and never empty";
            return Err(bad("bitmapsize", head.bitmap_size.into(), why));
        }
        Ok(head)
    }

    /// The size of the list of memory ranges. Since version `since` it is
    /// at `at`; versions after `last` are unknown.
    pub(super) fn dump_avail_size(
        &self,
        fields: &HeaderFields<'_>,
        at: usize,
        versions: Versions,
    ) -> Result<u64, DumpError> {
        let Versions { arch, since, last } = versions;
        match self.version {
            0 => Err(bad("version", 0, "versions count from 1")),
            version if version > last => {
                let what =
                    format!("version {version} of the {arch} minidump (1 to {last} are known)");
                Err(DumpError::Unsupported { what })
            }
            version if version < since => Ok(0),
            _ => ranges_size(fields.u32(at)?.into()),
        }
    }

    /// Checks that the page map consists of whole entries of `entry` bytes, and that what they
    /// map, `span` bytes each, fits between `kernbase` and the end at 2^`bits`.
    pub(super) fn check_page_map(
        &self,
        entry: u64,
        span: u64,
        kernbase: u64,
        bits: u32,
    ) -> Result<(), DumpError> {
        let size = u64::from(self.page_map_size);
        if size == 0 || !size.is_multiple_of(entry) {
            return Err(bad("pmapsize", size, "the page map is a whole number of entries"));
        }
        let room = (u64::MAX >> (64 - bits)).wrapping_sub(kernbase).wrapping_add(1);
        if u128::from(size / entry) * u128::from(span) > u128::from(room) {
            let why = format!("from {kernbase:#x} on there are only {room:#x} bytes to map");
            return Err(bad("pmapsize", size, &why));
        }
        Ok(())
    }
}

/// The versions of an architecture's minidump.
#[derive(Debug, Clone, Copy)]
pub(super) struct Versions {
    /// The architecture's name in messages.
    pub(super) arch: &'static str,
    /// The first one with memory ranges.
    pub(super) since: u32,
    /// The last one known.
    pub(super) last: u32,
}

fn ranges_size(size: u64) -> Result<u64, DumpError> {
    // The kernel writes its static array, rounded up to a page.
    const LARGEST: u64 = 1 << 18;
    if size == 0 || !size.is_multiple_of(16) || size > LARGEST {
        let why = "it lists the memory ranges in a page or a few, 16 bytes each";
        return Err(bad("dumpavailsize", size, why));
    }
    Ok(size)
}

/// Refuses `value` unless it is an address of the kernel on a boundary of `align` bytes.
pub(super) fn check_upper(
    field: &'static str,
    value: u64,
    lowest: u64,
    align: u64,
) -> Result<(), DumpError> {
    if value >= lowest && value.is_multiple_of(align) {
        return Ok(());
    }
    let align = if align >= 1 << 20 {
        format!("{} MB", align >> 20)
    } else {
        format!("{} KB", align >> 10)
    };
    let why = format!("it is an address of the kernel's, on a boundary of {align}");
    Err(bad(field, value, &why))
}

/// The direct map according to dmapbase and dmapend.
pub(super) fn direct_map(start: u64, end: u64, phys: u64) -> Result<DirectMap, DumpError> {
    if end <= start {
        return Err(bad("dmapend", end, &format!("the direct map begins at {start:#x}")));
    }
    Ok(DirectMap { range: VirtAddr::new(start)..VirtAddr::new(end), phys: PhysAddr::new(phys) })
}

/// The header's fields. A read past the end of the file is an error of the dump.
pub(super) struct HeaderFields<'a> {
    fields: Fields<'a>,
    file_len: u64,
}

impl<'a> HeaderFields<'a> {
    /// The fields of the header at the start of the file `bytes`.
    pub(super) fn new(bytes: &'a [u8], endian: Endian) -> Self {
        Self { fields: Fields::new(bytes, endian), file_len: bytes.len() as u64 }
    }

    pub(super) fn u32(&self, at: usize) -> Result<u32, DumpError> {
        self.fields.u32(at).ok_or(self.cut_off(at + 4))
    }

    pub(super) fn u64(&self, at: usize) -> Result<u64, DumpError> {
        self.fields.u64(at).ok_or(self.cut_off(at + 8))
    }

    fn cut_off(&self, needed: usize) -> DumpError {
        let (what, needed) = ("the minidump header", needed as u64);
        DumpError::Truncated { what, needed, length: self.file_len }
    }
}

/// Where the parts of one minidump lie.
pub(super) struct Layout {
    pub(super) message_buffer: Region,
    /// What follows the message buffer in its last page.
    pub(super) after_messages: Region,
    pub(super) dump_avail: Option<Region>,
    pub(super) bitmap: Region,
    pub(super) page_map: Region,
    pub(super) pages: FileOffset,
    pub(super) before_bitmap: Region,
    /// The page map in whole pages.
    pub(super) after_bitmap: Region,
}

impl Layout {
    /// Lays out the parts that `header` describes.
    ///
    /// # Errors
    /// The file ends before the first page, so nothing in it can be read.
    pub(super) fn of(header: &Header, source: &Arc<Source>) -> Result<Self, DumpError> {
        let mut parts = Parts { source, page_size: header.page_size, next: header.page_size };
        let message_buffer =
            parts.take("the message buffer (msgbufsize)", header.message_buffer_size)?;
        let messages_end = header.page_size.saturating_add(header.message_buffer_size);
        let (at, len) = (FileOffset::new(messages_end), parts.next - messages_end);
        let what = "the message buffer (msgbufsize)";
        let cut_off = DumpError::Truncated { what, needed: parts.next, length: source.len() };
        let after_messages = Region::new(source, at, len).ok_or(cut_off)?;
        let dump_avail = match header.dump_avail_size {
            0 => None,
            size => Some(parts.take("the list of memory ranges (dumpavailsize)", size)?),
        };
        let before_bitmap = parts.since(0)?;
        let bitmap = parts.take("the page bitmap (bitmapsize)", header.bitmap_size)?;
        let bitmap_end = parts.next;
        let page_map = parts.take("the page map (pmapsize)", header.page_map_size)?;
        let pages = FileOffset::new(parts.next);
        let after_bitmap = parts.since(bitmap_end)?;
        Ok(Self {
            message_buffer,
            after_messages,
            dump_avail,
            bitmap,
            page_map,
            pages,
            before_bitmap,
            after_bitmap,
        })
    }
}

/// Takes one part after another from the file.
struct Parts<'a> {
    source: &'a Arc<Source>,
    page_size: u64,
    next: u64,
}

impl Parts<'_> {
    /// The file from `start` to where the next part begins.
    fn since(&self, start: u64) -> Result<Region, DumpError> {
        let region = Region::new(self.source, FileOffset::new(start), self.next - start);
        let (needed, length) = (self.next, self.source.len());
        region.ok_or(DumpError::Truncated { what: "the minidump's head", needed, length })
    }

    fn take(&mut self, what: &'static str, size: u64) -> Result<Region, DumpError> {
        let end = size
            .checked_next_multiple_of(self.page_size)
            .and_then(|rounded| self.next.checked_add(rounded))
            .filter(|end| *end <= self.source.len());
        let start = FileOffset::new(self.next);
        match (end, Region::new(self.source, start, size)) {
            (Some(end), Some(region)) => {
                self.next = end;
                Ok(region)
            }
            _ => {
                let needed = self.next.saturating_add(size);
                Err(DumpError::Truncated { what, needed, length: self.source.len() })
            }
        }
    }
}

/// The error for a field that cannot hold `value`.
pub(super) fn bad(field: &'static str, value: u64, why: &str) -> DumpError {
    DumpError::BadField { format: FORMAT, field, value: format!("{value:#x}"), why: why.to_owned() }
}
