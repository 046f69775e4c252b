//! amd64: page tables of four or five levels, and the page maps of minidumps,
//! which hold one level of them flat (`sys/amd64/amd64/minidump_machdep.c`,
//! `sys/amd64/include/pmap.h`).

use super::{Mapping, Translate, missing};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Fields;
use crate::dump::{PageMap, PhysicalMemory};
use crate::error::{Fault, FaultKind, Stage};

const VALID: u64 = 1 << 0;
/// In a directory entry: it maps a large page itself (PG_PS).
const LARGE: u64 = 1 << 7;
/// The physical address in an entry, whatever the size of the page.
const FRAME: u64 = 0x000f_ffff_ffff_f000;

const PAGE: u64 = 1 << 12;
const PAGE_2M: u64 = 1 << 21;

/// A level of the page tables: its name, and the memory that one entry covers.
struct Level {
    name: &'static str,
    span: u64,
    /// May an entry map a page of that size by itself?
    large: bool,
}

/// The levels above the page tables proper, from the top.
const UPPER: [Level; 4] = [
    Level { name: "PML5", span: 1 << 48, large: false },
    Level { name: "PML4", span: 1 << 39, large: false },
    Level { name: "PDPT", span: 1 << 30, large: true },
    Level { name: "PD", span: PAGE_2M, large: true },
];
const LAST: Level = Level { name: "PT", span: PAGE, large: false };

/// How many levels of page tables a kernel uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    FourLevel,
    /// A kernel that says so in its variable `la57`.
    FiveLevel,
}

impl Paging {
    /// Can there be such an address? Its unused upper bits repeat the one below them.
    fn reaches(self, address: VirtAddr) -> bool {
        let unused_bits = match self {
            Self::FourLevel => 16,
            Self::FiveLevel => 7,
        };
        let sign_extended = (address.get() << unused_bits) as i64 >> unused_bits;
        sign_extended as u64 == address.get()
    }
}

/// The page tables as the processor walks them, from their root.
#[derive(Debug)]
pub struct PageTables {
    root: PhysAddr,
    paging: Paging,
}

impl PageTables {
    /// The tables whose top one lies at `root`: what KPML4phys or KPML5phys hold.
    pub fn new(root: PhysAddr, paging: Paging) -> Self {
        Self { root: PhysAddr::new(root.get() & FRAME), paging }
    }
}

impl Translate for PageTables {
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault> {
        if !self.paging.reaches(address) {
            return Err(Fault { address, kind: FaultKind::BadAddress, stage: Stage::Range });
        }
        let upper = match self.paging {
            Paging::FourLevel => &UPPER[1..],
            Paging::FiveLevel => &UPPER[..],
        };
        let mut table = self.root;
        for level in upper {
            let entry = read_entry(memory, table, level, address)?;
            if level.large && entry & LARGE != 0 {
                return Ok(mapping(entry, level.span, address));
            }
            table = PhysAddr::new(entry & FRAME);
        }
        read_entry(memory, table, &LAST, address).map(|entry| mapping(entry, PAGE, address))
    }
}

/// The page map of a minidump: page-table entries (version 1) or page-directory
/// entries (versions 2 and 3) of all addresses from kernbase on.
#[derive(Debug)]
pub struct MinidumpMap {
    map: PageMap,
}

impl MinidumpMap {
    /// The translation of the minidump that `map` comes from.
    pub fn new(map: PageMap) -> Self {
        Self { map }
    }

    /// The kernel map, if `address` lies in the part that the page map covers.
    fn kernel_map(
        &self,
        memory: &dyn PhysicalMemory,
        address: VirtAddr,
    ) -> Option<Result<Mapping, Fault>> {
        let span = if self.map.version == 1 { PAGE } else { PAGE_2M };
        let index = address.offset_from(self.map.kernbase)? / span;
        let at = usize::try_from(index).ok()?.checked_mul(8)?;
        let entry = Fields::little(self.map.entries.bytes()).u64(at)?;
        Some(if entry & VALID == 0 {
            let stage = Stage::Pmap { index, value: entry };
            Err(Fault { address, kind: FaultKind::NotMapped, stage })
        } else if span == PAGE || entry & LARGE != 0 {
            Ok(mapping(entry, span, address))
        } else {
            // The page table is no part of the page map: it is a dumped page like any other.
            read_entry(memory, PhysAddr::new(entry & FRAME), &LAST, address)
                .map(|entry| mapping(entry, PAGE, address))
        })
    }

    /// Only a kernel with five levels has its direct map below what four levels reach.
    fn paging(&self) -> Paging {
        match Paging::FourLevel.reaches(self.map.direct_map.range.start) {
            true => Paging::FourLevel,
            false => Paging::FiveLevel,
        }
    }

    fn direct_map(&self, address: VirtAddr) -> Option<Mapping> {
        let direct = &self.map.direct_map;
        let offset = address.offset_from(direct.range.start)?;
        let len = direct.range.end.offset_from(address).filter(|len| *len > 0)?;
        Some(Mapping { phys: direct.phys.wrapping_add(offset), len })
    }
}

impl Translate for MinidumpMap {
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault> {
        // In this order, as libkvm does: the direct map lies below kernbase.
        if let Some(answer) = self.kernel_map(memory, address) {
            return answer;
        }
        self.direct_map(address).ok_or_else(|| {
            let kind = match self.paging().reaches(address) {
                true => FaultKind::NotMapped,
                false => FaultKind::BadAddress,
            };
            Fault { address, kind, stage: Stage::Range }
        })
    }
}

/// The valid entry for `address` in the table at `table`.
fn read_entry(
    memory: &dyn PhysicalMemory,
    table: PhysAddr,
    level: &Level,
    address: VirtAddr,
) -> Result<u64, Fault> {
    let index = address.get() / level.span % 512;
    let at = table.wrapping_add(index * 8);
    let mut bytes = [0; 8];
    memory
        .read(at, &mut bytes)
        .map_err(|fault| missing(address, fault, Stage::Table { level: level.name, at: table }))?;
    let value = u64::from_le_bytes(bytes);
    if value & VALID != 0 {
        return Ok(value);
    }
    let stage = Stage::Entry { level: level.name, at, value };
    Err(Fault { address, kind: FaultKind::NotMapped, stage })
}

/// Where `address` lies in the page of `size` bytes that `entry` maps.
fn mapping(entry: u64, size: u64, address: VirtAddr) -> Mapping {
    let within = address.page_offset(size);
    // A large page's entry has other bits (PAT, 12) below its frame.
    let frame = PhysAddr::new(entry & FRAME).page_start(size);
    Mapping { phys: frame.wrapping_add(within), len: size - within }
}
