//! The minidump header of arm64 (`sys/arm64/include/minidump.h`): version 1 until
//! 12, version 2 (dump_avail) since 13.0, version 3 (the size of a page in the
//! flags) since 14.0. 24 bytes of magic; all fields little-endian.

use super::header::{
    CommonFields, DecodedEntry, Entries, Header, HeaderFields, Versions, bad, check_upper,
    direct_map,
};
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::dump::{DumpError, PageMapFormat};

const PAGE_4K: u64 = 4 << 10;
const PAGE_16K: u64 = 16 << 10;

/// The direct map begins on a boundary of blocks, in both spaces.
const BLOCK: u64 = 2 << 20;

/// The lowest address that the kernel's tables (TTBR1) reach.
const KERNEL_HALF: u64 = 0xffff_0000_0000_0000;

const VERSIONS: Versions = Versions { arch: "arm64", since: 2, last: 3 };

/// Reads the header page at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DumpError> {
    let fields = HeaderFields::new(bytes, Endian::Little);
    let head = CommonFields::parse(&fields, 24, Arch::Arm64)?;
    let dump_avail_size = head.dump_avail_size(&fields, 72, VERSIONS)?;
    let page_size = match head.version {
        1 | 2 => PAGE_4K,
        _ => page_size(fields.u32(76)?)?,
    };
    let (kernbase, phys) = (fields.u64(40)?, fields.u64(48)?);
    let (start, end) = (fields.u64(56)?, fields.u64(64)?);
    check_upper("kernbase", kernbase, KERNEL_HALF, BLOCK)?;
    check_upper("dmapbase", start, KERNEL_HALF, BLOCK)?;
    check_upper("dmapend", end, KERNEL_HALF, PAGE_4K)?;
    if phys >> 52 != 0 || !phys.is_multiple_of(BLOCK) {
        let why = "it is a physical address (up to 52 bits) on a boundary of 2 MB";
        return Err(bad("dmapphys", phys, why));
    }
    head.check_page_map(8, page_size, kernbase, 64)?;
    Ok(Header {
        arch: Arch::Arm64,
        version: head.version,
        page_size,
        message_buffer_size: head.message_buffer_size.into(),
        dump_avail_size,
        bitmap_size: head.bitmap_size.into(),
        page_map_size: head.page_map_size.into(),
        kernbase: VirtAddr::new(kernbase),
        direct_map: Some(direct_map(start, end, phys)?),
        map_format: PageMapFormat::Arm64 { page_size },
        entries: Entries { size: 8, endian: Endian::Little, decode },
        is_sure: true,
        start: None,
    })
}

/// Bits 0 and 1 of the flags; no kernel has set any other.
fn page_size(flags: u32) -> Result<u64, DumpError> {
    match flags {
        0 => Ok(PAGE_4K),
        1 => Ok(PAGE_16K),
        2 => Err(DumpError::Unsupported { what: "an arm64 minidump with pages of 64 KB".into() }),
        other => Err(bad("flags", other.into(), "0 means pages of 4 KB, 1 of 16 KB")),
    }
}

/// Bits 48 and 49 are reserved, and 59 to 62 are for the hardware of systems that
/// FreeBSD does not run on.
fn decode(entry: u64, _: u64) -> Option<DecodedEntry> {
    const FRAME: u64 = 0x0000_ffff_ffff_f000;
    const RESERVED: u64 = 0x7803_0000_0000_0000;
    let odd = entry & RESERVED != 0;
    (entry & 1 != 0).then_some(DecodedEntry { frame: entry & FRAME, odd })
}
