//! i386: page tables of two levels, or of three with PAE (`sys/i386/include/pmap.h`).
//! The page maps of minidumps hold the last level as a flat array
//! (`sys/i386/i386/minidump_machdep_base.c`). There is no direct map.

use super::page_map::{FlatMap, Order};
use super::walk::{Addresses, Format, Level, PageTables, Step};
use crate::addr::PhysAddr;
use crate::bytes::Endian;
use crate::dump::PageMap;

const VALID: u64 = 1 << 0;
/// In a directory entry: the entry itself maps a large page (PG_PS).
const LARGE: u64 = 1 << 7;
/// The physical address in an entry. Entries without PAE have only 32 bits.
const FRAME: u64 = 0x000f_ffff_ffff_f000;

const PAGE: u64 = 1 << 12;

static LEVELS: [Level; 2] = [
    Level { name: "PD", span: 1 << 22, entries: 1024 },
    Level { name: "PT", span: PAGE, entries: 1024 },
];

static LEVELS_PAE: [Level; 3] = [
    Level { name: "PDPT", span: 1 << 30, entries: 4 },
    Level { name: "PD", span: 1 << 21, entries: 512 },
    Level { name: "PT", span: PAGE, entries: 512 },
];

static FORMAT: Format = Format {
    levels: &LEVELS,
    entry_size: 4,
    endian: Endian::Little,
    step,
    addresses: Addresses::Lower(32),
};

static FORMAT_PAE: Format = Format { levels: &LEVELS_PAE, entry_size: 8, ..FORMAT };

/// How a kernel uses the processor's page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// Without PAE: two levels, entries of 32 bits.
    Plain,
    /// With PAE: three levels, entries of 64 bits.
    Pae,
}

/// The page tables whose top table is at `root`: the page directory or, with PAE, the
/// four entries above it, which need not be page-aligned.
pub fn page_tables(root: PhysAddr, paging: Paging) -> PageTables {
    match paging {
        Paging::Plain => PageTables::new(root.page_start(PAGE), &FORMAT),
        Paging::Pae => PageTables::new(root.page_start(32), &FORMAT_PAE),
    }
}

/// The page map of a minidump: page-table entries from kernbase on, with large pages
/// split into small ones.
pub(super) fn page_map(map: PageMap, paging: Paging) -> FlatMap {
    let (format, level) = match paging {
        Paging::Plain => (&FORMAT, &LEVELS[1]),
        Paging::Pae => (&FORMAT_PAE, &LEVELS_PAE[2]),
    };
    FlatMap { map, format, level, below: &[], order: Order::KernelFirst }
}

fn step(level: &Level, entry: u64) -> Step {
    let frame = entry & FRAME;
    if entry & VALID == 0 {
        Step::Invalid
    } else if level.span == PAGE || (level.span < 1 << 30 && entry & LARGE != 0) {
        Step::Page { frame, size: level.span }
    } else {
        Step::Table(frame)
    }
}
