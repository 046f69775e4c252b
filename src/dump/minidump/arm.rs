//! The minidump header of armv6 and armv7 (`sys/arm/include/minidump.h`): version 1
//! until 12, version 2 (dump_avail) since 13.0. 24 bytes of magic; all fields
//! are little-endian and 32 bits wide, but the memory ranges are 64 bits wide.

use super::header::{
    CommonFields, DecodedEntry, Entries, Header, HeaderFields, Versions, bad, check_upper,
};
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::dump::{DumpError, PageMapFormat};

const PAGE: u64 = 4 << 10;

/// The kernel begins at 3 GB (KERNBASE) on a boundary of level-1 entries.
const SECTION: u64 = 1 << 20;
const LOWEST: u64 = 1 << 30;

const VERSIONS: Versions = Versions { arch: "arm", since: 2, last: 2 };

/// Reads the header page at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DumpError> {
    let fields = HeaderFields::new(bytes, Endian::Little);
    let head = CommonFields::parse(&fields, 24, Arch::Arm)?;
    let dump_avail_size = head.dump_avail_size(&fields, 52, VERSIONS)?;
    let kernbase = u64::from(fields.u32(40)?);
    check_upper("kernbase", kernbase, LOWEST, SECTION)?;
    let (map_format, size, decode) = match fields.u32(48)? {
        // Kernels wrote 0 before the field existed. 1 is the format of ARMv4,
        // which differs only in tiny pages, which no kernel uses.
        0..=2 => (PageMapFormat::ArmShort, 4, decode_short as fn(u64, u64) -> Option<DecodedEntry>),
        3 => (PageMapFormat::ArmLong, 8, decode_long as fn(u64, u64) -> Option<DecodedEntry>),
        other => return Err(bad("mmuformat", other.into(), "it is 1, 2 or 3, or 0 in old dumps")),
    };
    head.check_page_map(size, PAGE, kernbase, 32)?;
    Ok(Header {
        arch: Arch::Arm,
        version: head.version,
        page_size: PAGE,
        message_buffer_size: head.message_buffer_size.into(),
        dump_avail_size,
        bitmap_size: head.bitmap_size.into(),
        page_map_size: head.page_map_size.into(),
        kernbase: VirtAddr::new(kernbase),
        direct_map: None,
        map_format,
        entries: Entries { size: size as usize, endian: Endian::Little, decode },
        is_sure: false,
        start: None,
    })
}

/// Every bit of a small page's entry can be set.
fn decode_short(entry: u64, _: u64) -> Option<DecodedEntry> {
    let frame = match entry & 3 {
        0 => return None,
        1 => entry & 0xffff_0000,
        _ => entry & 0xffff_f000,
    };
    Some(DecodedEntry { frame, odd: false })
}

/// Bits 40 to 51 are reserved, and so is type 1 in the last level.
fn decode_long(entry: u64, _: u64) -> Option<DecodedEntry> {
    const FRAME: u64 = 0x0000_00ff_ffff_f000;
    const RESERVED: u64 = 0x000f_ff00_0000_0000;
    let odd = entry & RESERVED != 0 || entry & 3 == 1;
    (entry & 1 != 0).then_some(DecodedEntry { frame: entry & FRAME, odd })
}
