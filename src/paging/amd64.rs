//! amd64: page tables of four or five levels. The page maps of minidumps
//! hold one level of them as a flat array (`sys/amd64/amd64/minidump_machdep.c`,
//! `sys/amd64/include/pmap.h`).

use super::page_map::{FlatMap, Order};
use super::walk::{Addresses, Format, Level, PageTables, Step};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;
use crate::dump::{PageMap, PageMapFormat};

const VALID: u64 = 1 << 0;
/// In a directory entry: the entry itself maps a large page (PG_PS).
const LARGE: u64 = 1 << 7;
/// The physical address in an entry, for any page size.
const FRAME: u64 = 0x000f_ffff_ffff_f000;

const PAGE: u64 = 1 << 12;
/// The largest page that one entry maps.
const LARGEST_PAGE: u64 = 1 << 30;

static LEVELS: [Level; 5] = [
    Level { name: "PML5", span: 1 << 48, entries: 512 },
    Level { name: "PML4", span: 1 << 39, entries: 512 },
    Level { name: "PDPT", span: 1 << 30, entries: 512 },
    Level { name: "PD", span: 1 << 21, entries: 512 },
    Level { name: "PT", span: PAGE, entries: 512 },
];

static FIVE_LEVELS: Format = Format {
    levels: &LEVELS,
    entry_size: 8,
    endian: Endian::Little,
    step,
    addresses: Addresses::Signed(57),
};

static FOUR_LEVELS: Format =
    Format { levels: LEVELS.split_at(1).1, addresses: Addresses::Signed(48), ..FIVE_LEVELS };

/// How many levels of page tables a kernel uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// Four levels, 48-bit addresses.
    FourLevel,
    /// Five levels, 57-bit addresses. The kernel sets its variable `la57`.
    FiveLevel,
}

/// The page tables whose top table is at `root`, the value of KPML4phys or KPML5phys.
pub fn page_tables(root: PhysAddr, paging: Paging) -> PageTables {
    let format = match paging {
        Paging::FourLevel => &FOUR_LEVELS,
        Paging::FiveLevel => &FIVE_LEVELS,
    };
    PageTables::new(PhysAddr::new(root.get() & FRAME), format)
}

/// The page map of a minidump: the page-table entries (version 1) or page-directory
/// entries (versions 2 and 3) of all addresses from kernbase on.
pub(super) fn page_map(map: PageMap) -> FlatMap {
    let at = if map.format == PageMapFormat::Amd64Pages { 4 } else { 3 };
    FlatMap {
        format: format_of(&map),
        level: &LEVELS[at],
        below: &LEVELS[at + 1..],
        // As in libkvm: the direct map lies below kernbase.
        order: Order::KernelFirst,
        map,
    }
}

/// Only a kernel with five levels has its direct map below the reach of four levels.
fn format_of(map: &PageMap) -> &'static Format {
    let start = map.direct_map.as_ref().map_or(VirtAddr::new(0), |direct| direct.range.start);
    if FOUR_LEVELS.addresses.contain(start) { &FOUR_LEVELS } else { &FIVE_LEVELS }
}

fn step(level: &Level, entry: u64) -> Step {
    let frame = entry & FRAME;
    if entry & VALID == 0 {
        Step::Invalid
    } else if level.span == PAGE || (level.span <= LARGEST_PAGE && entry & LARGE != 0) {
        Step::Page { frame, size: level.span }
    } else {
        Step::Table(frame)
    }
}
