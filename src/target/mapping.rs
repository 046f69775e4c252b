//! How a running kernel is mapped: its address translation, its page
//! size, and its slide.
//!
//! A powerpc64 kernel is linked at 1 MB and runs wherever it was loaded, in the
//! direct map (`__restartkernel` in sys/powerpc/aim/locore64.S, 12.0).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::Kernel;
use crate::paging::Translate;

/// The page size in bytes, except of arm64 kernels with larger pages.
pub(super) const PAGE: u64 = 4 << 10;
const LARGER_PAGE: u64 = 16 << 10;

/// How a kernel is mapped in the memory of a dump.
pub(super) struct KernelMapping {
    pub(super) translation: Box<dyn Translate>,
    /// The page size in bytes.
    pub(super) page_size: u64,
    /// The distance from its link address to where it runs, modulo 2^64.
    pub(super) slide: u64,
}

/// Can a kernel of this architecture run away from its link address?
pub(super) fn slides(arch: Arch) -> bool {
    matches!(arch, Arch::Powerpc64 | Arch::Powerpc64le)
}

/// The slide of a kernel whose running image begins at `start`: in the page of
/// its first segment, but not at the page's start if the headers come first.
pub(super) fn slide(kernel: &Kernel, start: VirtAddr) -> Option<u64> {
    let linked = kernel.segments().map(|segment| segment.virt).min()?;
    Some(start.page_start(PAGE).get().wrapping_sub(linked.page_start(PAGE).get()))
}

/// The possible page sizes of `kernel`, the likeliest first. `word` reads one of its
/// variables.
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

/// PAGE_SIZE, a macro. The array `pagesizes` is initialised to begin with it
/// (`sys/kern/kern_mib.c`, 9 to main).
pub(super) fn compiled_page_size(kernel: &Kernel) -> Option<u64> {
    let symbol = kernel.symbol("pagesizes")?;
    let bytes = kernel.initial_bytes(symbol.address, kernel.arch().pointer_size())?;
    let size = kernel.arch().endian().uint(&bytes) as u64;
    matches!(size, PAGE | LARGER_PAGE).then_some(size)
}
