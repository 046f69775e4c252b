//! The minidump header of i386 (`sys/i386/include/minidump.h`): version 1 until
//! 12, version 2 (dump_avail) since 13.0. 24 bytes of magic; all fields
//! are little-endian and 32 bits wide, but the memory ranges are 64 bits wide.

use super::header::{
    CommonFields, DecodedEntry, Entries, Header, HeaderFields, Versions, bad, check_upper,
};
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::dump::{DumpError, PageMapFormat};

const PAGE: u64 = 4 << 10;

/// The kernel begins on a boundary of large pages: at 3 GB until 11. Since 12 it has an
/// address space of its own and begins at 8 MB, or at 4 MB with PAE.
const LARGE_PAGE: u64 = 2 << 20;

const VERSIONS: Versions = Versions { arch: "i386", since: 2, last: 2 };

/// Reads the header page at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DumpError> {
    let fields = HeaderFields::new(bytes, Endian::Little);
    let head = CommonFields::parse(&fields, 24, Arch::I386)?;
    let dump_avail_size = head.dump_avail_size(&fields, 48, VERSIONS)?;
    let kernbase = u64::from(fields.u32(40)?);
    check_upper("kernbase", kernbase, LARGE_PAGE, LARGE_PAGE)?;
    let (map_format, entries) = match fields.u32(44)? {
        0 => (PageMapFormat::I386, Entries { size: 4, endian: Endian::Little, decode }),
        1 => (
            PageMapFormat::I386Pae,
            Entries { size: 8, endian: Endian::Little, decode: decode_pae },
        ),
        other => return Err(bad("paemode", other.into(), "it is 1 with PAE and 0 without")),
    };
    head.check_page_map(entries.size as u64, PAGE, kernbase, 32)?;
    Ok(Header {
        arch: Arch::I386,
        version: head.version,
        page_size: PAGE,
        message_buffer_size: head.message_buffer_size.into(),
        dump_avail_size,
        bitmap_size: head.bitmap_size.into(),
        page_map_size: head.page_map_size.into(),
        kernbase: VirtAddr::new(kernbase),
        direct_map: None,
        map_format,
        entries,
        is_sure: false,
        start: None,
    })
}

/// The kernel's own pages are not the user's (bit 2).
fn decode(entry: u64, _: u64) -> Option<DecodedEntry> {
    const VALID: u64 = 1;
    const USER: u64 = 1 << 2;
    let odd = entry & USER != 0;
    (entry & VALID != 0).then_some(DecodedEntry { frame: entry & 0xffff_f000, odd })
}

/// With PAE, bits 52 to 62 are also reserved.
fn decode_pae(entry: u64, _: u64) -> Option<DecodedEntry> {
    const FRAME: u64 = 0x000f_ffff_ffff_f000;
    const RESERVED: u64 = 0x7ff0_0000_0000_0000;
    let low = decode(entry & 0xffff_ffff, 0)?;
    Some(DecodedEntry { frame: entry & FRAME, odd: low.odd || entry & RESERVED != 0 })
}
