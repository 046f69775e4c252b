//! What an architecture's minidumps have of their own, and what all have.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::image::machine::Machine;

/// What is peculiar to an architecture's minidumps, and to this machine.
pub(super) struct Style {
    /// The versions of the header, and the first one with `dump_avail`.
    pub(super) oldest: u32,
    pub(super) newest: u32,
    pub(super) dump_avail_since: u32,
    /// The entries of this level of page tables (0 is the topmost) make the page map …
    pub(super) level: usize,
    /// … those that cover these addresses.
    pub(super) covered: Range<VirtAddr>,
    /// A page map that is not made of page tables.
    pub(super) whole: Option<fn(&Machine) -> Vec<u8>>,
    pub(super) header: fn(&Machine, &Sizes) -> Vec<u8>,
}

/// What every header says.
#[derive(Debug)]
pub(super) struct Sizes {
    pub(super) version: u32,
    pub(super) message: u32,
    pub(super) bitmap: u32,
    pub(super) page_map: u32,
    pub(super) dump_avail: u32,
}
