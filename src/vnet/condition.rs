//! The condition of a vnet that is not on the list.
//!
//! A vnet is linked after all its constructors ran and unlinked before its
//! destructors run. Its own links show which: those of one that was never linked are
//! still NULL, and those of one that was unlinked still point into the list, but
//! nothing there points back (`vnet_alloc` and `vnet_destroy`, `sys/net/vnet.c`, 9.3 to main).

use crate::addr::VirtAddr;
use crate::fault::{Fault, FaultKind};
use crate::target::Target;
use crate::vnet::layout::VnetLayout;

/// Why a vnet may be off the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Never linked: vnet_alloc has not finished.
    UnderConstruction,
    /// Unlinked: vnet_destroy has begun.
    BeingDestroyed,
    /// Freed by vnet_destroy; the memory may have been reused.
    Freed,
    /// Intact, and linked by its neighbours, but the list does not lead to it.
    Stray,
}

impl Condition {
    /// The condition of the vnet at `address`, whose magic is that of a destroyed
    /// one or not. Links that cannot be read prove nothing.
    #[must_use]
    pub fn of(
        target: &Target,
        layout: &VnetLayout,
        address: VirtAddr,
        destroyed: bool,
        shutdown: Option<bool>,
    ) -> Self {
        let link = |offset| target.memory().pointer(address.wrapping_add(offset)).ok();
        // `None` where the dump does not show it.
        let leads = |at: VirtAddr, to: VirtAddr| match target.memory().pointer(at) {
            Ok(actual) => Some(actual == to),
            Err(Fault { kind: FaultKind::NotDumped | FaultKind::Truncated, .. }) => None,
            Err(_) => Some(false),
        };
        if destroyed {
            return Self::Freed;
        }
        if shutdown == Some(true) {
            return Self::BeingDestroyed;
        }
        let (Some(next), Some(prev)) = (link(layout.next), link(layout.prev)) else {
            return Self::Stray;
        };
        if prev.is_null() {
            return Self::UnderConstruction;
        }
        if next.is_null() {
            return Self::Stray;
        }
        let back = next.wrapping_add(layout.prev);
        match (leads(prev, address), leads(back, address.wrapping_add(layout.next))) {
            (Some(false), Some(false)) => Self::BeingDestroyed,
            _ => Self::Stray,
        }
    }

    /// The name for scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnderConstruction => "under-construction",
            Self::BeingDestroyed => "being-destroyed",
            Self::Freed => "freed",
            Self::Stray => "stray",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::UnderConstruction => "under construction",
            Self::BeingDestroyed => "being destroyed",
            Self::Freed => "freed",
            Self::Stray => "up, but not on the list",
        }
    }
}
