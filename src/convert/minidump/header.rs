//! What the header of a minidump says of a kernel, from the kernel itself.

use std::ops::Range;

use super::super::ConvertError;
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::target::Target;
use crate::writing::Memory;
use crate::writing::minidump::Header;

/// DMAP_MIN_ADDRESS to DMAP_MAX_ADDRESS, and VM_MIN_KERNEL_ADDRESS
/// (`sys/amd64/include/vmparam.h`, 10 to 15).
const AMD64_DIRECT_MAP: Range<u64> = 0xffff_f800_0000_0000..0xffff_fc00_0000_0000;
const AMD64_KERNEL_MAP: u64 = 0xffff_fe00_0000_0000;

/// DMAP_BASE_ADDRESS to DMAP_MAX_ADDRESS, and VM_MIN_KERNEL_ADDRESS to
/// VM_MAX_SAFE_KERNEL_ADDRESS with radix page tables (`sys/powerpc/include/vmparam.h`, 13.0).
const POWERPC64_DIRECT_MAP: Range<u64> = 0xc000_0000_0000_0000..0xc007_ffff_ffff_ffff;
const POWERPC64_KERNEL_MAP: Range<u64> = 0xc008_0000_0000_0000..0xc008_0007_ffff_ffff;

/// The header for the kernel of `target`.
///
/// # Errors
/// The direct map is not where the header would say.
pub(super) fn of(target: &Target, pages: &dyn Memory) -> Result<Header, ConvertError> {
    let image = image(target);
    // The kernel map begins with the image, whose first bytes may be before the first segment.
    let kernbase = image.start.page_start(2 << 20);
    let long_entries =
        target.memory().translation().root().is_some_and(|root| root.entry_size == 8);
    let (header, direct_map) = match target.arch() {
        Arch::Amd64 => {
            let direct_map = addresses(AMD64_DIRECT_MAP);
            let kernbase = VirtAddr::new(AMD64_KERNEL_MAP);
            let map = (direct_map.clone(), PhysAddr::new(0));
            (Header::Amd64 { kernbase, direct_map }, Some(map))
        }
        Arch::Arm64 | Arch::Riscv64 => {
            let (direct_map, phys) = recorded(target).ok_or(ConvertError::NoDirectMap)?;
            let map = (direct_map.clone(), phys);
            (Header::WithPhysical { kernbase, direct_map, phys }, Some(map))
        }
        Arch::I386 => (Header::I386 { kernbase, pae: long_entries }, None),
        Arch::Arm => (Header::Arm { kernbase, long: long_entries }, None),
        Arch::Powerpc64 | Arch::Powerpc64le => {
            let direct_map = addresses(POWERPC64_DIRECT_MAP);
            let map = (direct_map.clone(), PhysAddr::new(0));
            let kernel_map = addresses(POWERPC64_KERNEL_MAP);
            (Header::Powerpc64 { mmu: "mmu_radix", kernel_map, direct_map, image }, Some(map))
        }
    };
    let confirmed = direct_map.is_none_or(|(map, phys)| is_mapped(target, pages, &map, phys));
    confirmed.then_some(header).ok_or(ConvertError::NoDirectMap)
}

/// Whether an address is one of the kernel's map, and not of the direct map.
///
/// # Errors
/// As [`of`].
pub(in crate::convert) fn kernel_addresses(
    target: &Target,
    pages: &dyn Memory,
) -> Result<impl Fn(VirtAddr) -> bool, ConvertError> {
    let (start, direct_map) = match of(target, pages)? {
        Header::Amd64 { kernbase, direct_map } => (kernbase, Some(direct_map)),
        Header::WithPhysical { kernbase, direct_map, .. } => (kernbase, Some(direct_map)),
        Header::I386 { kernbase, .. } | Header::Arm { kernbase, .. } => (kernbase, None),
        Header::Powerpc64 { kernel_map, direct_map, .. } => (kernel_map.start, Some(direct_map)),
    };
    Ok(move |at| at >= start && !direct_map.as_ref().is_some_and(|map| map.contains(&at)))
}

/// From the first to the last byte of the kernel's segments.
pub(in crate::convert) fn image(target: &Target) -> Range<VirtAddr> {
    let segments = || target.kernel().segments();
    let start = segments().map(|segment| segment.virt).min().unwrap_or_default();
    let end = segments().map(|segment| segment.virt.wrapping_add(segment.mem_size)).max();
    start..end.unwrap_or(start)
}

/// The direct map by the variables that describe it (`sys/arm64/arm64/pmap.c` and
/// `sys/riscv/riscv/pmap.c`, 12 to main), and what its first address maps.
fn recorded(target: &Target) -> Option<(Range<VirtAddr>, PhysAddr)> {
    let word = |name| target.memory().u64(target.address_of(name).ok()?).ok();
    let (phys, phys_end) = (word("dmap_phys_base")?, word("dmap_phys_max")?);
    let end = word("dmap_max_addr")?;
    let start = end.checked_sub(phys_end.checked_sub(phys)?)?;
    (start < end).then(|| (addresses(start..end), PhysAddr::new(phys)))
}

/// Do the page tables map the first page of memory where the direct map has it?
fn is_mapped(target: &Target, pages: &dyn Memory, map: &Range<VirtAddr>, phys: PhysAddr) -> bool {
    let at = |page: PhysAddr| Some((page, map.start.wrapping_add(page.offset_from(phys)?)));
    let first = pages.next(PhysAddr::new(0)).and_then(|range| at(range.start));
    first.is_some_and(|(page, at)| target.memory().translate(at).is_ok_and(|found| found == page))
}

fn addresses(range: Range<u64>) -> Range<VirtAddr> {
    VirtAddr::new(range.start)..VirtAddr::new(range.end)
}
