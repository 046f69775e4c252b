//! The minidump header of amd64 (`sys/amd64/include/minidump.h`): version 1 of
//! 7.0 to 8.1, version 2 (page directories instead of page tables) until 12,
//! version 3 (dump_avail) since 13.0. 24 bytes of magic; all fields little-endian.

use super::header::{
    CommonFields, DecodedEntry, Entries, Header, HeaderFields, Versions, check_upper, direct_map,
};
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::dump::{DumpError, PageMapFormat};

const PAGE: u64 = 4096;

/// The kernel lays out its maps in page directories with entries of 2 MB.
const ENTRY_SPAN: u64 = 2 << 20;

/// The lowest address of the kernel's half with five levels of page tables.
const KERNEL_HALF: u64 = 0xff00_0000_0000_0000;

const VERSIONS: Versions = Versions { arch: "amd64", since: 3, last: 3 };

/// Reads the header page at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DumpError> {
    let fields = HeaderFields::new(bytes, Endian::Little);
    let head = CommonFields::parse(&fields, 24, Arch::Amd64)?;
    let (kernbase, start, end) = (fields.u64(40)?, fields.u64(48)?, fields.u64(56)?);
    let dump_avail_size = head.dump_avail_size(&fields, 64, VERSIONS)?;
    for (field, value) in [("kernbase", kernbase), ("dmapbase", start), ("dmapend", end)] {
        check_upper(field, value, KERNEL_HALF, ENTRY_SPAN)?;
    }
    let (map_format, span) = match head.version {
        1 => (PageMapFormat::Amd64Pages, PAGE),
        _ => (PageMapFormat::Amd64Directories, ENTRY_SPAN),
    };
    head.check_page_map(8, span, kernbase, 64)?;
    Ok(Header {
        arch: Arch::Amd64,
        version: head.version,
        page_size: PAGE,
        message_buffer_size: head.message_buffer_size.into(),
        dump_avail_size,
        bitmap_size: head.bitmap_size.into(),
        page_map_size: head.page_map_size.into(),
        kernbase: VirtAddr::new(kernbase),
        direct_map: Some(direct_map(start, end, 0)?),
        map_format,
        entries: Entries { size: 8, endian: Endian::Little, decode },
        is_sure: true,
        start: None,
    })
}

/// The kernel gives its own pages no protection key, so bits 59 to 62
/// of a valid entry are clear. The bits below are free: 14.0 marks promoted large
/// pages with one of them (54). Text, code and pointers rarely have these bits clear.
fn decode(entry: u64, _: u64) -> Option<DecodedEntry> {
    const VALID: u64 = 1;
    const FRAME: u64 = 0x000f_ffff_ffff_f000;
    const PROTECTION_KEY: u64 = 0x7800_0000_0000_0000;
    let odd = entry & PROTECTION_KEY != 0;
    (entry & VALID != 0).then_some(DecodedEntry { frame: entry & FRAME, odd })
}
