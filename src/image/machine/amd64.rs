//! An amd64 kernel's address space, and the page tables that make it.
//!
//! `sys/amd64/include/vmparam.h` and `sys/amd64/amd64/pmap.c`, 12.1: the
//! direct map at 0xfffff80000000000 covers at least 4 GB, holes included, with
//! 2M or 1G pages; the kernel map starts at 0xfffffe0000000000 and has 4K pages;
//! the kernel image lies in the last 2 GB. Five levels (`la57`) put one more
//! table on top and change nothing below it.

use super::frames::Frames;
use super::ram::{FRAME, Ram};
use crate::addr::{PhysAddr, VirtAddr};
use crate::image::ImageError;

/// Start of the direct map, `DMAP_MIN_ADDRESS`.
pub const DIRECT_MAP: VirtAddr = VirtAddr::new(0xffff_f800_0000_0000);
/// End of the direct map, `DMAP_MAX_ADDRESS`.
pub const DIRECT_MAP_END: VirtAddr = VirtAddr::new(0xffff_fc00_0000_0000);
/// Start of the kernel map, `VM_MIN_KERNEL_ADDRESS` since 10.0.
pub const KERNEL_MAP: VirtAddr = VirtAddr::new(0xffff_fe00_0000_0000);
/// `KERNBASE`: the kernel's text starts 2 MB above it.
pub const KERNEL_BASE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);

pub const SIZE_4K: u64 = 1 << 12;
pub const SIZE_2M: u64 = 1 << 21;
pub const SIZE_1G: u64 = 1 << 30;

const VALID: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 5;
const MODIFIED: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const FRAME_MASK: u64 = 0x000f_ffff_ffff_f000;

/// The slot of the top-level table that points back at that table (`PML4PML4I`).
const RECURSIVE_SLOT: u64 = 256;

/// Where the kernel image lies in physical memory unless the boot loader relocates it.
pub const LOAD_ADDRESS: PhysAddr = PhysAddr::new(SIZE_2M);

/// Where the byte that is linked at `at` is loaded, if the kernel's text starts at `load`.
///
/// The physical addresses in the ELF file are not used: linkers disagree on them.
pub fn load_address(at: VirtAddr, load: PhysAddr) -> Option<PhysAddr> {
    let offset = at.offset_from(KERNEL_BASE.wrapping_add(SIZE_2M))?;
    load.checked_add(offset)
}

/// What a page may be used for.
#[derive(Debug, Clone, Copy)]
pub struct Rights {
    pub write: bool,
    pub execute: bool,
}

/// The kernel's page tables, in simulated memory.
#[derive(Debug)]
pub struct PageTables {
    root: PhysAddr,
    pml4: PhysAddr,
    levels: u32,
}

impl PageTables {
    /// Builds empty tables of 4 levels, or of 5 with `la57`.
    pub fn new(ram: &mut Ram, frames: &mut Frames, la57: bool) -> Result<Self, ImageError> {
        let root = frames.take_low()?;
        store(ram, entry_at(root, RECURSIVE_SLOT), root.get() | VALID | WRITABLE | NO_EXECUTE);
        let mut tables = Self { root, pml4: root, levels: if la57 { 5 } else { 4 } };
        if la57 {
            tables.pml4 = table_below(ram, frames, root, index(KERNEL_BASE, 5))?;
        }
        Ok(tables)
    }

    /// The topmost table: what CR3 holds, `KPML5phys` or `KPML4phys`.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// The level-4 table, `KPML4phys`.
    pub fn pml4(&self) -> PhysAddr {
        self.pml4
    }

    /// The kernel variables by which a debugger finds its way, and their values: `load` is where
    /// the kernel lies, `limit` the end of the direct map. Older kernels have fewer of them.
    pub fn boot_variables(&self, load: PhysAddr, limit: u64) -> Vec<(&'static str, u64)> {
        let mut variables =
            vec![("KPML4phys", self.pml4.get()), ("kernphys", load.get()), ("dmaplimit", limit)];
        if self.levels == 5 {
            variables.extend([("KPML5phys", self.root.get()), ("la57", 1)]);
        }
        variables
    }

