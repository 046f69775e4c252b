//! powerpc64, both byte orders: the radix tree of POWER9 and later
//! (`sys/powerpc/aim/mmu_radix.c`, 13.0), whose entries are big-endian on every
//! kernel. The hashed page table of other processors is in `powerpc64_hash`.

use super::page_map::direct_map;
use super::walk::{Addresses, Format, Level, PageTables, Step};
use super::{Mapping, Translate};
use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::{Endian, Fields};
use crate::dump::{PageMap, PhysicalMemory};
use crate::error::{Fault, FaultKind, Stage};

const VALID: u64 = 1 << 63;
const LEAF: u64 = 1 << 62;
/// The physical address in a leaf, and that of the next table in another entry.
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
    // The kernel's quadrants begin with 0xc, and the tree ignores that.
    addresses: Addresses::Upper(62),
};

/// The radix tree whose root lies at `root`.
pub fn page_tables(root: PhysAddr) -> PageTables {
    PageTables::new(root.page_start(64 << 10), &RADIX)
}

/// A minidump's page map with the root of the tree in it; the other tables are
/// dumped pages.
pub(super) struct RadixMap {
    pub(super) map: PageMap,
}

impl Translate for RadixMap {
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault> {
        if let Some(found) = self.map.direct_map.as_ref().and_then(|map| direct_map(map, address)) {
            return Ok(found);
        }
        if address < self.map.kernbase {
            return Err(Fault { address, kind: FaultKind::NotMapped, stage: Stage::Range });
        }
        let [root, below @ ..] = &LEVELS;
        let index = address.get() / root.span % root.entries;
        let value = Fields::big(self.map.entries.bytes()).u64(index as usize * 8).unwrap_or(0);
        match step(root, value) {
            Step::Table(table) => RADIX.walk(memory, PhysAddr::new(table), below, address),
            Step::Page { frame, size } => Ok(super::walk::mapping(frame, size, address)),
            Step::Invalid => {
                let stage = Stage::Pmap { index, value };
                Err(Fault { address, kind: FaultKind::NotMapped, stage })
            }
        }
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
