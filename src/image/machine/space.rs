//! The kernel address space of an architecture.
//!
//! One small file for each architecture says where things are, how
//! many levels its page tables have, and what their entries mean. `tables.rs`
//! builds the tables in the same way for all; [`Machine`](super::Machine) fills them.

use std::fmt;
use std::ops::Range;

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

/// An architecture's kernel address space.
pub(in crate::image) trait Space: fmt::Debug + Sync {
    /// Where things are.
    fn layout(&self) -> &Layout;

    /// The levels of page tables, the topmost first.
    fn levels(&self) -> &'static [Level];

    /// The entry of a level `level` table that points to the table at `table`.
    fn table_entry(&self, level: usize, table: PhysAddr) -> u64;

    /// The entry of a level `level` table that maps memory at `to`.
    fn page_entry(&self, level: usize, to: PhysAddr, rights: Rights) -> u64;

    /// The meaning of an entry of a level `level` table.
    fn decode(&self, level: usize, entry: u64) -> Entry;

    /// The slot of the topmost table that points back to that table, and its value.
    fn self_map(&self, _root: PhysAddr) -> Option<(u64, u64)> {
        None
    }

    /// Are all slots of the topmost table filled from the start?
    fn top_is_full(&self) -> bool {
        false
    }

    /// The name of the kernel's own space for the topmost table.
    fn root_symbol(&self) -> Option<&'static str> {
        None
    }

    /// Is the topmost table mapped in the kernel map rather than through the direct map?
    fn root_in_kernel_map(&self) -> bool {
        self.layout().direct_map.is_none()
    }

    /// The distance from its link address of a kernel loaded at `load`, modulo 2^64.
    fn displacement(&self, _load: PhysAddr) -> u64 {
        0
    }

    /// The kernel variables from which a debugger starts, with their values. Members are
    /// written as in C. Other releases lack some of them.
    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)>;
}

/// Where things are in the kernel's address space and in physical memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) struct Layout {
    /// The page size of the kernel map, in bytes.
    pub page: u64,
    /// The size of a page-table entry, in bytes.
    pub entry_size: u64,
    /// The byte order of a page-table entry.
    pub entry_endian: Endian,
    /// The direct map of all physical memory; `None` if the architecture has none.
    pub direct_map: Option<Range<VirtAddr>>,
    /// The largest page size that maps it, and the one used without superpages, in bytes.
    pub direct_pages: [u64; 2],
    /// It starts at the first memory of the machine, rounded down to a multiple of this.
    pub direct_align: u64,
    /// It covers at least this much physical memory, including holes, in bytes.
    pub direct_least: u64,
    /// Where the kernel map may be.
    pub kernel_map: Range<VirtAddr>,
    /// Where it starts; `None` if it follows the kernel image.
    pub kernel_map_start: Option<VirtAddr>,
    /// Its start and end are multiples of this.
    pub kernel_map_align: u64,
    /// Where the kernel image is.
    pub image: ImagePlace,
    /// Where the machine has its memory.
    pub memory: Memory,
}

/// Where a kernel image is linked and loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) struct ImagePlace {
    /// The byte linked here …
    pub linked: VirtAddr,
    /// … is loaded here, unless the boot loader relocates it.
    pub loaded: PhysAddr,
    /// The size of the large pages that map it, in bytes.
    pub page: u64,
    /// It can be loaded elsewhere, at a multiple of this; `None` if it cannot.
    pub movable: Option<u64>,
}

impl ImagePlace {
    /// The physical address of the byte that is linked at `at`, if the image is loaded at `load`.
    ///
    /// The physical addresses in the ELF file are not used, because linkers disagree on them.
    pub fn physical(&self, at: VirtAddr, load: PhysAddr) -> Option<PhysAddr> {
        load.checked_add(at.offset_from(self.linked)?)
    }
}

/// Where a machine has its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) enum Memory {
    /// As in a PC: from 0, with holes for the video memory and for devices.
    Pc,
    /// One range, from this address on.
    From(PhysAddr),
}

/// A level of page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) struct Level {
    /// The bytes of address space that one entry covers: a power of two.
    pub span: u64,
    /// Entries in a table: a power of two.
    pub entries: u64,
}

impl Level {
    /// The index of the entry that covers `at`.
    pub fn index(&self, at: VirtAddr) -> u64 {
        at.get() / self.span % self.entries
    }
}

/// The meaning of a page-table entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) enum Entry {
    /// Nothing is mapped.
    Nothing,
    /// The next level's table is at this address.
    Table(PhysAddr),
    /// Memory is mapped at this address, as much as the level's entries cover.
    Page(PhysAddr),
}

/// How a page may be accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) struct Rights {
    /// May it be written?
    pub write: bool,
    /// May it be executed?
    pub execute: bool,
}

impl Rights {
    /// Writable and not executable.
    pub const DATA: Self = Self { write: true, execute: false };
}

/// What the kernel's boot code finds out and stores in variables.
#[derive(Debug, Clone)]
pub(in crate::image) struct Boot {
    /// The physical address of the topmost table.
    pub root: PhysAddr,
    /// Its address in the kernel's address space.
    pub root_address: VirtAddr,
    /// The table below it that leads to the kernel image.
    pub below_root: PhysAddr,
    /// The first of all tables below the topmost one.
    pub first_below: PhysAddr,
    /// Where the kernel image is loaded.
    pub load: PhysAddr,
    /// The physical memory that the direct map covers.
    pub direct: Range<PhysAddr>,
    /// The end of the direct map.
    pub direct_end: VirtAddr,
}