    /// Maps the page of `size` bytes (4K, 2M or 1G; both addresses aligned to it) at `at` to `to`.
    pub fn map(
        &self,
        ram: &mut Ram,
        frames: &mut Frames,
        at: VirtAddr,
        to: PhysAddr,
        size: u64,
        rights: Rights,
    ) -> Result<(), ImageError> {
        let leaf = leaf_level(size);
        let mut table = self.root;
        for level in (leaf + 1..=self.levels).rev() {
            table = table_below(ram, frames, table, index(at, level))?;
        }
        let mut entry = to.get() | VALID | ACCESSED | MODIFIED | GLOBAL;
        entry |= if rights.write { WRITABLE } else { 0 };
        entry |= if rights.execute { 0 } else { NO_EXECUTE };
        entry |= if leaf > 1 { LARGE } else { 0 };
        store(ram, entry_at(table, index(at, leaf)), entry);
        Ok(())
    }

    /// Takes the 4K page at `at` out of the tables.
    pub fn unmap(&self, ram: &mut Ram, at: VirtAddr) {
        let table = (2..=self.levels).rev().try_fold(self.root, |table, level| {
            let entry = load(ram, entry_at(table, index(at, level)));
            (entry & VALID != 0).then_some(PhysAddr::new(entry & FRAME_MASK))
        });
        if let Some(table) = table {
            store(ram, entry_at(table, index(at, 1)), 0);
        }
    }

    /// The 512 page-directory entries, one per 2 MB, of the gigabyte that starts at `at`.
    ///
    /// A 1G page counts as 512 pages of 2 MB, as in `minidumpsys`.
    pub fn directory(&self, ram: &Ram, at: VirtAddr) -> Option<[u64; 512]> {
        let mut table = self.root;
        for level in (3..=self.levels).rev() {
            let entry = load(ram, entry_at(table, index(at, level)));
            if entry & VALID == 0 {
                return None;
            }
            if level == 3 && entry & LARGE != 0 {
                return Some(std::array::from_fn(|i| entry + i as u64 * SIZE_2M));
            }
            table = PhysAddr::new(entry & FRAME_MASK);
        }
        Some(entries(ram, table))
    }

    /// The 512 page-table entries behind one page-directory entry; 2M pages are split up.
    pub fn table(&self, ram: &Ram, directory_entry: u64) -> Option<[u64; 512]> {
        if directory_entry & VALID == 0 {
            return None;
        }
        if directory_entry & LARGE != 0 {
            let first = directory_entry & !LARGE;
            return Some(std::array::from_fn(|i| first + i as u64 * SIZE_4K));
        }
        Some(entries(ram, PhysAddr::new(directory_entry & FRAME_MASK)))
    }
}

/// Level 1 is the page table, 2 the page directory, and so on up.
fn index(at: VirtAddr, level: u32) -> u64 {
    at.get() >> (12 + 9 * (level - 1)) & 511
}

fn leaf_level(size: u64) -> u32 {
    match size {
        SIZE_1G => 3,
        SIZE_2M => 2,
        _ => 1,
    }
}

fn entry_at(table: PhysAddr, index: u64) -> PhysAddr {
    table.wrapping_add(index * 8)
}

fn table_below(
    ram: &mut Ram,
    frames: &mut Frames,
    table: PhysAddr,
    index: u64,
) -> Result<PhysAddr, ImageError> {
    let slot = entry_at(table, index);
    let entry = load(ram, slot);
    if entry & VALID != 0 {
        return Ok(PhysAddr::new(entry & FRAME_MASK));
    }
    let new = frames.take_low()?;
    store(ram, slot, new.get() | VALID | WRITABLE | ACCESSED);
    Ok(new)
}

fn entries(ram: &Ram, table: PhysAddr) -> [u64; 512] {
    let mut page = [0; FRAME as usize];
    ram.read(table, &mut page);
    let (words, _) = page.as_chunks::<8>();
    std::array::from_fn(|i| words.get(i).map_or(0, |word| u64::from_le_bytes(*word)))
}

