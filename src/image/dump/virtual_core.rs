//! Virtual cores: ELF files by kernel address, without physical ones.
//!
//! Tools convert minidumps to this for debuggers that cannot read page tables. There is one
//! PT_LOAD for each stretch of the kernel's address space that has memory,
//! with p_paddr 0.

use std::io::{Seek, Write};

use super::contents::Contents;
use crate::addr::{PhysAddr, VirtAddr};
use crate::image::ImageError;
use crate::writing::elf::{ElfCore, Segment};

/// Writes what the kernel has mapped, and the parts of the direct map that it uses.
///
/// # Errors
/// The address space has more pieces than ELF can count, or `out` fails.
pub fn write(contents: &Contents<'_>, out: &mut (impl Write + Seek)) -> Result<(), ImageError> {
    let machine = contents.machine;
    let direct = machine
        .frames_in_use()
        .filter_map(|frame| machine.direct_address(frame).map(|at| (at, frame)));
    let pages = machine.mapped_pages().chain(direct);
    let mut pages: Vec<_> = pages.filter(|(_, page)| contents.is_dumped(*page)).collect();
    pages.sort_unstable();
    let page = machine.page_size();
    let core = ElfCore {
        arch: machine.arch(),
        is_64: machine.arch().pointer_size() == 8,
        os_abi: 0,
        version: 1,
        header_size: None,
        notes: Vec::new(),
        contents: pages.iter().map(|(_, at)| *at..at.wrapping_add(page)).collect(),
        segments: stretches(&pages, page),
        extra: None,
    };
    Ok(core.write(&contents.memory(), page, out)?)
}

fn stretches(pages: &[(VirtAddr, PhysAddr)], size: u64) -> Vec<Segment> {
    let adjacent = |one: &(VirtAddr, _), next: &(VirtAddr, _)| one.0.wrapping_add(size) == next.0;
    let mut next = 0;
    let segment = |stretch: &[(VirtAddr, PhysAddr)]| {
        let (at, len) = (next, stretch.len() as u64 * size);
        next += len;
        Segment { virt: stretch.first().map_or(0, |(at, _)| at.get()), phys: 0, at, len }
    };
    pages.chunk_by(adjacent).map(segment).collect()
}
