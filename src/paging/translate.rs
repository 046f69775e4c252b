//! What a translation is.

use crate::addr::{PhysAddr, VirtAddr};
use crate::dump::{PhysFault, PhysFaultKind, PhysicalMemory};
use crate::fault::{Fault, FaultKind, Stage};

/// A way from kernel addresses to physical ones.
pub trait Translate: Send + Sync {
    /// Where the byte at `address` lies, and how much memory follows it there.
    ///
    /// # Errors
    /// The kernel has no memory at `address`, or `memory` lacks a table on the way.
    /// Whether the page itself is in `memory` is not looked at.
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault>;

    /// The first address from `at` on that [`Self::translate`] knows; `None` where none
    /// follows, or where that cannot be told in reasonable time.
    fn next(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr>;
}

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    pub phys: PhysAddr,
    /// Bytes from here to the end of what is mapped in one piece; at least 1.
    pub len: u64,
}

/// The fault of `address` for memory that is missing on the way to it, `stage` saying what.
pub(super) fn missing(address: VirtAddr, fault: PhysFault, stage: Stage) -> Fault {
    let kind = match fault.kind {
        PhysFaultKind::NotDumped | PhysFaultKind::Refused(_) => FaultKind::NotDumped,
        PhysFaultKind::Truncated(_) => FaultKind::Truncated,
    };
    Fault { address, kind, stage }
}
