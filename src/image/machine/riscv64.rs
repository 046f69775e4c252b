//! A riscv64 kernel's address space.
//!
//! `sys/riscv/include/vmparam.h`, `pte.h` and `sys/riscv/riscv/pmap.c`, 13.0 and
//! later: 32 GB of kernel map from 0xffffffc000000000 on, with the kernel image at
//! its start, and the direct map at 0xffffffd000000000; the same with three levels
//! of page tables (Sv39) and with four (Sv48). The machine is QEMU's `virt`.

use super::space::{Boot, Entry, ImagePlace, Layout, Level, Memory, Rights, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

/// `KERNBASE`, where the kernel image is linked.
pub const KERNEL_BASE: VirtAddr = VirtAddr::new(0xffff_ffc0_0000_0000);

const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const LEAF: u64 = READ | WRITE | EXECUTE;
/// Global, accessed, dirty.
const USUAL: u64 = 1 << 5 | 1 << 6 | 1 << 7;
const PAGE_NUMBER: u64 = 0x003f_ffff_ffff_fc00;

const SIZE_4K: u64 = 4 << 10;
const SIZE_2M: u64 = 2 << 20;
const SIZE_1G: u64 = 1 << 30;

/// Values of `satp.mode`, and of the enum `pmap_mode`.
const SV39: (u64, u64) = (8, 0);
const SV48: (u64, u64) = (9, 1);

static LEVELS: [Level; 4] = [
    Level { span: 1 << 39, entries: 512 },
    Level { span: SIZE_1G, entries: 512 },
    Level { span: SIZE_2M, entries: 512 },
    Level { span: SIZE_4K, entries: 512 },
];

static LAYOUT: Layout = Layout {
    page: SIZE_4K,
    entry_size: 8,
    entry_endian: Endian::Little,
    direct_map: Some(VirtAddr::new(0xffff_ffd0_0000_0000)..VirtAddr::new(0xffff_fff0_0000_0000)),
    direct_pages: [SIZE_2M, SIZE_4K],
    direct_align: SIZE_1G,
    direct_least: 0,
    kernel_map: KERNEL_BASE..VirtAddr::new(0xffff_ffc8_0000_0000),
    kernel_map_start: None,
    kernel_map_align: SIZE_2M,
    image: ImagePlace {
        linked: KERNEL_BASE,
        // The firmware occupies the first 2 MB.
        loaded: PhysAddr::new(2 * SIZE_1G + SIZE_2M),
        page: SIZE_2M,
        movable: Some(SIZE_2M),
    },
    memory: Memory::From(PhysAddr::new(2 * SIZE_1G)),
};

/// riscv64 with three or four levels of page tables.
#[derive(Debug)]
pub(in crate::image) struct Riscv64 {
    /// Four levels?
    pub sv48: bool,
}

impl Space for Riscv64 {
    fn layout(&self) -> &Layout {
        &LAYOUT
    }

    fn levels(&self) -> &'static [Level] {
        if self.sv48 { &LEVELS } else { LEVELS.split_at(1).1 }
    }

    fn table_entry(&self, _level: usize, table: PhysAddr) -> u64 {
        table.get() >> 2 | VALID
    }

    fn page_entry(&self, _level: usize, to: PhysAddr, rights: Rights) -> u64 {
        let mut entry = to.get() >> 2 | VALID | READ | USUAL;
        entry |= if rights.write { WRITE } else { 0 };
        entry |= if rights.execute { EXECUTE } else { 0 };
        entry
    }

    fn decode(&self, _level: usize, entry: u64) -> Entry {
        let at = PhysAddr::new((entry & PAGE_NUMBER) << 2);
        match (entry & VALID, entry & LEAF) {
            (0, _) => Entry::Nothing,
            (_, 0) => Entry::Table(at),
            _ => Entry::Page(at),
        }
    }

    /// The boot code makes it after the image, and refers to it by the address there.
    fn root_in_kernel_map(&self) -> bool {
        true
    }

    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        let (satp_mode, pmap_mode) = if self.sv48 { SV48 } else { SV39 };
        vec![
            ("kernel_pmap_store.pm_top", boot.root_address.get()),
            ("kernel_pmap_store.pm_l1", boot.root_address.get()),
            ("kernel_pmap_store.pm_satp", satp_mode << 60 | boot.root.get() >> 12),
            ("pmap_mode", pmap_mode),
            ("dmap_phys_base", boot.direct.start.get()),
            ("dmap_phys_max", boot.direct.end.get()),
            ("dmap_max_addr", boot.direct_end.get()),
        ]
    }
}
