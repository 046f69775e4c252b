//! The minidump header of riscv64 (`sys/riscv/include/minidump.h`): version 1 in
//! 12, version 2 (dump_avail) since 13.0. 24 bytes of magic; all fields
//! little-endian, the same as arm64's of these versions.

use super::header::{
    CommonFields, DecodedEntry, Entries, Header, HeaderFields, Versions, bad, check_upper,
    direct_map,
};
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::dump::{DumpError, PageMapFormat};

const PAGE: u64 = 4 << 10;

/// The direct map begins on a boundary of large pages, in both spaces.
const LARGE_PAGE: u64 = 2 << 20;

/// The lowest address of the kernel's half with four levels of page tables.
const KERNEL_HALF: u64 = 0xffff_8000_0000_0000;

const VERSIONS: Versions = Versions { arch: "riscv", since: 2, last: 2 };

/// Reads the header page at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DumpError> {
    let fields = HeaderFields::new(bytes, Endian::Little);
    let head = CommonFields::parse(&fields, 24, Arch::Riscv64)?;
    let dump_avail_size = head.dump_avail_size(&fields, 72, VERSIONS)?;
    let (kernbase, phys) = (fields.u64(40)?, fields.u64(48)?);
    let (start, end) = (fields.u64(56)?, fields.u64(64)?);
    check_upper("kernbase", kernbase, KERNEL_HALF, LARGE_PAGE)?;
    check_upper("dmapbase", start, KERNEL_HALF, LARGE_PAGE)?;
    check_upper("dmapend", end, KERNEL_HALF, PAGE)?;
    if phys >> 56 != 0 || !phys.is_multiple_of(LARGE_PAGE) {
        let why = "it is a physical address (up to 56 bits) on a boundary of 2 MB";
        return Err(bad("dmapphys", phys, why));
    }
    head.check_page_map(8, PAGE, kernbase, 64)?;
    Ok(Header {
        arch: Arch::Riscv64,
        version: head.version,
        page_size: PAGE,
        message_buffer_size: head.message_buffer_size.into(),
        dump_avail_size,
        bitmap_size: head.bitmap_size.into(),
        page_map_size: head.page_map_size.into(),
        kernbase: VirtAddr::new(kernbase),
        direct_map: Some(direct_map(start, end, phys)?),
        map_format: PageMapFormat::Riscv64,
        entries: Entries { size: 8, endian: Endian::Little, decode },
        is_sure: true,
        start: None,
    })
}

/// Bits 54 to 60 are reserved.
fn decode(entry: u64, _: u64) -> Option<DecodedEntry> {
    const VALID: u64 = 1;
    const LEAF: u64 = 0b1110;
    const FRAME: u64 = 0x003f_ffff_ffff_fc00;
    const RESERVED: u64 = 0x1fc0_0000_0000_0000;
    let odd = entry & RESERVED != 0;
    let leaf = entry & VALID != 0 && entry & LEAF != 0;
    leaf.then_some(DecodedEntry { frame: (entry & FRAME) << 2, odd })
}
