//! arm64: page tables of four levels with pages of 4 KB or 16 KB
//! (`sys/arm64/include/pte.h`). The page maps of minidumps hold the
//! last level as a flat array (`sys/arm64/arm64/minidump_machdep.c`).

use super::page_map::{FlatMap, Order};
use super::walk::{Addresses, Format, Level, PageTables, Step};
use crate::addr::PhysAddr;
use crate::bytes::Endian;
use crate::dump::PageMap;

/// The two bits that say what an entry is.
const TYPE: u64 = 3;
/// A block: a large page in the upper levels, and in the page maps of minidumps.
const BLOCK: u64 = 1;
/// A table in the upper levels, a page in the last one.
const TABLE_OR_PAGE: u64 = 3;
/// The physical address in an entry.
const FRAME: u64 = 0x0003_ffff_ffff_f000;

const PAGE_4K: u64 = 1 << 12;
const PAGE_16K: u64 = 1 << 14;

static LEVELS_4K: [Level; 4] = [
    Level { name: "L0", span: 1 << 39, entries: 512 },
    Level { name: "L1", span: 1 << 30, entries: 512 },
    Level { name: "L2", span: 1 << 21, entries: 512 },
    Level { name: "L3", span: PAGE_4K, entries: 512 },
];

static LEVELS_16K: [Level; 4] = [
    Level { name: "L0", span: 1 << 47, entries: 2 },
    Level { name: "L1", span: 1 << 36, entries: 2048 },
    Level { name: "L2", span: 1 << 25, entries: 2048 },
    Level { name: "L3", span: PAGE_16K, entries: 2048 },
];

static FORMAT_4K: Format = Format {
    levels: &LEVELS_4K,
    entry_size: 8,
    endian: Endian::Little,
    step: |level, entry| step(level, entry, PAGE_4K),
    addresses: Addresses::Upper(48),
};

static FORMAT_16K: Format =
    Format { levels: &LEVELS_16K, step: |level, entry| step(level, entry, PAGE_16K), ..FORMAT_4K };

/// The kernel's page tables (TTBR1) whose level-0 table is at `root`. `page_size` is
/// 4096 or 16384 bytes.
pub fn page_tables(root: PhysAddr, page_size: u64) -> PageTables {
    PageTables::new(root.page_start(PAGE_4K), format(page_size))
}

/// The page map of a minidump: the entries of level 3 from kernbase on.
pub(super) fn page_map(map: PageMap, page_size: u64) -> FlatMap {
    let format = format(page_size);
    FlatMap { map, format, level: &format.levels[3], below: &[], order: Order::DirectFirst }
}

fn format(page_size: u64) -> &'static Format {
    if page_size == PAGE_16K { &FORMAT_16K } else { &FORMAT_4K }
}

fn step(level: &Level, entry: u64, page: u64) -> Step {
    let frame = entry & FRAME;
    let last = level.span == page;
    match entry & TYPE {
        TABLE_OR_PAGE if last => Step::Page { frame, size: page },
        TABLE_OR_PAGE => Step::Table(frame & !(page - 1)),
        // No processor has blocks in the last level. Minidumps have them there for
        // each page of a block, some with the page's address and some with the block's.
        BLOCK if last => Step::Page { frame, size: page * (page / 8) },
        BLOCK => Step::Page { frame, size: level.span },
        _ => Step::Invalid,
    }
}
