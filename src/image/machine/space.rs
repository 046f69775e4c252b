//! What an architecture's kernel address space looks like.
//!
//! One small file per architecture says what is its own: where things lie, how
//! many levels its page tables have, and what their entries mean. `tables.rs`
//! builds the tables, the same for all; [`Machine`](super::Machine) fills them.

use std::fmt;
use std::ops::Range;

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;

/// An architecture's kernel address space.
pub trait Space: fmt::Debug + Sync {
    /// Where things lie.
    fn layout(&self) -> &Layout;

    /// The levels of page tables, the topmost first.
    fn levels(&self) -> &'static [Level];

    /// The entry of a table of level number `level` that leads to the table at `table`.
    fn table_entry(&self, level: usize, table: PhysAddr) -> u64;

    /// The entry of a table of level number `level` that maps memory at `to`.
    fn page_entry(&self, level: usize, to: PhysAddr, rights: Rights) -> u64;

    /// What an entry of a table of level number `level` says.
    fn decode(&self, level: usize, entry: u64) -> Entry;

    /// The slot of the topmost table that points back at that table, and what it holds.
    fn self_map(&self, _root: PhysAddr) -> Option<(u64, u64)> {
        None
    }

    /// Are all slots of the topmost table filled from the start?
    fn top_is_full(&self) -> bool {
        false
    }

    /// The kernel's own place for the topmost table, by name.
    fn root_symbol(&self) -> Option<&'static str> {
        None
    }

    /// Is the topmost table mapped in the kernel map, rather than found in the direct map?
    fn root_in_kernel_map(&self) -> bool {
        self.layout().direct_map.is_none()
    }

    /// How far from where it is linked a kernel runs that is loaded at `load`, modulo 2^64.
    fn displacement(&self, _load: PhysAddr) -> u64 {
        0
    }

    /// The kernel variables by which a debugger finds its way, and their values; members are
    /// written as in C. Kernels of other releases have fewer of them.
    fn boot_variables(&self, boot: &Boot) -> Vec<(&'static str, u64)>;
}

/// Where a kernel has what, in its own address space and in physical memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of a page of the kernel map.
    pub page: u64,
    /// Bytes of an entry of the page tables, and their order.
    pub entry_size: u64,
    pub entry_endian: Endian,
    /// All physical memory, one to one.
    pub direct_map: Option<Range<VirtAddr>>,
    /// Bytes of the largest pages that map it, and of those used without superpages.
    pub direct_pages: [u64; 2],
    /// It starts at the machine's first memory, rounded down to a multiple of this.
    pub direct_align: u64,
    /// It covers at least so much physical memory, holes included.
    pub direct_least: u64,
    /// Where the kernel map may lie.
    pub kernel_map: Range<VirtAddr>,
    /// Where it starts, unless behind the kernel image.
    pub kernel_map_start: Option<VirtAddr>,
    /// What it starts and ends on a multiple of.
    pub kernel_map_align: u64,
    pub image: ImagePlace,
    pub memory: Memory,
}

/// Where a kernel image is linked and loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImagePlace {
    /// The byte linked here …
    pub linked: VirtAddr,
    /// … is loaded here, unless the boot loader relocates it.
    pub loaded: PhysAddr,
    /// Bytes of the large pages that map it.
    pub page: u64,
    /// It can be loaded elsewhere, at a multiple of this.
    pub movable: Option<u64>,
}

impl ImagePlace {
    /// Where the byte that is linked at `at` is loaded, if the image is loaded at `load`.
    ///
    /// The physical addresses in the ELF file are not used: linkers disagree on them.
    pub fn physical(&self, at: VirtAddr, load: PhysAddr) -> Option<PhysAddr> {
        load.checked_add(at.offset_from(self.linked)?)
    }
}

/// Where a machine has its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// As a PC: from 0, with holes for the video memory and for devices.
    Pc,
    /// In one piece from this address on.
    From(PhysAddr),
}

/// A level of page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Bytes of the address space that an entry covers: a power of two.
    pub span: u64,
    /// Entries in a table: a power of two.
    pub entries: u64,
}

impl Level {
    /// Which entry of its table covers `at`.
    pub fn index(&self, at: VirtAddr) -> u64 {
        at.get() / self.span % self.entries
    }
}

/// What an entry of a page table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Nothing,
    /// The next level's table is here.
    Table(PhysAddr),
    /// Memory is mapped, as much as the level's entries cover.
    Page(PhysAddr),
}

/// What a page may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    pub write: bool,
    pub execute: bool,
}

impl Rights {
    pub const DATA: Self = Self { write: true, execute: false };
}

/// What the kernel's boot code found out and keeps in variables.
#[derive(Debug, Clone)]
pub struct Boot {
    /// The topmost table, and where it lies in the kernel's address space.
    pub root: PhysAddr,
    pub root_address: VirtAddr,
    /// The table below it that leads to the kernel image, and the first one of all.
    pub below_root: PhysAddr,
    pub first_below: PhysAddr,
    /// Where the kernel image is loaded, and where it runs.
    pub load: PhysAddr,
    pub image: Range<VirtAddr>,
    /// What the direct map covers.
    pub direct: Range<PhysAddr>,
    pub direct_end: VirtAddr,
}
