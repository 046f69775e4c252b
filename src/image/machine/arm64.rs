//! An arm64 kernel's address space.
//!
//! `sys/arm64/include/vmparam.h`, `pte.h` and `sys/arm64/arm64/pmap.c`, 12.1 and
//! main: 512 GB of kernel map from 0xffff000000000000 on, with the kernel image
//! at its start, and the direct map at 0xfffffd0000000000 (wider since 13.0; kernels
//! with pages of 16 KB came later still). The machine is QEMU's `virt`.

use super::space::{Boot, Entry, ImagePlace, Layout, Level, Memory, Rights, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

/// `VM_MIN_KERNEL_ADDRESS`, where the kernel image is linked.
pub const KERNEL_BASE: VirtAddr = VirtAddr::new(0xffff_0000_0000_0000);
const KERNEL_END: VirtAddr = VirtAddr::new(0xffff_0080_0000_0000);
const DIRECT_MAP: VirtAddr = VirtAddr::new(0xffff_fd00_0000_0000);
const WIDE_DIRECT_MAP: VirtAddr = VirtAddr::new(0xffff_a000_0000_0000);
const DIRECT_MAP_END: VirtAddr = VirtAddr::new(0xffff_ff00_0000_0000);

const TYPE: u64 = 3;
const BLOCK: u64 = 1;
const TABLE_OR_PAGE: u64 = 3;
/// Accessed, inner shareable, ordinary memory.
const USUAL: u64 = 1 << 10 | 3 << 8 | 2 << 2;
const READ_ONLY: u64 = 1 << 7;
const NO_EXECUTE: u64 = 3 << 53;
const FRAME_MASK: u64 = 0x0000_ffff_ffff_f000;

const SIZE_2M: u64 = 2 << 20;
const SIZE_32M: u64 = 32 << 20;
const SIZE_1G: u64 = 1 << 30;
const MEMORY: PhysAddr = PhysAddr::new(SIZE_1G);

static LEVELS_4K: [Level; 4] = [
    Level { span: 1 << 39, entries: 512 },
    Level { span: SIZE_1G, entries: 512 },
    Level { span: SIZE_2M, entries: 512 },
    Level { span: 4 << 10, entries: 512 },
];

static LEVELS_16K: [Level; 4] = [
    Level { span: 1 << 47, entries: 2 },
    Level { span: 1 << 36, entries: 2048 },
    Level { span: SIZE_32M, entries: 2048 },
    Level { span: 16 << 10, entries: 2048 },
];

static LAYOUT_4K: Layout = Layout {
    page: 4 << 10,
    entry_size: 8,
    entry_endian: Endian::Little,
    direct_map: Some(DIRECT_MAP..DIRECT_MAP_END),
    direct_pages: [SIZE_2M, 4 << 10],
    direct_align: SIZE_1G,
    direct_least: 0,
    kernel_map: KERNEL_BASE..KERNEL_END,
    kernel_map_start: None,
    kernel_map_align: SIZE_2M,
    image: ImagePlace {
        linked: KERNEL_BASE,
        loaded: PhysAddr::new(SIZE_1G + SIZE_2M),
        page: SIZE_2M,
        movable: Some(SIZE_2M),
    },
    memory: Memory::From(MEMORY),
};

static LAYOUT_16K: Layout = Layout {
    page: 16 << 10,
    entry_size: 8,
    entry_endian: Endian::Little,
    direct_map: Some(WIDE_DIRECT_MAP..DIRECT_MAP_END),
    direct_pages: [SIZE_32M, 16 << 10],
    direct_align: 1 << 36,
    direct_least: 0,
    kernel_map: KERNEL_BASE..KERNEL_END,
    kernel_map_start: None,
    kernel_map_align: SIZE_32M,
    image: ImagePlace {
        linked: KERNEL_BASE,
        loaded: PhysAddr::new(SIZE_1G + SIZE_2M),
        // The boot loader's 2 MB boundaries are too fine for blocks of 32 MB.
        page: 16 << 10,
        movable: Some(SIZE_2M),
    },
    memory: Memory::From(MEMORY),
};

/// arm64 with pages of 4 KB, or of 16 KB.
#[derive(Debug)]
pub(in crate::image) struct Arm64 {
    /// Pages of 16 KB rather than 4 KB?
    pub pages_of_16k: bool,
}

impl Space for Arm64 {
    fn layout(&self) -> &Layout {
        if self.pages_of_16k { &LAYOUT_16K } else { &LAYOUT_4K }
    }

    fn levels(&self) -> &'static [Level] {
        if self.pages_of_16k { &LEVELS_16K } else { &LEVELS_4K }
    }

    fn table_entry(&self, _level: usize, table: PhysAddr) -> u64 {
        table.get() | TABLE_OR_PAGE
    }

    fn page_entry(&self, level: usize, to: PhysAddr, rights: Rights) -> u64 {
        let last = level + 1 == self.levels().len();
        let mut entry = to.get() | USUAL;
        entry |= if last { TABLE_OR_PAGE } else { BLOCK };
        entry |= if rights.write { 0 } else { READ_ONLY };
        entry |= if rights.execute { 0 } else { NO_EXECUTE };
        entry
    }

    fn decode(&self, level: usize, entry: u64) -> Entry {
        let at = PhysAddr::new(entry & FRAME_MASK);
        let last = level + 1 == self.levels().len();
        match entry & TYPE {
            TABLE_OR_PAGE if last => Entry::Page(at),
            TABLE_OR_PAGE => Entry::Table(at),
            BLOCK if !last => Entry::Page(at),
            _ => Entry::Nothing,
        }
    }

    fn root_symbol(&self) -> Option<&'static str> {
        Some("pagetable_l0_ttbr1")
    }

    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        vec![
            ("kernel_pmap_store.pm_l0", boot.root_address.get()),
            ("kernel_pmap_store.pm_l0_paddr", boot.root.get()),
            ("kernel_pmap_store.pm_ttbr", boot.root.get()),
            ("kernel_pmap_store.pm_levels", 4),
            ("kernel_pmap_store.pm_stage", 1),
            ("dmap_phys_base", boot.direct.start.get()),
            ("dmap_phys_max", boot.direct.end.get()),
            ("dmap_max_addr", boot.direct_end.get()),
        ]
    }
}
