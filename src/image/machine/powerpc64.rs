//! A powerpc64 kernel's address space: with radix page tables (POWER9), or with a
//! hashed page table.
//!
//! `sys/powerpc/include/vmparam.h`, `pte.h`, `sys/powerpc/aim/mmu_radix.c` and
//! `mmu_oea64.c`, 13.0 and later: the direct map at 0xc000000000000000, with the
//! kernel image in it, and the kernel map at 0xc008000000000000 or, with a hashed
//! table, at 0xe000000000000000. The kernel is linked at 1 MB and runs elsewhere.
//! Entries are big-endian even where the kernel is not.

use super::space::{Boot, Entry, ImagePlace, Layout, Level, Memory, Rights, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

/// `DMAP_BASE_ADDRESS`.
pub const DIRECT_MAP: VirtAddr = VirtAddr::new(0xc000_0000_0000_0000);
/// `DMAP_MAX_ADDRESS`.
pub const DIRECT_MAP_END: VirtAddr = VirtAddr::new(0xc007_ffff_ffff_ffff);
/// `VM_MIN_KERNEL_ADDRESS`.
pub const KERNEL_MAP: VirtAddr = VirtAddr::new(0xc008_0000_0000_0000);
/// `VM_MAX_SAFE_KERNEL_ADDRESS`.
pub const KERNEL_MAP_END: VirtAddr = VirtAddr::new(0xc008_0007_ffff_ffff);

/// `DMAP_MAX_ADDRESS` with a hashed page table.
pub const HASHED_DIRECT_MAP_END: VirtAddr = VirtAddr::new(0xcfff_ffff_ffff_ffff);
/// `VM_MIN_KERNEL_ADDRESS` with a hashed page table.
pub const HASHED_KERNEL_MAP: VirtAddr = VirtAddr::new(0xe000_0000_0000_0000);
/// `VM_MAX_SAFE_KERNEL_ADDRESS` with a hashed page table.
pub const HASHED_KERNEL_MAP_END: VirtAddr = VirtAddr::new(0xe000_0007_ffff_ffff);

/// The page of `KERNBASE`.
const LINKED: VirtAddr = VirtAddr::new(0x10_0000);

const VALID: u64 = 1 << 63;
const LEAF: u64 = 1 << 62;
/// Referenced, changed, privileged, readable.
const USUAL: u64 = 1 << 8 | 1 << 7 | 1 << 3 | 1 << 2;
const WRITE: u64 = 1 << 1;
const EXECUTE: u64 = 1 << 0;
/// The next table has 2^9 entries (NLS).
const NEXT_SIZE: u64 = 9;
const FRAME_MASK: u64 = 0x00ff_ffff_ffff_f000;

const SIZE_4K: u64 = 4 << 10;
const SIZE_1M: u64 = 1 << 20;
const SIZE_2M: u64 = 2 << 20;
const SIZE_1G: u64 = 1 << 30;

static LEVELS: [Level; 4] = [
    Level { span: 1 << 39, entries: 8192 },
    Level { span: SIZE_1G, entries: 512 },
    Level { span: SIZE_2M, entries: 512 },
    Level { span: SIZE_4K, entries: 512 },
];

const IMAGE: ImagePlace = ImagePlace {
    linked: LINKED,
    loaded: PhysAddr::new(SIZE_1M),
    page: SIZE_4K,
    movable: Some(SIZE_1M),
};

static LAYOUT: Layout = Layout {
    page: SIZE_4K,
    entry_size: 8,
    entry_endian: Endian::Big,
    direct_map: Some(DIRECT_MAP..DIRECT_MAP_END),
    direct_pages: [SIZE_1G, SIZE_2M],
    direct_align: SIZE_1G,
    direct_least: 0,
    kernel_map: KERNEL_MAP..KERNEL_MAP_END,
    kernel_map_start: Some(KERNEL_MAP),
    kernel_map_align: SIZE_2M,
    image: IMAGE,
    memory: Memory::From(PhysAddr::new(0)),
};

static HASHED_LAYOUT: Layout = Layout {
    page: SIZE_4K,
    entry_size: 8,
    entry_endian: Endian::Big,
    direct_map: Some(DIRECT_MAP..HASHED_DIRECT_MAP_END),
    direct_pages: [SIZE_1G, SIZE_2M],
    direct_align: SIZE_1G,
    direct_least: 0,
    kernel_map: HASHED_KERNEL_MAP..HASHED_KERNEL_MAP_END,
    kernel_map_start: Some(HASHED_KERNEL_MAP),
    kernel_map_align: SIZE_2M,
    image: IMAGE,
    memory: Memory::From(PhysAddr::new(0)),
};

/// powerpc64 and powerpc64le with a radix tree.
#[derive(Debug)]
pub(in crate::image) struct Radix;

impl Space for Radix {
    fn layout(&self) -> &Layout {
        &LAYOUT
    }

    fn levels(&self) -> &'static [Level] {
        &LEVELS
    }

    fn table_entry(&self, _level: usize, table: PhysAddr) -> u64 {
        VALID | table.get() | NEXT_SIZE
    }

    fn page_entry(&self, _level: usize, to: PhysAddr, rights: Rights) -> u64 {
        let mut entry = VALID | LEAF | to.get() | USUAL;
        entry |= if rights.write { WRITE } else { 0 };
        entry |= if rights.execute { EXECUTE } else { 0 };
        entry
    }

    fn decode(&self, _level: usize, entry: u64) -> Entry {
        let at = PhysAddr::new(entry & FRAME_MASK);
        match (entry & VALID, entry & LEAF) {
            (0, _) => Entry::Nothing,
            (_, 0) => Entry::Table(at),
            _ => Entry::Page(at),
        }
    }

    fn displacement(&self, load: PhysAddr) -> u64 {
        displacement(load)
    }

    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        vec![
            ("kernel_pmap_store.pm_pml1", boot.root_address.get()),
            ("radix_mmu", 1),
            ("hw_direct_map", 1),
            ("dmaplimit", boot.direct.end.get()),
        ]
    }
}

