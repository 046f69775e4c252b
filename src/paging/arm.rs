//! armv7: page tables in the short format of two levels
//! (`sys/arm/include/pte.h`), or in the long format of three (LPAE). The page
//! maps of minidumps hold the last level as a flat array
//! (`sys/arm/arm/minidump_machdep.c`). There is no direct map. FreeBSD uses the short format.

use super::page_map::{FlatMap, Order};
use super::walk::{Addresses, Format, Level, PageTables, Step};
use crate::addr::PhysAddr;
use crate::bytes::Endian;
use crate::dump::PageMap;

const PAGE: u64 = 1 << 12;
const PAGE_64K: u64 = 1 << 16;
const SECTION: u64 = 1 << 20;
const SUPERSECTION: u64 = 1 << 24;

static SHORT_LEVELS: [Level; 2] = [
    Level { name: "L1", span: SECTION, entries: 4096 },
    Level { name: "L2", span: PAGE, entries: 256 },
];

static LONG_LEVELS: [Level; 3] = [
    Level { name: "L1", span: 1 << 30, entries: 4 },
    Level { name: "L2", span: 1 << 21, entries: 512 },
    Level { name: "L3", span: PAGE, entries: 512 },
];

static SHORT: Format = Format {
    levels: &SHORT_LEVELS,
    entry_size: 4,
    endian: Endian::Little,
    step: short_step,
    addresses: Addresses::Lower(32),
};

static LONG: Format = Format { levels: &LONG_LEVELS, entry_size: 8, step: long_step, ..SHORT };

/// The format of the page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// Short: two levels, entries of 32 bits.
    Short,
    /// Long: three levels, entries of 64 bits (LPAE).
    Long,
}

/// The page tables whose top table is at `root`. Flags in its low bits are ignored.
pub fn page_tables(root: PhysAddr, paging: Paging) -> PageTables {
    match paging {
        Paging::Short => PageTables::new(root.page_start(16 << 10), &SHORT),
        Paging::Long => PageTables::new(root.page_start(32), &LONG),
    }
}

/// The page map of a minidump: the entries of the last level from kernbase on.
pub(super) fn page_map(map: PageMap, paging: Paging) -> FlatMap {
    let (format, level) = match paging {
        Paging::Short => (&SHORT, &SHORT_LEVELS[1]),
        Paging::Long => (&LONG, &LONG_LEVELS[2]),
    };
    FlatMap { map, format, level, below: &[], order: Order::KernelFirst }
}

fn short_step(level: &Level, entry: u64) -> Step {
    const IS_SUPERSECTION: u64 = 1 << 18;
    match (level.span, entry & 3) {
        (_, 0) => Step::Invalid,
        (SECTION, 1) => Step::Table(entry & !0x3ff),
        (SECTION, 2 | 3) if entry & IS_SUPERSECTION != 0 => {
            // Bits 32 to 35 of the address are in bits 20 to 23, 36 to 39 in bits 5 to 8.
            let high = (entry >> 20 & 0xf) << 32 | (entry >> 5 & 0xf) << 36;
            Step::Page { frame: entry & !(SUPERSECTION - 1) | high, size: SUPERSECTION }
        }
        // Bit 0 of a section is "execute never". Such a level-1 entry is not a page table.
        (SECTION, _) => Step::Page { frame: entry, size: SECTION },
        (_, 1) => Step::Page { frame: entry, size: PAGE_64K },
        // Bit 0 of a small page is the same.
        (_, _) => Step::Page { frame: entry, size: PAGE },
    }
}

fn long_step(level: &Level, entry: u64) -> Step {
    const FRAME: u64 = 0x0000_00ff_ffff_f000;
    let frame = entry & FRAME;
    match entry & 3 {
        3 if level.span == PAGE => Step::Page { frame, size: PAGE },
        3 => Step::Table(frame),
        1 if level.span > PAGE => Step::Page { frame, size: level.span },
        _ => Step::Invalid,
    }
}
