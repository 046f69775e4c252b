//! The minidump header of powerpc64 (`sys/powerpc/include/minidump.h`): version 1
//! in 12, version 2 (dump_avail) since 13.0. 32 bytes of magic, then 32 bytes with the name
//! of the page-table driver. The fields are in the kernel's byte order, which the
//! magic does not record.

use super::header::{
    CommonFields, DecodedEntry, Entries, Header, HeaderFields, Versions, bad, check_upper,
    direct_map,
};
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::dump::{DumpError, PageMapFormat};

const PAGE: u64 = 4 << 10;

/// A segment covers 256 MB.
const SEGMENT: u64 = 256 << 20;
/// The direct map begins here, the kernel's own space at 0xe000000000000000.
const LOWEST: u64 = 0xc000_0000_0000_0000;

const VERSIONS: Versions = Versions { arch: "powerpc64", since: 2, last: 2 };

/// Reads the header page at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DumpError> {
    let endian = endian(bytes);
    let arch = if endian == Endian::Big { Arch::Powerpc64 } else { Arch::Powerpc64le };
    let fields = HeaderFields::new(bytes, endian);
    let head = CommonFields::parse(&fields, 64, arch)?;
    let dump_avail_size = head.dump_avail_size(&fields, 136, VERSIONS)?;
    let (kernbase, kernend) = (fields.u64(80)?, fields.u64(88)?);
    let (start, end) = (fields.u64(96)?, fields.u64(104)?);
    let (startkernel, endkernel) = (fields.u64(120)?, fields.u64(128)?);
    check_upper("kernbase", kernbase, LOWEST, SEGMENT)?;
    check_upper("dmapbase", start, LOWEST, SEGMENT)?;
    if kernend <= kernbase {
        return Err(bad("kernend", kernend, &format!("kernbase is {kernbase:#x}")));
    }
    // The last address, not the one after it.
    let after = end.checked_add(1).filter(|after| *after <= kernbase && after % PAGE == 0);
    let after = after.ok_or_else(|| {
        bad("dmapend", end, "it is the last address of the direct map, below kernbase")
    })?;
    if startkernel < LOWEST || endkernel <= startkernel {
        let why = "the kernel's image lies between startkernel and endkernel, where it can map it";
        return Err(bad("startkernel", startkernel, why));
    }
    let (map_format, entries) = mmu(bytes, endian, head.page_map_size)?;
    Ok(Header {
        arch,
        version: head.version,
        page_size: PAGE,
        message_buffer_size: head.message_buffer_size.into(),
        dump_avail_size,
        bitmap_size: head.bitmap_size.into(),
        page_map_size: head.page_map_size.into(),
        kernbase: VirtAddr::new(kernbase),
        direct_map: Some(direct_map(start, after, 0)?),
        map_format,
        entries,
        is_sure: true,
        start: Some(VirtAddr::new(startkernel)),
    })
}

/// A version is a small number only in the right byte order.
fn endian(bytes: &[u8]) -> Endian {
    let version = |fields: Fields<'_>| fields.u32(64).unwrap_or(0);
    match version(Fields::big(bytes)) <= version(Fields::little(bytes)) {
        true => Endian::Big,
        false => Endian::Little,
    }
}

/// The page tables that a driver of this name uses.
fn mmu(bytes: &[u8], kernel: Endian, size: u32) -> Result<(PageMapFormat, Entries), DumpError> {
    const ROOT: u32 = 64 << 10;
    const GROUP: u32 = 128;
    let name = Fields::big(bytes).text(32, 32).unwrap_or_default();
    // A hypervisor returns entries in registers; the table itself has the processor's order.
    let endian = match name.as_str() {
        "mmu_phyp" => kernel,
        _ => Endian::Big,
    };
    match name.as_str() {
        "mmu_g5" | "mmu_phyp" if size.is_power_of_two() && size >= GROUP => Ok((
            PageMapFormat::Powerpc64Hash { endian },
            Entries { size: 16, endian, decode: decode_hash },
        )),
        "mmu_radix" if size == ROOT => {
            Ok((PageMapFormat::Powerpc64Radix, Entries { size: 8, endian, decode: decode_radix }))
        }
        "mmu_g5" | "mmu_phyp" | "mmu_radix" => {
            let why = "a hashed page table has a power of two, the root of a radix tree 64 KB";
            Err(bad("pmapsize", size.into(), why))
        }
        _ => {
            let what = format!("a powerpc64 minidump with page tables of {name:?}");
            Err(DumpError::Unsupported { what })
        }
    }
}

/// The kernel's own entries; the table has those of all processes too. No segment has a
/// number of more than 38 bits or a size other than 256 MB.
fn decode_hash(first: u64, second: u64) -> Option<DecodedEntry> {
    const VALID: u64 = 1;
    const LARGE: u64 = 1 << 2;
    const KERNEL: u64 = 1 << 48;
    const FRAME: u64 = 0x0fff_ffff_ffff_f000;
    let odd = first >> 50 != 0;
    let kernel = first & (KERNEL | LARGE) == KERNEL;
    let told = first & VALID != 0 && (odd || kernel);
    told.then_some(DecodedEntry { frame: second & FRAME, odd })
}

/// Bits 56 to 60 are reserved.
fn decode_radix(entry: u64, _: u64) -> Option<DecodedEntry> {
    const VALID: u64 = 1 << 63;
    const NEXT: u64 = 0x00ff_ffff_ffff_ff00;
    let odd = entry & 0x1f00_0000_0000_0000 != 0;
    (entry & VALID != 0).then_some(DecodedEntry { frame: entry & NEXT & !0xfff, odd })
}
