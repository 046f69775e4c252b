//! Full dumps and raw memory: physical memory without a page map.

use std::io::{Seek, Write};

use super::ConvertError;
use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::budget::{Budget, Exhausted};
use crate::dump::{Hints, Part};
use crate::memory::{KernelMemory, Piece};
use crate::target::Target;
use crate::writing::{self, Memory, WriteError};

/// How many bytes the kernel has mapped that its page tables in `part` do not lead to. It is
/// not zero if `target` reads them by a minidump's page map, and the minidump lacks tables.
///
/// # Errors
/// Not even the topmost page table is found in `part`.
pub(super) fn unreachable(target: &Target, part: Part) -> Result<u64, ConvertError> {
    if !matches!(target.memory().core().hints, Hints::PageMap(_)) {
        return Ok(0);
    }
    let found = Target::memory_of(target.kernel().shared(), part.into_core());
    let found = found.map_err(ConvertError::NoPageTables)?;
    let mut lost = 0;
    for piece in target.memory().pieces() {
        lost += unreachable_in(&found, piece, target.budget())?;
    }
    Ok(lost)
}

fn unreachable_in(memory: &KernelMemory, piece: Piece, budget: &Budget) -> Result<u64, Exhausted> {
    let (mut lost, mut done) = (0, 0);
    while done < piece.len {
        budget.work(1)?;
        let (at, phys) = (piece.address.wrapping_add(done), piece.phys.wrapping_add(done));
        let rest = memory.page_size().min(piece.len - done);
        let found = memory.translation().translate(memory.core().memory(), at).ok();
        match found.filter(|found| found.phys == phys) {
            Some(found) => done = done.saturating_add(found.len),
            None => {
                lost += rest;
                done += rest;
            }
        }
    }
    Ok(lost)
}

/// Writes a full dump.
pub(super) fn full(
    target: &Target,
    pages: &dyn Memory,
    out: &mut (impl Write + Seek),
) -> Result<(), WriteError> {
    let first = target.kernel().segments().map(|segment| segment.virt).min();
    let image = first.and_then(|at| Some((at, target.memory().translate(at).ok()?)));
    writing::full::write(pages, target.arch(), target.memory().page_size(), image, out)
}

/// Writes raw memory. Returns the physical address of its first byte.
pub(super) fn raw(
    target: &Target,
    pages: &dyn Memory,
    out: &mut (impl Write + Seek),
) -> Result<PhysAddr, WriteError> {
    let start = raw_start(target.arch(), pages.next(PhysAddr::new(0)).unwrap_or_default().start);
    writing::raw::write(pages, target.memory().page_size(), start, out)?;
    Ok(start)
}

/// Where raw memory begins whose first page is at `first`: at 0 where machines have memory there;
/// else at the gigabyte of that page, because on some machines memory begins far above what a
/// file can have of holes.
fn raw_start(arch: Arch, first: PhysAddr) -> PhysAddr {
    match arch {
        Arch::Arm64 | Arch::Riscv64 | Arch::Arm => first.page_start(1 << 30),
        Arch::Amd64 | Arch::I386 | Arch::Powerpc64 | Arch::Powerpc64le => PhysAddr::new(0),
    }
}
