//! An amd64 kernel's address space.
//!
//! `sys/amd64/include/vmparam.h` and `sys/amd64/amd64/pmap.c`, 12.1: the
//! direct map at 0xfffff80000000000 covers at least 4 GB, holes included, with
//! 2M or 1G pages; the kernel map starts at 0xfffffe0000000000 and has 4K pages;
//! the kernel image lies in the last 2 GB. Five levels (`la57`) put one more
//! table on top and change nothing below it.

use super::space::{Boot, Entry, ImagePlace, Layout, Level, Memory, Rights, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

/// Start of the direct map, `DMAP_MIN_ADDRESS`.
pub const DIRECT_MAP: VirtAddr = VirtAddr::new(0xffff_f800_0000_0000);
/// End of the direct map, `DMAP_MAX_ADDRESS`.
pub const DIRECT_MAP_END: VirtAddr = VirtAddr::new(0xffff_fc00_0000_0000);
/// Start of the kernel map, `VM_MIN_KERNEL_ADDRESS` since 10.0.
pub const KERNEL_MAP: VirtAddr = VirtAddr::new(0xffff_fe00_0000_0000);
/// `KERNBASE`: the kernel's text starts 2 MB above it.
pub const KERNEL_BASE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);

const SIZE_4K: u64 = 1 << 12;
const SIZE_2M: u64 = 1 << 21;
const SIZE_1G: u64 = 1 << 30;

const VALID: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 5;
const MODIFIED: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const FRAME_MASK: u64 = 0x000f_ffff_ffff_f000;

/// The slot of the topmost table that points back to that table (`PML4PML4I`).
const RECURSIVE_SLOT: u64 = 256;

static LEVELS: [Level; 5] = [
    Level { span: 1 << 48, entries: 512 },
    Level { span: 1 << 39, entries: 512 },
    Level { span: SIZE_1G, entries: 512 },
    Level { span: SIZE_2M, entries: 512 },
    Level { span: SIZE_4K, entries: 512 },
];

static LAYOUT: Layout = Layout {
    page: SIZE_4K,
    entry_size: 8,
    entry_endian: Endian::Little,
    direct_map: Some(DIRECT_MAP..DIRECT_MAP_END),
    direct_pages: [SIZE_1G, SIZE_2M],
    direct_align: SIZE_1G,
    direct_least: 4 * SIZE_1G,
    kernel_map: KERNEL_MAP..KERNEL_BASE,
    kernel_map_start: Some(KERNEL_MAP),
    kernel_map_align: SIZE_1G,
    image: ImagePlace {
        linked: VirtAddr::new(KERNEL_BASE.get() + SIZE_2M),
        loaded: PhysAddr::new(SIZE_2M),
        page: SIZE_2M,
        movable: Some(SIZE_2M),
    },
    memory: Memory::Pc,
};

/// amd64 with four or five levels of page tables.
#[derive(Debug)]
pub(in crate::image) struct Amd64 {
    /// Five levels?
    pub la57: bool,
}

impl Space for Amd64 {
    fn layout(&self) -> &Layout {
        &LAYOUT
    }

