//! The pages that the kernel itself would write into a minidump.
//!
//! `minidumpsys` (`sys/*/*/minidump_machdep.c`, 12 to main) writes the pages in the kernel's own
//! bitmap, and those that the kernel's map leads to, with their page tables. The page tables of the
//! direct map are kept too: a form without a page map needs them. So are pages that the
//! kernel marks PG_NODUMP.

mod bitmap;
mod tables;

use std::ops::Range;

use self::bitmap::Bitmap;
use self::tables::Tables;
use super::ConvertError;
use super::minidump::{image, kernel_addresses};
use super::ranges::add;
use crate::addr::{PhysAddr, VirtAddr};
use crate::target::Target;
use crate::writing::{Memory, stretches};

/// Those of `pages` that a minidump would not have.
///
/// # Errors
/// The kernel has no such bitmap, it or a page table cannot be read, or there is more of it than the
/// size of the files justifies.
pub(super) fn others(
    target: &Target,
    pages: &dyn Memory,
) -> Result<Vec<Range<PhysAddr>>, ConvertError> {
    let mut kept = in_kernel_map(target, pages)?;
    let bitmap = Bitmap::read(target)?;
    let mut is_any = false;
    for range in stretches(pages) {
        is_any |= bitmap.pages_of(range, &mut kept)?;
    }
    if !is_any {
        return Err(bitmap::none("no bit of vm_page_dump is set"));
    }
    Ok(gaps(kept))
}

/// The pages that the kernel's map leads to, and all page tables.
fn in_kernel_map(
    target: &Target,
    pages: &dyn Memory,
) -> Result<Vec<Range<PhysAddr>>, ConvertError> {
    let (memory, budget) = (target.memory(), target.budget());
    let is_kernel = kernel_addresses(target, pages)?;
    let root = memory.translation().root().ok_or(ConvertError::NoTables)?;
    let top = root.phys..root.phys.wrapping_add(root.len);
    let tables = Tables::new(memory.core().memory(), memory.page_size(), top);
    let mut kept: Vec<Range<PhysAddr>> = Vec::new();
    // After the page of the null pointer, which no kernel maps for itself.
    let mut after = Some(VirtAddr::new(memory.page_size()));
    while let Some(at) = after.and_then(|at| memory.translation().next(&tables, at)) {
        budget.work(1)?;
        let Ok(mapping) = memory.translation().translate(&tables, at) else { break };
        after = at.checked_add(mapping.len);
        if is_kernel(at) {
            let end = mapping.phys.checked_add(mapping.len).unwrap_or(PhysAddr::new(u64::MAX));
            add(&mut kept, mapping.phys..end, target.budget())?;
        }
    }
    // On powerpc64 the image is in the direct map, of which only this part is kept.
    let image = image(target);
    let mut next = Some(image.start.page_start(memory.page_size()));
    while let Some(at) = next.filter(|at| *at < image.end) {
        budget.work(1)?;
        next = at.checked_add(memory.page_size());
        if let Ok(phys) = memory.translate(at) {
            add(&mut kept, phys..phys.wrapping_add(memory.page_size()), target.budget())?;
        }
    }
    for table in tables.found() {
        add(&mut kept, table, target.budget())?;
    }
    Ok(kept)
}

/// What is in none of `kept`.
fn gaps(mut kept: Vec<Range<PhysAddr>>) -> Vec<Range<PhysAddr>> {
    kept.sort_unstable_by_key(|range| range.start);
    let mut gaps = Vec::new();
    let mut end = PhysAddr::new(0);
    for range in kept {
        if end < range.start {
            gaps.push(end..range.start);
        }
        end = end.max(range.end);
    }
    gaps.push(end..PhysAddr::new(u64::MAX));
    gaps
}
