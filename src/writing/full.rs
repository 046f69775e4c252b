//! Full dumps: an ELF core whose segments are the machine's physical memory.
//!
//! `sys/kern/kern_dump.c`, `dumpsys_generic`: the kernel's own class and byte
//! order, EI_OSABI 255 (standalone), e_version left 0, no sections and no notes,
//! one PT_LOAD per range of memory with p_vaddr = p_paddr = the physical address,
//! contents from the first page boundary after the headers. armv7 kernels add a
//! header that says where the image lies (`sys/arm/arm/dump_machdep.c`, 11.0).

use std::io::{Seek, Write};

use super::elf::{ElfCore, Segment};
use super::{Memory, WriteError, stretches};
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;

const ELFOSABI_STANDALONE: u8 = 255;
/// The difference between the kernel's addresses and physical ones.
const PT_DUMP_DELTA: u32 = 0x6fb5_d000;

/// Writes all of `memory`, whose pages have `page` bytes. What lies between its stretches
/// is in no segment.
///
/// `image` is an address of the kernel's image and where it is in memory, which cores of
/// armv7 record. Memory above 4 GB takes headers of the 64-bit class, as QEMU's of 32-bit
/// guests do: those of an i386 kernel with PAE would lose the upper bits.
///
/// # Errors
/// There are too many stretches for ELF to count, or `memory` or `out` fails.
pub fn write(
    memory: &dyn Memory,
    arch: Arch,
    page: u64,
    image: Option<(VirtAddr, PhysAddr)>,
    out: &mut (impl Write + Seek),
) -> Result<(), WriteError> {
    let contents: Vec<_> = stretches(memory).collect();
    let segments = Segment::in_order(&contents, PhysAddr::get);
    let is_far = segments.last().is_some_and(|last| last.phys > u64::from(u32::MAX));
    let core = ElfCore {
        arch,
        is_64: arch.pointer_size() == 8 || is_far,
        os_abi: ELFOSABI_STANDALONE,
        version: 0,
        header_size: None,
        notes: Vec::new(),
        contents,
        segments,
        extra: image
            .filter(|_| arch == Arch::Arm)
            .map(|(virt, phys)| (PT_DUMP_DELTA, virt.get(), phys.get())),
    };
    core.write(memory, page, out)
}