fn load(ram: &Ram, at: PhysAddr) -> u64 {
    let mut word = [0; 8];
    ram.read(at, &mut word);
    u64::from_le_bytes(word)
}

fn store(ram: &mut Ram, at: PhysAddr, entry: u64) {
    ram.write(at, &entry.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: Rights = Rights { write: true, execute: false };

    fn machine() -> (Ram, Frames) {
        let end = PhysAddr::new(64 << 20);
        (Ram::default(), Frames::new(std::slice::from_ref(&(PhysAddr::new(0x10_0000)..end))))
    }

    /// The walk as the processor manual draws it, written out for one address.
    fn walk_four_levels(ram: &Ram, root: PhysAddr, at: u64) -> (u64, u64) {
        let pml4e = load(ram, PhysAddr::new(root.get() + (at >> 39 & 511) * 8));
        let pdpte = load(ram, PhysAddr::new((pml4e & FRAME_MASK) + (at >> 30 & 511) * 8));
        if pdpte & 0x80 != 0 {
            return (pdpte & 0x000f_ffff_c000_0000 | at & 0x3fff_ffff, 30);
        }
        let pde = load(ram, PhysAddr::new((pdpte & FRAME_MASK) + (at >> 21 & 511) * 8));
        if pde & 0x80 != 0 {
            return (pde & 0x000f_ffff_ffe0_0000 | at & 0x1f_ffff, 21);
        }
        let pte = load(ram, PhysAddr::new((pde & FRAME_MASK) + (at >> 12 & 511) * 8));
        (pte & FRAME_MASK | at & 0xfff, 12)
    }

    #[test]
    fn pages_of_all_sizes_translate() {
        let (mut ram, mut frames) = machine();
        let tables = PageTables::new(&mut ram, &mut frames, false).unwrap();
        for (at, to, size) in [
            (0xffff_fe00_0123_4000, 0x77_7000, SIZE_4K),
            (0xffff_ffff_8020_0000, 0x40_0000, SIZE_2M),
            (0xffff_f800_4000_0000, 0x4000_0000, SIZE_1G),
        ] {
            let (at, to) = (VirtAddr::new(at), PhysAddr::new(to));
            tables.map(&mut ram, &mut frames, at, to, size, RIGHTS).unwrap();
            let (got, bits) = walk_four_levels(&ram, tables.root(), at.get() + 0x123);
            assert_eq!((got, 1 << bits), (to.get() + 0x123, size));
        }
        assert_eq!(tables.pml4(), tables.root());
    }

    #[test]
    fn five_levels_put_one_table_on_top() {
        let (mut ram, mut frames) = machine();
        let tables = PageTables::new(&mut ram, &mut frames, true).unwrap();
        let (at, to) = (VirtAddr::new(0xffff_ffff_8020_1000), PhysAddr::new(0x20_1000));
        tables.map(&mut ram, &mut frames, at, to, SIZE_4K, RIGHTS).unwrap();
        let top = load(&ram, PhysAddr::new(tables.root().get() + 511 * 8));
        assert_eq!(top & FRAME_MASK, tables.pml4().get());
        assert_eq!(walk_four_levels(&ram, tables.pml4(), at.get()), (0x20_1000, 12));
    }

    #[test]
    fn an_unmapped_page_has_no_entry() {
        let (mut ram, mut frames) = machine();
        let tables = PageTables::new(&mut ram, &mut frames, false).unwrap();
        let (at, to) = (VirtAddr::new(0xffff_fe00_0000_5000), PhysAddr::new(0x30_0000));
        tables.map(&mut ram, &mut frames, at, to, SIZE_4K, RIGHTS).unwrap();
        let directory = tables.directory(&ram, VirtAddr::new(0xffff_fe00_0000_0000)).unwrap();
        assert_eq!(tables.table(&ram, directory[0]).unwrap()[5] & FRAME_MASK, 0x30_0000);
        tables.unmap(&mut ram, at);
        assert_eq!(tables.table(&ram, directory[0]).unwrap()[5], 0);
        assert!(tables.directory(&ram, VirtAddr::new(0xffff_ff00_0000_0000)).is_none());
    }
}
