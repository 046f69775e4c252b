//! An armv7 kernel's address space.
//!
//! `sys/arm/include/pte.h`, `vmparam.h` and `sys/arm/arm/pmap-v6.c`, 12.1: the
//! kernel has the last gigabyte, with its image at the start. There is no direct
//! map. FreeBSD's page tables use the short format with two levels. Its minidumps
//! also have a number for the long format (LPAE), which is written here according to the
//! processor manual. The machine is QEMU's `virt`.

use super::space::{Boot, Entry, ImagePlace, Layout, Level, Memory, Rights, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

/// `KERNBASE`, where the kernel image is linked.
pub const KERNEL_BASE: VirtAddr = VirtAddr::new(0xc000_0000);

const SIZE_4K: u64 = 4 << 10;
const SIZE_1M: u64 = 1 << 20;
const SIZE_2M: u64 = 2 << 20;
const SIZE_1G: u64 = 1 << 30;

static LEVELS_SHORT: [Level; 2] =
    [Level { span: SIZE_1M, entries: 4096 }, Level { span: SIZE_4K, entries: 256 }];

static LEVELS_LONG: [Level; 3] = [
    Level { span: SIZE_1G, entries: 4 },
    Level { span: SIZE_2M, entries: 512 },
    Level { span: SIZE_4K, entries: 512 },
];

const fn layout(entry_size: u64, large_page: u64) -> Layout {
    Layout {
        page: SIZE_4K,
        entry_size,
        entry_endian: Endian::Little,
        direct_map: None,
        direct_pages: [SIZE_4K, SIZE_4K],
        direct_align: SIZE_4K,
        direct_least: 0,
        kernel_map: KERNEL_BASE..VirtAddr::new(0xff00_0000),
        kernel_map_start: None,
        // The tables of 4 MB share a page.
        kernel_map_align: 4 * SIZE_1M,
        image: ImagePlace {
            linked: KERNEL_BASE,
            loaded: PhysAddr::new(SIZE_1G + SIZE_2M),
            page: large_page,
            movable: Some(SIZE_2M),
        },
        memory: Memory::From(PhysAddr::new(SIZE_1G)),
    }
}

static LAYOUT_SHORT: Layout = layout(4, SIZE_1M);
static LAYOUT_LONG: Layout = layout(8, SIZE_2M);

/// Attributes of the tables in `pmap_kern_ttb`: cacheable, shareable.
const TTB_FLAGS: u64 = 0x6a;

/// armv7 with page tables in the short format.
#[derive(Debug)]
pub(in crate::image) struct ArmShort;

impl Space for ArmShort {
    fn layout(&self) -> &Layout {
        &LAYOUT_SHORT
    }

    fn levels(&self) -> &'static [Level] {
        &LEVELS_SHORT
    }

    fn table_entry(&self, _level: usize, table: PhysAddr) -> u64 {
        table.get() | 1
    }

    /// Sections and small pages have the same rights, but in different bits.
    fn page_entry(&self, level: usize, to: PhysAddr, rights: Rights) -> u64 {
        const CACHED: u64 = 0b1100;
        let (usual, read_only, no_execute) = match level {
            0 => (2 | 1 << 10 | 1 << 16, 1 << 15, 1 << 4),
            _ => (2 | 1 << 4 | 1 << 10, 1 << 9, 1 << 0),
        };
        let mut entry = to.get() | usual | CACHED;
        entry |= if rights.write { 0 } else { read_only };
        entry |= if rights.execute { 0 } else { no_execute };
        entry
    }

    fn decode(&self, level: usize, entry: u64) -> Entry {
        match (level, entry & 3) {
            (_, 0) => Entry::Nothing,
            (0, 1) => Entry::Table(PhysAddr::new(entry & 0xffff_fc00)),
            (0, _) => Entry::Page(PhysAddr::new(entry & 0xfff0_0000)),
            _ => Entry::Page(PhysAddr::new(entry & 0xffff_f000)),
        }
    }

    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        boot_variables(boot)
    }
}

/// armv7 with page tables in the long format.
#[derive(Debug)]
pub(in crate::image) struct ArmLong;

impl Space for ArmLong {
    fn layout(&self) -> &Layout {
        &LAYOUT_LONG
    }

    fn levels(&self) -> &'static [Level] {
        &LEVELS_LONG
    }

    fn table_entry(&self, _level: usize, table: PhysAddr) -> u64 {
        table.get() | 3
    }

    fn page_entry(&self, level: usize, to: PhysAddr, rights: Rights) -> u64 {
        let mut entry = to.get() | 1 << 10 | 3 << 8;
        entry |= if level == 2 { 3 } else { 1 };
        entry |= if rights.write { 0 } else { 1 << 7 };
        entry |= if rights.execute { 0 } else { 1 << 54 };
        entry
    }

    fn decode(&self, level: usize, entry: u64) -> Entry {
        let at = PhysAddr::new(entry & 0xff_ffff_f000);
        match (level, entry & 3) {
            (2, 3) => Entry::Page(at),
            (_, 3) => Entry::Table(at),
            (0 | 1, 1) => Entry::Page(at),
            _ => Entry::Nothing,
        }
    }

    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        boot_variables(boot)
    }
}

fn boot_variables(boot: &Boot) -> Vec<(&'static str, u64)> {
    vec![
        ("base_pt1", boot.root.get()),
        ("pmap_kern_ttb", boot.root.get() | TTB_FLAGS),
        ("kern_pt1", boot.root_address.get()),
        ("kernel_pmap_store.pm_pt1", boot.root_address.get()),
        ("arm_physmem_kernaddr", boot.load.get()),
    ]
}
