//! Walks page tables: the part that all architectures have in common.
//!
//! An architecture defines how many levels there are, how much memory an entry of
//! each covers, and what an entry means ([`Step`]). The walk is the same for all.

use std::fmt;

use super::translate::{Mapping, Root, Translate, missing};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;
use crate::dump::{PhysFault, PhysicalMemory};
use crate::fault::{Fault, FaultKind, Stage};

/// A level of page tables.
#[derive(Debug)]
pub(super) struct Level {
    /// Its name in messages.
    pub(super) name: &'static str,
    /// Bytes of memory that one entry covers; a power of two.
    pub(super) span: u64,
    /// Entries in one table.
    pub(super) entries: u64,
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is mapped.
    Invalid,
    /// The table of the next level lies at this physical address.
    Table(u64),
    /// A page of `size` bytes (a power of two). The bits of `frame` below that are not
    /// part of the address: in the entries of large pages they have other meanings.
    Page { frame: u64, size: u64 },
}

/// The page tables of an architecture.
#[derive(Debug)]
pub(super) struct Format {
    /// From the root downwards.
    pub(super) levels: &'static [Level],
    /// Bytes of an entry: 4 or 8.
    pub(super) entry_size: usize,
    pub(super) endian: Endian,
    pub(super) step: fn(&Level, u64) -> Step,
    pub(super) addresses: Addresses,
}

/// Which numbers are valid addresses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Addresses {
    /// The bits above this many equal the highest bit below.
    Signed(u32),
    /// The bits above this many are all ones: tables for the kernel's half only.
    Upper(u32),
    /// The bits above this many are zero.
    Lower(u32),
}

impl Addresses {
    pub(super) fn contain(self, address: VirtAddr) -> bool {
        let address = address.get();
        match self {
            Self::Signed(bits) => {
                let unused = 64 - bits;
                ((address << unused) as i64 >> unused) as u64 == address
            }
            Self::Upper(bits) => address >> bits == u64::MAX >> bits,
            Self::Lower(bits) => address >> bits == 0,
        }
    }

    /// The first valid address from `at` on, and where the last stretch of addresses begins.
    fn first_from(self, at: VirtAddr) -> Option<(VirtAddr, VirtAddr)> {
        let upper = VirtAddr::new(match self {
            Self::Signed(bits) => u64::MAX << (bits - 1),
            Self::Upper(bits) => u64::MAX.checked_shl(bits).unwrap_or(0),
            Self::Lower(_) => 0,
        });
        let first = if self.contain(at) { at } else { at.max(upper) };
        self.contain(first).then_some((first, upper))
    }

    /// The fault of an address outside all ranges.
    pub(super) fn uncovered(self, address: VirtAddr) -> Fault {
        let kind = match self.contain(address) {
            true => FaultKind::NotMapped,
            false => FaultKind::BadAddress,
        };
        Fault { address, kind, stage: Stage::Range }
    }
}

/// The page tables as the processor walks them, starting at their root.
pub struct PageTables {
    root: PhysAddr,
    format: &'static Format,
}

impl PageTables {
    /// The page tables whose top table is at `root`.
    pub(super) fn new(root: PhysAddr, format: &'static Format) -> Self {
        Self { root, format }
    }
}

impl Translate for PageTables {
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault> {
        if !self.format.addresses.contain(address) {
            return Err(Fault { address, kind: FaultKind::BadAddress, stage: Stage::Range });
        }
        self.format.walk(memory, self.root, self.format.levels, address)
    }

