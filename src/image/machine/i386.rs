//! An i386 kernel's address space.
//!
//! `sys/i386/include/pmap.h`, `vmparam.h`, 12.0 and later: kernel and user have
//! separate address spaces. The kernel image is mapped at its
//! physical address, 8 MB (4 MB with PAE until 12), and the kernel map follows.
//! There is no direct map: every object is in the kernel map.

use super::space::{Boot, Entry, ImagePlace, Layout, Level, Memory, Rights, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

const VALID: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 5;
const MODIFIED: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const FRAME_MASK: u64 = 0x000f_ffff_ffff_f000;

const SIZE_4K: u64 = 4 << 10;
const SIZE_2M: u64 = 2 << 20;
const SIZE_4M: u64 = 4 << 20;

static LEVELS: [Level; 2] =
    [Level { span: SIZE_4M, entries: 1024 }, Level { span: SIZE_4K, entries: 1024 }];

static LEVELS_PAE: [Level; 3] = [
    Level { span: 1 << 30, entries: 4 },
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
        kernel_map: VirtAddr::new(SIZE_4M)..VirtAddr::new(0xff00_0000),
        kernel_map_start: None,
        kernel_map_align: SIZE_4M,
        image: ImagePlace {
            linked: VirtAddr::new(0),
            loaded: PhysAddr::new(0),
            page: large_page,
            movable: None,
        },
        memory: Memory::Pc,
    }
}

static LAYOUT: Layout = layout(4, SIZE_4M);
static LAYOUT_PAE: Layout = layout(8, SIZE_2M);

/// i386, with or without PAE.
#[derive(Debug)]
pub(in crate::image) struct I386 {
    /// With PAE?
    pub pae: bool,
}

impl Space for I386 {
    fn layout(&self) -> &Layout {
        if self.pae { &LAYOUT_PAE } else { &LAYOUT }
    }

    fn levels(&self) -> &'static [Level] {
        if self.pae { &LEVELS_PAE } else { &LEVELS }
    }

    /// The four entries above the directories have no rights.
    fn table_entry(&self, level: usize, table: PhysAddr) -> u64 {
        let is_directory = self.pae && level == 0;
        table.get() | VALID | if is_directory { 0 } else { WRITABLE | ACCESSED }
    }

    fn page_entry(&self, level: usize, to: PhysAddr, rights: Rights) -> u64 {
        let mut entry = to.get() | VALID | ACCESSED | MODIFIED | GLOBAL;
        entry |= if rights.write { WRITABLE } else { 0 };
        entry |= if rights.execute || !self.pae { 0 } else { NO_EXECUTE };
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

    /// With PAE, the kernel treats the four directories as one array.
    fn top_is_full(&self) -> bool {
        self.pae
    }

    /// Pointers named Idle… hold physical addresses. Since 13.0 one kernel supports both kinds.
    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)> {
        let (root, directory) = (boot.root.get(), boot.first_below.get());
        match self.pae {
            true => vec![
                ("IdlePDPT", root),
                ("IdlePTD", directory),
                ("IdlePTD_pae", directory),
                ("pae_mode", 1),
            ],
            false => vec![("IdlePTD", root), ("IdlePTD_nopae", root), ("pae_mode", 0)],
        }
    }
}
