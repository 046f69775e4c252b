//! How a running kernel is mapped: the way from its addresses to physical memory, the
//! size of its pages, and its slide.
//!
//! A kernel of powerpc64 is linked at 1 MB and runs wherever it finds itself, in the
//! direct map (`__restartkernel` in sys/powerpc/aim/locore64.S, 12.0).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::Kernel;
use crate::paging::Translate;

/// Bytes of a page, but for arm64's kernels with larger ones.
pub(super) const PAGE: u64 = 4 << 10;
const LARGER_PAGE: u64 = 16 << 10;

/// How a kernel is mapped in the memory of a dump.
pub(super) struct KernelMapping {
    pub(super) translation: Box<dyn Translate>,
    /// Bytes of a page.
    pub(super) page_size: u64,
    /// How far from where it is linked it runs, modulo 2^64.
    pub(super) slide: u64,
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
pub(super) fn compiled_page_size(kernel: &Kernel) -> Option<u64> {
    let symbol = kernel.symbol("pagesizes")?;
    let bytes = kernel.initial_bytes(symbol.address, kernel.arch().pointer_size())?;
    let size = kernel.arch().endian().uint(&bytes) as u64;
    matches!(size, PAGE | LARGER_PAGE).then_some(size)
}