    fn levels(&self) -> &'static [Level] {
        if self.la57 { &LEVELS } else { LEVELS.split_at(1).1 }
    }

    fn table_entry(&self, _level: usize, table: PhysAddr) -> u64 {
        table.get() | VALID | WRITABLE | ACCESSED
    }

    fn page_entry(&self, level: usize, to: PhysAddr, rights: Rights) -> u64 {
        let mut entry = to.get() | VALID | ACCESSED | MODIFIED | GLOBAL;
        entry |= if rights.write { WRITABLE } else { 0 };
        entry |= if rights.execute { 0 } else { NO_EXECUTE };
        entry |= if level + 1 < self.levels().len() { LARGE } else { 0 };
        entry
    }

    fn decode(&self, level: usize, entry: u64) -> Entry {
        let at = PhysAddr::new(entry & FRAME_MASK);
        if entry & VALID == 0 {
            Entry::Nothing
        } else if level + 1 == self.levels().len() || entry & LARGE != 0 {
            Entry::Page(at)
        } else {
            Entry::Table(at)
        }
    }

    fn self_map(&self, root: PhysAddr) -> Option<(u64, u64)> {
        Some((RECURSIVE_SLOT, root.get() | VALID | WRITABLE | NO_EXECUTE))
    }

    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        let pml4 = if self.la57 { boot.below_root } else { boot.root };
        let mut variables = vec![
            ("KPML4phys", pml4.get()),
            ("kernphys", boot.load.get()),
            ("dmaplimit", boot.direct.end.get()),
        ];
        if self.la57 {
            variables.extend([("KPML5phys", boot.root.get()), ("la57", 1)]);
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::Frames;
    use super::super::ram::Ram;
    use super::super::tables::PageTables;
    use super::*;

    static FOUR: Amd64 = Amd64 { la57: false };
    static FIVE: Amd64 = Amd64 { la57: true };

    fn tables(space: &'static Amd64) -> (Ram, Frames, PageTables) {
        let memory = PhysAddr::new(0x10_0000)..PhysAddr::new(64 << 20);
        let mut ram = Ram::default();
        let mut frames = Frames::new(std::slice::from_ref(&memory), SIZE_4K);
        let tables = PageTables::new(space, None, &mut ram, &mut frames).unwrap();
        (ram, frames, tables)
    }

    fn load(ram: &Ram, at: u64) -> u64 {
        let mut word = [0; 8];
        ram.read(PhysAddr::new(at), &mut word);
        u64::from_le_bytes(word)
    }

    /// The walk as the processor manual draws it, written out for one address.
    fn walk_four_levels(ram: &Ram, root: PhysAddr, at: u64) -> (u64, u64) {
        let pml4e = load(ram, root.get() + (at >> 39 & 511) * 8);
        let pdpte = load(ram, (pml4e & FRAME_MASK) + (at >> 30 & 511) * 8);
        if pdpte & 0x80 != 0 {
            return (pdpte & 0x000f_ffff_c000_0000 | at & 0x3fff_ffff, 30);
        }
        let pde = load(ram, (pdpte & FRAME_MASK) + (at >> 21 & 511) * 8);
        if pde & 0x80 != 0 {
            return (pde & 0x000f_ffff_ffe0_0000 | at & 0x1f_ffff, 21);
        }
        let pte = load(ram, (pde & FRAME_MASK) + (at >> 12 & 511) * 8);
        (pte & FRAME_MASK | at & 0xfff, 12)
    }

    #[test]
    fn pages_of_all_sizes_translate() {
        let (mut ram, mut frames, tables) = tables(&FOUR);
        for (at, to, size) in [
            (0xffff_fe00_0123_4000, 0x77_7000, SIZE_4K),
            (0xffff_ffff_8020_0000, 0x40_0000, SIZE_2M),
            (0xffff_f800_4000_0000, 0x4000_0000, SIZE_1G),
        ] {
            let (at, to) = (VirtAddr::new(at), PhysAddr::new(to));
            tables.map(&mut ram, &mut frames, at, to, size, Rights::DATA).unwrap();
            let (got, bits) = walk_four_levels(&ram, tables.root(), at.get() + 0x123);
            assert_eq!((got, 1 << bits), (to.get() + 0x123, size));
        }
    }

    #[test]
    fn five_levels_put_one_table_on_top() {
        let (mut ram, mut frames, tables) = tables(&FIVE);
        let (at, to) = (VirtAddr::new(0xffff_ffff_8020_1000), PhysAddr::new(0x20_1000));
        tables.map(&mut ram, &mut frames, at, to, SIZE_4K, Rights::DATA).unwrap();
        let pml4 = tables.table(&ram, at, 1).unwrap();
        assert_eq!(load(&ram, tables.root().get() + 511 * 8) & FRAME_MASK, pml4.get());
        assert_eq!(walk_four_levels(&ram, pml4, at.get()), (0x20_1000, 12));
    }

    #[test]
    fn an_unmapped_page_has_no_entry() {
        let (mut ram, mut frames, tables) = tables(&FOUR);
        let (at, to) = (VirtAddr::new(0xffff_fe00_0000_5000), PhysAddr::new(0x30_0000));
        tables.map(&mut ram, &mut frames, at, to, SIZE_4K, Rights::DATA).unwrap();
        assert_eq!(tables.entries(&ram, at, 3).unwrap()[5] & FRAME_MASK, 0x30_0000);
        tables.unmap(&mut ram, at);
        assert_eq!(tables.entries(&ram, at, 3).unwrap()[5], 0);
        assert!(tables.entries(&ram, VirtAddr::new(0xffff_ff00_0000_0000), 2).is_none());
    }

    #[test]
    fn a_large_page_is_split_for_the_page_map() {
        let (mut ram, mut frames, tables) = tables(&FOUR);
        let (at, to) = (VirtAddr::new(0xffff_ffff_8020_0000), PhysAddr::new(0x40_0000));
        tables.map(&mut ram, &mut frames, at, to, SIZE_2M, Rights::DATA).unwrap();
        let entries = tables.entries(&ram, at.wrapping_add(0x5_0000), 3).unwrap();
        assert_eq!(entries.len(), 512);
        assert_eq!(entries[511] & FRAME_MASK, 0x5f_f000);
        assert_eq!(entries[511] & LARGE, 0);
    }
}
