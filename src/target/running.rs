//! How a running kernel's memory is read out of a dump.
//!
//! A minidump has its own page map, a full dump the kernel's page tables, a core by
//! virtual addresses needs neither. What the dump does not say of the machine, the
//! kernel does: the size of its pages. A kernel of powerpc64 is linked at 1 MB and
//! runs wherever it finds itself, in the direct map (`__restartkernel` in
//! sys/powerpc/aim/locore64.S, 12.0): how far from there is found out here.

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::{Core, Hints};
use crate::kernel::Kernel;
use crate::paging::{self, KernelImage, Translate};
use crate::target::TargetError;
use crate::target::page_tables::{self, samples};

/// Bytes of a page, but for arm64's kernels with larger ones.
pub(super) const PAGE: u64 = 4 << 10;
const LARGER_PAGE: u64 = 16 << 10;

/// A kernel in the memory of a dump.
pub(super) struct Running {
    pub(super) translation: Box<dyn Translate>,
    /// Bytes of a page.
    pub(super) page_size: u64,
    /// How far from where it is linked it runs, modulo 2^64.
    pub(super) slide: u64,
}

impl Running {
    /// Finds out how the memory of `kernel` is read from `core`.
    ///
    /// # Errors
    /// Its page tables are needed, and are not there.
    pub(super) fn find(
        kernel: &Kernel,
        core: &Core,
        kernel_phys: Option<PhysAddr>,
    ) -> Result<Self, TargetError> {
        let page_size = core.facts.page_size;
        Ok(match &core.hints {
            Hints::PageMap(map) => {
                let slide = core.clues.start.and_then(|start| slide(kernel, start)).unwrap_or(0);
                Self { translation: paging::page_map(map.clone()), page_size, slide }
            }
            Hints::Physical => page_tables::find(kernel, core, kernel_phys)?,
            Hints::Virtual => {
                let page_size = compiled_page_size(kernel).unwrap_or(page_size);
                let slide = virtual_slide(kernel, core);
                Self { translation: paging::identity(), page_size, slide }
            }
        })
    }
}

/// Does a kernel of this architecture run elsewhere than it is linked?
pub(super) fn slides(arch: Arch) -> bool {
    matches!(arch, Arch::Powerpc64 | Arch::Powerpc64le)
}

/// The slide of a kernel whose image begins at `start` when it runs: in the page of
/// its first segment, though not with that page if the headers come first.
pub(super) fn slide(kernel: &Kernel, start: VirtAddr) -> Option<u64> {
    let linked = kernel.segments().map(|segment| segment.virt).min()?;
    Some(start.page_start(PAGE).get().wrapping_sub(linked.page_start(PAGE).get()))
}

/// In a core by virtual addresses the image lies where its bytes are.
fn virtual_slide(kernel: &Kernel, core: &Core) -> u64 {
    let linked = kernel.segments().map(|segment| segment.virt).min();
    let Some(linked) = linked.filter(|_| slides(kernel.arch())) else { return 0 };
    let samples = samples(kernel);
    let found = KernelImage::search(core.memory(), linked, &samples).next();
    found.map_or(0, |image| image.phys.get().wrapping_sub(linked.get()))
}

/// The sizes that pages of `kernel` can have, the likeliest first; `word` reads a
/// variable of it.
pub(super) fn page_sizes(
    kernel: &Kernel,
    word: impl Fn(VirtAddr) -> Option<u64>,
) -> &'static [u64] {
    let variable = || word(kernel.symbol("pagesizes")?.address);
    match compiled_page_size(kernel).or_else(variable) {
        _ if kernel.arch() != Arch::Arm64 => &[PAGE],
        Some(LARGER_PAGE) => &[LARGER_PAGE],
        Some(PAGE) => &[PAGE],
        _ => &[PAGE, LARGER_PAGE],
    }
}

/// PAGE_SIZE, a macro: the array `pagesizes` begins with it from the start
/// (`sys/kern/kern_mib.c`, 9 to main).
fn compiled_page_size(kernel: &Kernel) -> Option<u64> {
    let symbol = kernel.symbol("pagesizes")?;
    let bytes = kernel.initial_bytes(symbol.address, kernel.arch().pointer_size())?;
    let size = kernel.arch().endian().uint(&bytes) as u64;
    matches!(size, PAGE | LARGER_PAGE).then_some(size)
}
