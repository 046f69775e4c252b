//! riscv64: page tables of three levels (Sv39) or four (Sv48)
//! (`sys/riscv/include/pte.h`). The page maps of minidumps hold the
//! last level as a flat array (`sys/riscv/riscv/minidump_machdep.c`).

use super::page_map::{FlatMap, Order};
use super::walk::{Addresses, Format, Level, PageTables, Step};
use crate::addr::PhysAddr;
use crate::bytes::Endian;
use crate::dump::PageMap;

const VALID: u64 = 1 << 0;
/// Readable, writable, executable. An entry without any of them points to a table.
const LEAF: u64 = 0b1110;
/// The page number in an entry, 44 bits. The bits above are reserved.
const PAGE_NUMBER: u64 = 0x003f_ffff_ffff_fc00;

const PAGE: u64 = 1 << 12;

static LEVELS: [Level; 4] = [
    Level { name: "L0", span: 1 << 39, entries: 512 },
    Level { name: "L1", span: 1 << 30, entries: 512 },
    Level { name: "L2", span: 1 << 21, entries: 512 },
    Level { name: "L3", span: PAGE, entries: 512 },
];

static SV48: Format = Format {
    levels: &LEVELS,
    entry_size: 8,
    endian: Endian::Little,
    step,
    addresses: Addresses::Signed(48),
};

static SV39: Format =
    Format { levels: LEVELS.split_at(1).1, addresses: Addresses::Signed(39), ..SV48 };

/// How many levels of page tables a kernel uses, by its variable `pmap_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// Three levels, 39-bit addresses.
    Sv39,
    /// Four levels, 48-bit addresses.
    Sv48,
}

/// The page tables whose top table is at `root`.
pub fn page_tables(root: PhysAddr, paging: Paging) -> PageTables {
    let format = match paging {
        Paging::Sv39 => &SV39,
        Paging::Sv48 => &SV48,
    };
    PageTables::new(root.page_start(PAGE), format)
}

/// The page map of a minidump: the entries of the last level from kernbase on. It is
/// the same with three levels and with four.
pub(super) fn page_map(map: PageMap) -> FlatMap {
    FlatMap { map, format: &SV48, level: &LEVELS[3], below: &[], order: Order::DirectFirst }
}

fn step(level: &Level, entry: u64) -> Step {
    let frame = (entry & PAGE_NUMBER) << 2;
    if entry & VALID == 0 {
        Step::Invalid
    } else if entry & LEAF != 0 {
        Step::Page { frame, size: level.span }
    } else if level.span == PAGE {
        Step::Invalid
    } else {
        Step::Table(frame)
    }
}
