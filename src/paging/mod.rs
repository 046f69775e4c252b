//! Kernel virtual addresses to physical ones.
//!
//! A translation works on physical memory and numbers alone: a minidump's page
//! map, or the root of page tables. It never sees a symbol; whoever knows the
//! kernel passes addresses. A fault names the entry, table or level that failed.
//!
//! One file per architecture. Nothing is cached: a translation is a handful of
//! reads of mapped memory, takes no lock and allocates nothing.

pub mod amd64;
mod kernel_image;

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::{PageMap, PhysFault, PhysFaultKind, PhysicalMemory};
use crate::error::{Fault, FaultKind, Stage};

pub use kernel_image::KernelImage;

/// A way from kernel addresses to physical ones.
pub trait Translate: Send + Sync {
    /// Where the byte at `address` lies, and how much memory follows it there.
    ///
    /// # Errors
    /// The kernel has no memory at `address`, or `memory` lacks a table on the way.
    /// Whether the page itself is in `memory` is not looked at.
    fn translate(&self, memory: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault>;
}

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    pub phys: PhysAddr,
    /// Bytes from here to the end of what is mapped in one piece; at least 1.
    pub len: u64,
}

/// The translation through a minidump's page map.
pub fn page_map(map: PageMap) -> Box<dyn Translate> {
    match map.arch {
        Arch::Amd64 => Box::new(amd64::MinidumpMap::new(map)),
    }
}

/// The fault of `address` for memory that is missing on the way to it, `stage` saying what.
fn missing(address: VirtAddr, fault: PhysFault, stage: Stage) -> Fault {
    let kind = match fault.kind {
        PhysFaultKind::NotDumped => FaultKind::NotDumped,
        PhysFaultKind::Truncated(_) => FaultKind::Truncated,
    };
    Fault { address, kind, stage }
}
