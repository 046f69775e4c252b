//! Whether a vnet is being built or torn down.

use crate::vnet::{Sysinits, VnetSysinit};

/// Which list of functions is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The constructors.
    Up,
    /// The destructors.
    Down,
}

impl Direction {
    pub(super) const BOTH: [Self; 2] = [Self::Up, Self::Down];

    /// What runs in this direction, in its order.
    #[must_use]
    pub fn of(self, sysinits: &Sysinits) -> &[VnetSysinit] {
        match self {
            Self::Up => &sysinits.constructors,
            Self::Down => &sysinits.destructors,
        }
    }

    /// The functions of `sys/net/vnet.c` that run them. The second is inlined into the
    /// first, as a rule.
    pub(super) fn runners(self) -> [&'static str; 2] {
        match self {
            Self::Up => ["vnet_alloc", "vnet_sysinit"],
            Self::Down => ["vnet_destroy", "vnet_sysuninit"],
        }
    }
}
