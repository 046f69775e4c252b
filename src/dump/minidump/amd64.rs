//! The minidump header of amd64 (`sys/amd64/include/minidump.h`): version 1 of
//! 7.0 to 8.1, version 2 (page directories instead of page tables) until 12,
//! version 3 (dump_avail) since 13.0. 24 bytes of magic; all fields little-endian.

use super::header::{Head, Header, HeaderFields, bad};
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::dump::{DirectMap, PageMap, PhysicalMemory};
use crate::error::DumpError;

const PAGE: u64 = 4096;

/// The kernel lays its maps out by page directories of 2 MB entries.
const ENTRY_SPAN: u64 = 2 << 20;

/// The lowest address of the kernel's half with five levels of page tables.
const KERNEL_HALF: u64 = 0xff00_0000_0000_0000;

/// Reads the header page at the start of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Result<Header, DumpError> {
    let fields = HeaderFields::new(bytes, Endian::Little);
    let head = Head::parse(&fields, 24)?;
    let (kernbase, start, end) = (fields.u64(40)?, fields.u64(48)?, fields.u64(56)?);
    let dump_avail_size = match head.version {
        0 => return Err(bad("version", 0, "versions count from 1")),
        1 | 2 => 0,
        3 => dump_avail_size(fields.u32(64)?)?,
        other => {
            let what = format!("version {other} of the amd64 minidump (1 to 3 are known)");
            return Err(DumpError::Unsupported { what });
        }
    };
    check_maps(kernbase, start, end)?;
    check_page_map(&head, kernbase)?;
    Ok(Header {
        arch: Arch::Amd64,
        version: head.version,
        page_size: PAGE,
        message_buffer_size: head.message_buffer_size.into(),
        dump_avail_size,
        bitmap_size: head.bitmap_size.into(),
        page_map_size: head.page_map_size.into(),
        kernbase: VirtAddr::new(kernbase),
        direct_map: DirectMap {
            range: VirtAddr::new(start)..VirtAddr::new(end),
            phys: PhysAddr::new(0),
        },
    })
}

fn dump_avail_size(size: u32) -> Result<u64, DumpError> {
    let size = u64::from(size);
    // The kernel writes its static array, rounded up to a page.
    if size == 0 || !size.is_multiple_of(16) || size > 64 * PAGE {
        let why = "version 3 lists the memory ranges in a page or a few, 16 bytes each";
        return Err(bad("dumpavailsize", size, why));
    }
    Ok(size)
}

fn check_maps(kernbase: u64, start: u64, end: u64) -> Result<(), DumpError> {
    let plausible = |at: u64| at >= KERNEL_HALF && at.is_multiple_of(ENTRY_SPAN);
    let why = "it lies in the upper half of the address space, on a boundary of 2 MB";
    for (field, value) in [("kernbase", kernbase), ("dmapbase", start), ("dmapend", end)] {
        if !plausible(value) {
            return Err(bad(field, value, why));
        }
    }
    if end <= start {
        return Err(bad("dmapend", end, &format!("the direct map begins at {start:#x}")));
    }
    Ok(())
}

fn check_page_map(head: &Head, kernbase: u64) -> Result<(), DumpError> {
    let size = u64::from(head.page_map_size);
    if size == 0 || !size.is_multiple_of(PAGE) {
        return Err(bad("pmapsize", size, "the page map is whole pages of entries"));
    }
    let span = if head.version == 1 { PAGE } else { ENTRY_SPAN };
    let room = kernbase.wrapping_neg();
    if size / 8 * span > room {
        let why = format!("from {kernbase:#x} on there are only {room:#x} bytes to map");
        return Err(bad("pmapsize", size, &why));
    }
    Ok(())
}

/// The first thing in the page map, or in one of the page tables it leads to, that
/// is no page-table entry: where it stands, and its value.
///
/// The kernel gives its own pages no protection key, which is what bits 59 to 62
/// of a valid entry are. The bits below are free, and 14.0 marks promoted large
/// pages by one of them (54). Text, code and pointers hardly ever have them clear.
pub(super) fn odd_entry(map: &PageMap, memory: &dyn PhysicalMemory) -> Option<(String, u64)> {
    const SAMPLE: usize = 256;
    if let Some((index, entry)) = first_odd(map.entries.bytes()) {
        return Some((format!("entry {index} of the page map"), entry));
    }
    if map.version == 1 {
        return None;
    }
    let tables = entries(map.entries.bytes())
        .filter(|entry| entry & (VALID | LARGE) == VALID)
        .map(|entry| PhysAddr::new(entry & FRAME));
    let mut table = [0; PAGE as usize];
    for at in tables.take(SAMPLE) {
        if memory.read(at, &mut table).is_ok()
            && let Some((index, entry)) = first_odd(&table)
        {
            return Some((format!("entry {index} of the page table at {at}"), entry));
        }
    }
    None
}

const VALID: u64 = 1;
const LARGE: u64 = 1 << 7;
const FRAME: u64 = 0x000f_ffff_ffff_f000;
const PROTECTION_KEY: u64 = 0x7800_0000_0000_0000;

fn entries(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_le_bytes(*entry))
}

fn first_odd(bytes: &[u8]) -> Option<(usize, u64)> {
    let odd = |entry: &u64| entry & VALID != 0 && entry & PROTECTION_KEY != 0;
    entries(bytes).enumerate().find(|(_, entry)| odd(entry))
}
