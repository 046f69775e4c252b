//! powerpc64, both byte orders: the radix tree of POWER9 and later
//! (`sys/powerpc/aim/mmu_radix.c`, 13.0). Its entries are big-endian on every
//! kernel. `powerpc64_hash` has the hashed page table of other processors.

use super::page_map::{direct_map, next_direct};
use super::translate::{Mapping, Translate};
use super::walk::{Addresses, Format, Level, MAX_GAPS, PageTables, Step, after};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::{Endian, Fields};
use crate::dump::{PageMap, PhysicalMemory};
use crate::fault::{Fault, FaultKind, Stage};

const VALID: u64 = 1 << 63;
const LEAF: u64 = 1 << 62;
/// The physical address: of a page in a leaf, of the next table in another entry.
const FRAME: u64 = 0x00ff_ffff_ffff_f000;
const NEXT: u64 = 0x00ff_ffff_ffff_ff00;

static LEVELS: [Level; 4] = [
    Level { name: "L1", span: 1 << 39, entries: 8192 },
    Level { name: "L2", span: 1 << 30, entries: 512 },
    Level { name: "L3", span: 1 << 21, entries: 512 },
    Level { name: "L4", span: 1 << 12, entries: 512 },
];

static RADIX: Format = Format {
    levels: &LEVELS,
    entry_size: 8,
    endian: Endian::Big,
    step,
    // Addresses in the kernel's quadrants begin with 0xc, which the tree ignores.
    addresses: Addresses::Upper(62),
};

/// The radix tree whose root table is at `root`.
pub fn page_tables(root: PhysAddr) -> PageTables {
    PageTables::new(root.page_start(64 << 10), &RADIX)
}

/// A minidump's page map that contains the root of the tree. The other tables are
/// dumped pages.
pub(super) struct RadixMap {
    pub(super) map: PageMap,
}

impl RadixMap {
    /// The index of the root's entry for `address`, and the entry.
    fn root_entry(&self, address: VirtAddr) -> (u64, u64) {
        let index = address.get() / LEVELS[0].span % LEVELS[0].entries;
        let entries = Fields::big(self.map.entries.bytes());
        (index, entries.u64(index as usize * 8).unwrap_or(0))
    }

    fn next_in_tree(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr> {
        let mut at = at;
        for _ in 0..MAX_GAPS {
            let gap = match step(&LEVELS[0], self.root_entry(at).1) {
                Step::Table(table) => RADIX.gap(memory, PhysAddr::new(table), &LEVELS[1..], at),
                Step::Page { .. } => None,
                Step::Invalid => Some(LEVELS[0].span),
            };
            let Some(gap) = gap else { return Some(at) };
            at = RADIX.first_from(after(at, gap)?)?;
        }
        None
    }
}

impl Translate for RadixMap {
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault> {
        if let Some(found) = self.map.direct_map.as_ref().and_then(|map| direct_map(map, address)) {
            return Ok(found);
        }
        if address < self.map.kernbase {
            return Err(Fault { address, kind: FaultKind::NotMapped, stage: Stage::Range });
        }
        let (index, value) = self.root_entry(address);
        match step(&LEVELS[0], value) {
            Step::Table(table) => RADIX.walk(memory, PhysAddr::new(table), &LEVELS[1..], address),
            Step::Page { frame, size } => Ok(super::walk::mapping(frame, size, address)),
            Step::Invalid => {
                let stage = Stage::Pmap { index, value };
                Err(Fault { address, kind: FaultKind::NotMapped, stage })
            }
        }
    }

    fn next(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr> {
        let direct = self.map.direct_map.as_ref().and_then(|map| next_direct(map, at));
        let mapped = self.next_in_tree(memory, at.max(self.map.kernbase));
        [direct, mapped].into_iter().flatten().min()
    }
}

fn step(level: &Level, entry: u64) -> Step {
    if entry & VALID == 0 {
        Step::Invalid
    } else if entry & LEAF != 0 {
        Step::Page { frame: entry & FRAME, size: level.span }
    } else {
        Step::Table(entry & NEXT)
    }
}
