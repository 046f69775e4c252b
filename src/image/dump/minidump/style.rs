//! What differs between the minidumps of the architectures, and what does not.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::image::machine::Machine;
use crate::writing::minidump::Header;

/// The features of an architecture's minidumps and of this machine.
pub(super) struct Style {
    /// The page map consists of the entries of this level of page tables (0 is the topmost) …
    pub(super) level: usize,
    /// … that cover these addresses.
    pub(super) covered: Range<VirtAddr>,
    /// A page map that does not consist of page tables.
    pub(super) whole: Option<fn(&Machine) -> Vec<u8>>,
    pub(super) header: Header,
}

/// The header of arm64 and riscv64.
pub(super) fn with_physical(machine: &Machine) -> Header {
    Header::WithPhysical {
        kernbase: machine.image().start,
        direct_map: machine.space().layout().direct_map.clone().unwrap_or_default(),
        phys: machine.direct().start,
    }
}
