//! What differs between the minidumps of the architectures, and what does not.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::image::machine::Machine;

/// The features of an architecture's minidumps and of this machine.
pub(super) struct Style {
    /// The versions of the header, and the first one with `dump_avail`.
    pub(super) oldest: u32,
    pub(super) newest: u32,
    pub(super) dump_avail_since: u32,
    /// The page map consists of the entries of this level of page tables (0 is the topmost) …
    pub(super) level: usize,
    /// … that cover these addresses.
    pub(super) covered: Range<VirtAddr>,
    /// A page map that does not consist of page tables.
    pub(super) whole: Option<fn(&Machine) -> Vec<u8>>,
    pub(super) header: fn(&Machine, &Sizes) -> Vec<u8>,
}

/// The common part of every header.
#[derive(Debug)]
pub(super) struct Sizes {
    pub(super) version: u32,
    pub(super) message: u32,
    pub(super) bitmap: u32,
    pub(super) page_map: u32,
    pub(super) dump_avail: u32,
}
