//! The trait of all translations.

use crate::addr::{PhysAddr, VirtAddr};
use crate::dump::{PhysFault, PhysFaultKind, PhysicalMemory};
use crate::fault::{Fault, FaultKind, Stage};

/// A translation from kernel virtual addresses to physical ones.
pub trait Translate: Send + Sync {
    /// Where the byte at `address` lies, and how many bytes after it are mapped contiguously.
    ///
    /// # Errors
    /// The kernel has no memory at `address`, or `memory` lacks a table on the way.
    /// It does not check whether `memory` has the page itself.
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault>;

    /// The first address from `at` on that [`Self::translate`] can translate; `None` if none
    /// follows, or if finding it would take too long.
    fn next(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr>;

    /// The topmost of the page tables that it walks; `None` if it walks none, or not from there.
    fn root(&self) -> Option<Root> {
        None
    }

    /// The entry that covers the aligned `span` bytes around `at`: a table's entry as it is,
    /// or that of a larger page with the distance within it added. `None` if nothing
    /// is mapped there, `memory` lacks a table, or no level has entries for so much.
    fn entry(&self, _memory: &dyn PhysicalMemory, _at: VirtAddr, _span: u64) -> Option<u64> {
        None
    }
}

/// The topmost page table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Its physical address.
    pub phys: PhysAddr,
    /// Its length, in bytes.
    pub len: u64,
    /// The size of an entry in bytes: 4 or 8.
    pub entry_size: u64,
}

/// The result of a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The physical address.
    pub phys: PhysAddr,
    /// Bytes from here to the end of the contiguous mapping; at least 1.
    pub len: u64,
}

/// The fault of `address` if memory that its translation needs is missing at `stage`.
pub(super) fn missing(address: VirtAddr, fault: PhysFault, stage: Stage) -> Fault {
    let (kind, stage) = match fault.kind {
        PhysFaultKind::NotDumped => (FaultKind::NotDumped, stage),
        PhysFaultKind::Truncated(_) => (FaultKind::Truncated, stage),
        PhysFaultKind::Refused(number) => {
            (FaultKind::NotDumped, Stage::Device { at: fault.at, number })
        }
        PhysFaultKind::NotMemory => (FaultKind::NotDumped, Stage::NotMemory(fault.at)),
    };
    Fault { address, kind, stage }
}