    fn next(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr> {
        let mut at = self.format.first_from(at)?;
        for _ in 0..MAX_GAPS {
            match self.format.gap(memory, self.root, self.format.levels, at) {
                None => return Some(at),
                Some(span) => at = self.format.first_from(after(at, span)?)?,
            }
        }
        None
    }

    fn root(&self) -> Option<Root> {
        let entry_size = self.format.entry_size as u64;
        let entries = self.format.levels.first()?.entries;
        Some(Root { phys: self.root, len: entries * entry_size, entry_size })
    }

    fn entry(&self, memory: &dyn PhysicalMemory, at: VirtAddr, span: u64) -> Option<u64> {
        let mut table = self.root;
        for level in self.format.levels.iter().take_while(|level| level.span >= span) {
            let place = self.format.place(table, level, at);
            let value = self.format.value(memory, place).ok()?;
            match (self.format.step)(level, value) {
                Step::Table(_) if level.span == span => return Some(value),
                Step::Table(next) => table = PhysAddr::new(next),
                Step::Page { .. } => {
                    return Some(value.wrapping_add(at.page_start(span).page_offset(level.span)));
                }
                Step::Invalid => return None,
            }
        }
        None
    }
}

/// How many entries without a page a search skips. Tables of a
/// damaged dump may point to themselves and would be searched forever.
pub(super) const MAX_GAPS: usize = 1 << 24;

/// The first address after the aligned `span` bytes that contain `at`.
pub(super) fn after(at: VirtAddr, span: u64) -> Option<VirtAddr> {
    at.page_start(span).checked_add(span)
}

impl fmt::Debug for PageTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageTables").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Format {
    /// The first address from `at` on that has its own entries. On powerpc64 a root covers
    /// only part of the addresses, and the entries repeat after that.
    pub(super) fn first_from(&self, at: VirtAddr) -> Option<VirtAddr> {
        let (first, upper) = self.addresses.first_from(at)?;
        let root = self.levels.first()?;
        let covered = root.span.saturating_mul(root.entries);
        (first.offset_from(upper).is_none_or(|offset| offset < covered)).then_some(first)
    }

    /// Walks `levels` starting with the table at `table`.
    pub(super) fn walk(
        &self,
        memory: &dyn PhysicalMemory,
        table: PhysAddr,
        levels: &[Level],
        address: VirtAddr,
    ) -> Result<Mapping, Fault> {
        self.descend(memory, table, levels, address).map_err(|(fault, _)| fault)
    }

    /// How much memory around `address` has no page, judged by the entry at which the
    /// walk ends; `None` if it has a page.
    pub(super) fn gap(
        &self,
        memory: &dyn PhysicalMemory,
        table: PhysAddr,
        levels: &[Level],
        address: VirtAddr,
    ) -> Option<u64> {
        self.descend(memory, table, levels, address).err().map(|(_, span)| span)
    }

    /// The mapping of `address`, or the fault and the number of bytes that the failing entry
    /// covers.
    fn descend(
        &self,
        memory: &dyn PhysicalMemory,
        table: PhysAddr,
        levels: &[Level],
        address: VirtAddr,
    ) -> Result<Mapping, (Fault, u64)> {
        let mut table = table;
        let mut last = (Stage::Range, 1);
        for level in levels {
            let at = self.place(table, level, address);
            let value = self.value(memory, at).map_err(|fault| {
                let stage = Stage::Table { level: level.name, at: table };
                // The table is on one page, so nothing that it covers can be reached.
                (missing(address, fault, stage), level.span.saturating_mul(level.entries))
            })?;
            last = (Stage::Entry { level: level.name, at, value }, level.span);
            match (self.step)(level, value) {
                Step::Page { frame, size } => return Ok(mapping(frame, size, address)),
                Step::Table(next) => table = PhysAddr::new(next),
                Step::Invalid => break,
            }
        }
        let (stage, span) = last;
        Err((Fault { address, kind: FaultKind::NotMapped, stage }, span))
    }

    /// Where the table at `table` has the entry for `address`.
    fn place(&self, table: PhysAddr, level: &Level, address: VirtAddr) -> PhysAddr {
        let index = address.get() / level.span % level.entries;
        table.wrapping_add(index * self.entry_size as u64)
    }

    /// The entry at `at`.
    fn value(&self, memory: &dyn PhysicalMemory, at: PhysAddr) -> Result<u64, PhysFault> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..self.entry_size];
        memory.read(at, bytes)?;
        Ok(self.endian.uint(bytes) as u64)
    }
}

/// Where `address` lies in the page of `size` bytes at `frame`.
pub(super) fn mapping(frame: u64, size: u64, address: VirtAddr) -> Mapping {
    let within = address.page_offset(size);
    let frame = PhysAddr::new(frame).page_start(size);
    Mapping { phys: frame.wrapping_add(within), len: size - within }
}