/// powerpc64 with a hashed page table. The table belongs to the processor or a hypervisor and
/// is not in the machine's memory: the minidump writer makes it.
#[derive(Debug)]
pub(in crate::image) struct Hashed;

impl Hashed {
    /// How many groups the table has for `memory` bytes of physical memory
    /// (`moea64_early_bootstrap`).
    pub fn groups(memory: u64) -> u64 {
        const LEAST: u64 = 0x1000;
        const MOST: u64 = 1 << 18;
        (memory / SIZE_4K).next_power_of_two().clamp(LEAST, MOST) / 2
    }
}

impl Space for Hashed {
    fn layout(&self) -> &Layout {
        &HASHED_LAYOUT
    }

    fn levels(&self) -> &'static [Level] {
        &[]
    }

    fn table_entry(&self, _level: usize, _table: PhysAddr) -> u64 {
        0
    }

    fn page_entry(&self, _level: usize, _to: PhysAddr, _rights: Rights) -> u64 {
        0
    }

    fn decode(&self, _level: usize, _entry: u64) -> Entry {
        Entry::Nothing
    }

    fn displacement(&self, load: PhysAddr) -> u64 {
        displacement(load)
    }

    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        let groups = Self::groups(boot.direct.end.get());
        vec![
            ("radix_mmu", 0),
            ("hw_direct_map", 1),
            ("moea64_pteg_count", groups),
            ("moea64_pteg_mask", groups - 1),
        ]
    }
}

/// The kernel moves itself into the direct map.
fn displacement(load: PhysAddr) -> u64 {
    DIRECT_MAP.get().wrapping_add(load.get()).wrapping_sub(LINKED.get())
}
