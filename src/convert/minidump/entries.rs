//! The page map of a minidump, from the kernel's page tables.
//!
//! On amd64 it has the directories' own entries, which lead to tables among the pages, and on
//! powerpc64 it is the topmost table. Elsewhere it has an entry for every page, as the dump code
//! makes them of large pages: only where the page is, not how it may be accessed.

use std::iter;

use super::super::ConvertError;
use super::header::image;
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::Target;
use crate::writing::entry_bytes;
use crate::writing::minidump::{Header, PageMap, Piece};

/// The length of the page map of `target` in bytes, and its pieces.
///
/// # Errors
/// Its addresses are not translated by page tables.
pub(super) fn page_map<'t>(
    target: &'t Target,
    header: &Header,
) -> Result<(u64, PageMap<'t>), ConvertError> {
    let root = target.memory().translation().root().ok_or(ConvertError::NoTables)?;
    let (kernbase, end, span) = match header {
        Header::Amd64 { kernbase, .. } => (*kernbase, amd64_end(target), DIRECTORY_SPAN),
        Header::WithPhysical { kernbase, .. }
        | Header::I386 { kernbase, .. }
        | Header::Arm { kernbase, .. } => (*kernbase, end(target), target.memory().page_size()),
        Header::Powerpc64 { .. } => {
            let mut table = vec![0; root.len as usize];
            let read = target.memory().core().memory().read(root.phys, &mut table);
            read.map_err(|_| ConvertError::NoTables)?;
            return Ok((root.len, Box::new(iter::once(Piece::Bytes(table)))));
        }
    };
    let mut map = Map { target, entry_size: root.entry_size, span, next: Some(kernbase) };
    let tables = end.offset_from(kernbase).unwrap_or(0).div_ceil(span * ENTRIES);
    let at = move |table: u64| kernbase.wrapping_add(table * span * ENTRIES);
    let pieces = (0..tables).map(move |table| map.piece(at(table)));
    Ok((tables * ENTRIES * root.entry_size, Box::new(pieces)))
}

/// What an entry of a directory of amd64 covers, in bytes.
const DIRECTORY_SPAN: u64 = 2 << 20;

/// Entries are made this many at a time.
const ENTRIES: u64 = 512;

/// The end of the gigabyte that begins with KERNBASE, in which the image and all modules are
/// (`sys/amd64/include/vmparam.h`).
fn amd64_end(target: &Target) -> VirtAddr {
    let image = image(target);
    image.start.page_start(1 << 30).wrapping_add(1 << 30).max(image.end)
}

/// Where the kernel's address space in use ends.
fn end(target: &Target) -> VirtAddr {
    let recorded = target.address_of("kernel_vm_end").ok();
    let recorded = recorded.and_then(|at| target.memory().pointer(at).ok());
    recorded.unwrap_or_default().max(image(target).end)
}

struct Map<'t> {
    target: &'t Target,
    entry_size: u64,
    /// What an entry covers, in bytes.
    span: u64,
    /// No address before this one is mapped, of those that are still to come; `None` if no other
    /// is mapped at all.
    next: Option<VirtAddr>,
}

impl Map<'_> {
    /// The entries from that of `start` on.
    fn piece(&mut self, start: VirtAddr) -> Piece {
        let memory = self.target.memory();
        let next = self.next.filter(|next| *next <= start);
        if next.is_some() {
            self.next = memory.translation().next(memory.core().memory(), start);
        }
        let distance = self.next.and_then(|next| next.offset_from(start));
        let is_empty = distance.is_none_or(|distance| distance >= self.span * ENTRIES);
        // Tables that point to themselves map everything.
        if is_empty || self.target.budget().work(ENTRIES).is_err() {
            return Piece::Zeros(ENTRIES * self.entry_size);
        }
        let addresses = (0..ENTRIES).map(|number| start.wrapping_add(number * self.span));
        let entries = addresses.map(|at| self.entry(at).unwrap_or(0));
        let endian = self.target.arch().endian();
        Piece::Bytes(
            entries.flat_map(|entry| entry_bytes(entry, self.entry_size, endian)).collect(),
        )
    }

    /// The entry for `at`; `None` if nothing is mapped there.
    fn entry(&self, at: VirtAddr) -> Option<u64> {
        let memory = self.target.memory();
        let frame = || memory.translate(at).ok().map(|phys| phys.get());
        Some(match self.target.arch() {
            Arch::Amd64 => {
                return memory.translation().entry(memory.core().memory(), at, self.span);
            }
            // Valid, a page, accessed (`sys/arm64/include/pte.h`).
            Arch::Arm64 => frame()? | 1 << 10 | 3,
            // Valid, readable, accessed; the page number is from bit 10 on
            // (`sys/riscv/include/pte.h`).
            Arch::Riscv64 => frame()? >> 12 << 10 | 1 << 6 | 1 << 1 | 1,
            // Present, writable (`sys/i386/include/pmap.h`).
            Arch::I386 => frame()? | 3,
            // A page of the long format, accessed, or a small page of the short one
            // (`sys/arm/include/pte-v6.h`).
            Arch::Arm if self.entry_size == 8 => frame()? | 1 << 10 | 3,
            Arch::Arm => frame()? | 2,
            Arch::Powerpc64 | Arch::Powerpc64le => return None,
        })
    }
}
