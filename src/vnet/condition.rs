//! The condition of a vnet that is not on the list.
//!
//! A vnet is linked after all its constructors ran and unlinked before its
//! destructors run. Its own links show which: those of one that was never linked are
//! still NULL, and those of one that was unlinked still point into the list, but
//! nothing there points back (`vnet_alloc` and `vnet_destroy`, `sys/net/vnet.c`, 9.3 to main).

use crate::addr::VirtAddr;
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
        let pointer = |at: VirtAddr| target.memory().pointer(at).ok();
        let link = |offset| pointer(address.wrapping_add(offset));
        if destroyed {
            return Self::Freed;
        }
        if shutdown == Some(true) {
            return Self::BeingDestroyed;
        }
        match (link(layout.next), link(layout.prev)) {
            (_, Some(prev)) if prev.is_null() => Self::UnderConstruction,
            (_, Some(prev)) if pointer(prev) == Some(address) => Self::Stray,
            (Some(next), Some(_)) if !next.is_null() => {
                let back = pointer(next.wrapping_add(layout.prev));
                match back == Some(address.wrapping_add(layout.next)) {
                    true => Self::Stray,
                    false => Self::BeingDestroyed,
                }
            }
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
