//! What the minidump headers of all architectures have in common, and the order
//! of a minidump's parts.

use std::sync::Arc;

use crate::addr::{FileOffset, VirtAddr};
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::dump::DirectMap;
use crate::error::DumpError;
use crate::source::{Region, Source};

/// The format's name in messages.
pub(super) const FORMAT: &str = "minidump";

/// A header in one form for all architectures; sizes in bytes.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) arch: Arch,
    pub(super) version: u32,
    pub(super) page_size: u64,
    pub(super) message_buffer_size: u64,
    /// Zero in the versions that have no dump_avail.
    pub(super) dump_avail_size: u64,
    pub(super) bitmap_size: u64,
    pub(super) page_map_size: u64,
    pub(super) kernbase: VirtAddr,
    pub(super) direct_map: DirectMap,
}

/// The version and the three sizes that stand side by side in every header.
pub(super) struct Head {
    pub(super) version: u32,
    pub(super) message_buffer_size: u32,
    pub(super) bitmap_size: u32,
    pub(super) page_map_size: u32,
}

impl Head {
    /// Reads them from `offset`, and checks what holds on every architecture.
    pub(super) fn parse(fields: &HeaderFields<'_>, offset: usize) -> Result<Self, DumpError> {
        let head = Self {
            version: fields.u32(offset)?,
            message_buffer_size: fields.u32(offset + 4)?,
            bitmap_size: fields.u32(offset + 8)?,
            page_map_size: fields.u32(offset + 12)?,
        };
        // The kernel keeps the bitmap in words of 64 bits.
        if head.bitmap_size == 0 || !head.bitmap_size.is_multiple_of(8) {
            let why = "the bitmap is a whole number of 64-bit words, and never empty";
            return Err(bad("bitmapsize", head.bitmap_size.into(), why));
        }
        Ok(head)
    }
}

/// The header's fields; reading past the end of the file is an error of the dump.
pub(super) struct HeaderFields<'a> {
    fields: Fields<'a>,
    file_len: u64,
}

impl<'a> HeaderFields<'a> {
    /// The fields of the header that the file `bytes` begins with.
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
    pub(super) dump_avail: Option<Region>,
    pub(super) bitmap: Region,
    pub(super) page_map: Region,
    pub(super) pages: FileOffset,
}

impl Layout {
    /// Lays out the parts that `header` describes.
    ///
    /// # Errors
    /// The file ends before the first page: nothing in it can be read then.
    pub(super) fn of(header: &Header, source: &Arc<Source>) -> Result<Self, DumpError> {
        let mut parts = Parts { source, page_size: header.page_size, next: header.page_size };
        let message_buffer =
            parts.take("the message buffer (msgbufsize)", header.message_buffer_size)?;
        let dump_avail = match header.dump_avail_size {
            0 => None,
            size => Some(parts.take("the list of memory ranges (dumpavailsize)", size)?),
        };
        let bitmap = parts.take("the page bitmap (bitmapsize)", header.bitmap_size)?;
        let page_map = parts.take("the page map (pmapsize)", header.page_map_size)?;
        let pages = FileOffset::new(parts.next);
        Ok(Self { message_buffer, dump_avail, bitmap, page_map, pages })
    }
}

/// Takes one part after the other off the file.
struct Parts<'a> {
    source: &'a Arc<Source>,
    page_size: u64,
    next: u64,
}

impl Parts<'_> {
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
