//! ELF cores by the kernel's own addresses, for debuggers that read no page tables.
//!
//! There is a segment for each stretch of addresses that is contiguous in physical memory too.
//! A page that has several addresses, as in the direct map and in the kernel map, is in the
//! file once. Zero p_paddr tells a reader that the segments are by virtual address.

use std::io::{Seek, Write};
use std::ops::Range;

use super::ConvertError;
use super::notes::notes;
use super::ranges::joined;
use crate::addr::{PhysAddr, VirtAddr};
use crate::dump::{Hints, PageMapFormat};
use crate::memory::Piece;
use crate::target::Target;
use crate::walk::Problems;
use crate::writing::Memory;
use crate::writing::elf::{ElfCore, Segment};
use crate::writing::notes::System;

/// What a core has.
pub(super) struct Mapped {
    /// How many pages of memory, each counted once.
    pub pages: u64,
    pub segments: u64,
    pub threads: u64,
    /// Why further threads may be missing.
    pub problems: Problems,
}

/// Writes those of `pages` that the kernel has mapped, and its threads in notes of `system`.
///
/// # Errors
/// Nothing is mapped; or what is, nobody can list; or it is more than the size of the files justifies;
/// or `out` fails.
pub(super) fn write(
    target: &Target,
    pages: &dyn Memory,
    system: System,
    out: &mut (impl Write + Seek),
) -> Result<Mapped, ConvertError> {
    if let Hints::PageMap(map) = &target.memory().core().hints
        && matches!(map.format, PageMapFormat::Powerpc64Hash { .. })
    {
        return Err(ConvertError::Hashed);
    }
    let page = target.memory().page_size();
    let all = pieces(target, pages)?;
    let contents = joined(all.iter().map(phys_range).collect());
    let mut segments: Vec<Segment> = Vec::with_capacity(all.len());
    let starts = Starts::of(&contents);
    for piece in &all {
        let at = starts.find(piece.phys);
        segments.push(Segment { virt: piece.address.get(), phys: 0, at, len: piece.len });
    }
    drop(all);
    let held = starts.end / page;
    if segments.is_empty() {
        return Err(ConvertError::NoMemory);
    }
    let notes = notes(target, system);
    let mapped = Mapped {
        pages: held,
        segments: segments.len() as u64,
        threads: notes.threads,
        problems: notes.problems,
    };
    let core = ElfCore {
        arch: target.arch(),
        is_64: target.arch().pointer_size() == 8,
        os_abi: 0,
        version: 1,
        header_size: None,
        notes: notes.bytes,
        contents,
        segments,
        extra: None,
    };
    core.write(pages, page, out)?;
    Ok(mapped)
}

/// The mapped memory in `pages`, ascending by address. Neighbours are one.
fn pieces(target: &Target, pages: &dyn Memory) -> Result<Vec<Piece>, ConvertError> {
    /// What one costs: itself, its segment, its program header, and its part of the contents.
    const BYTES: usize = 2 * size_of::<Piece>() + size_of::<Segment>() + 64;
    let budget = target.budget();
    let mut all: Vec<Piece> = Vec::new();
    let memory = target.memory();
    // After the page of the null pointer, which no kernel maps for itself.
    let mut after = Some(VirtAddr::new(memory.page_size()));
    while let Some((address, mapping)) = after.and_then(|at| memory.next_mapping(at)) {
        budget.work(1)?;
        after = address.checked_add(mapping.len);
        let mapped = Piece { address, phys: mapping.phys, len: mapping.len };
        let end = mapped.phys.checked_add(mapped.len).unwrap_or(PhysAddr::new(u64::MAX));
        let mut next = mapped.phys;
        while let Some(held) = pages.next(next).filter(|held| held.start < end) {
            budget.work(1)?;
            let start = held.start.max(mapped.phys);
            next = held.end.min(end);
            let before = start.offset_from(mapped.phys).unwrap_or(0);
            let len = next.offset_from(start).unwrap_or(0);
            let piece = Piece { address: mapped.address.wrapping_add(before), phys: start, len };
            match all.last_mut() {
                Some(last) if continues(last, &piece) => last.len += len,
                _ => {
                    budget.bytes(BYTES as u64)?;
                    all.push(piece);
                }
            }
        }
    }
    Ok(all)
}

fn continues(last: &Piece, next: &Piece) -> bool {
    last.address.checked_add(last.len) == Some(next.address)
        && last.phys.checked_add(last.len) == Some(next.phys)
}

fn phys_range(piece: &Piece) -> Range<PhysAddr> {
    piece.phys..piece.phys.wrapping_add(piece.len)
}

/// Where each stretch of the contents begins in the file, counted from the first.
struct Starts {
    all: Vec<(PhysAddr, u64)>,
    end: u64,
}

impl Starts {
    fn of(contents: &[Range<PhysAddr>]) -> Self {
        let mut end = 0;
        let start = |stretch: &Range<PhysAddr>| {
            let at = end;
            end += stretch.end.offset_from(stretch.start).unwrap_or(0);
            (stretch.start, at)
        };
        let all = contents.iter().map(start).collect();
        Self { all, end }
    }

    fn find(&self, phys: PhysAddr) -> u64 {
        let after = self.all.partition_point(|(start, _)| *start <= phys);
        let before = after.checked_sub(1).and_then(|place| self.all.get(place));
        before.map_or(0, |(start, at)| at + phys.offset_from(*start).unwrap_or(0))
    }
}
