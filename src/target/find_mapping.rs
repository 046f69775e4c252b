//! Finds out how a running kernel is mapped.
//!
//! A minidump has its own page map, a full dump has the kernel's page tables, and a core by
//! virtual addresses needs neither. The kernel supplies what the dump does not say about the
//! machine.

use crate::addr::PhysAddr;
use crate::dump::{Core, Hints};
use crate::kernel::Kernel;
use crate::paging::{self, KernelImage};
use crate::target::TargetError;
use crate::target::image_samples::samples;
use crate::target::mapping::{KernelMapping, compiled_page_size, slide, slides};
use crate::target::page_tables;

/// Finds out how the memory of `kernel` is read from `core`.
///
/// # Errors
/// Its page tables are needed but cannot be found.
pub(super) fn find(
    kernel: &Kernel,
    core: &Core,
    kernel_phys: Option<PhysAddr>,
) -> Result<KernelMapping, TargetError> {
    let page_size = core.facts.page_size;
    Ok(match &core.hints {
        Hints::PageMap(map) => {
            let slide = core.clues.start.and_then(|start| slide(kernel, start)).unwrap_or(0);
            KernelMapping { translation: paging::page_map(map.clone()), page_size, slide }
        }
        Hints::Physical => page_tables::find(kernel, core, kernel_phys)?,
        Hints::Virtual => {
            let page_size = compiled_page_size(kernel).unwrap_or(page_size);
            let slide = virtual_slide(kernel, core);
            KernelMapping { translation: paging::identity(), page_size, slide }
        }
    })
}

/// In a core by virtual addresses, the image lies where its bytes are.
fn virtual_slide(kernel: &Kernel, core: &Core) -> u64 {
    let linked = kernel.segments().map(|segment| segment.virt).min();
    let Some(linked) = linked.filter(|_| slides(kernel.arch())) else { return 0 };
    let samples = samples(kernel);
    let found = KernelImage::search(core.memory(), linked, &samples).next();
    found.map_or(0, |image| image.phys.get().wrapping_sub(linked.get()))
}
