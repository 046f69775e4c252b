//! References to vnets, the same in every answer.

use std::fmt;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::addr::VirtAddr;
use crate::vnet::Vnet;

/// A reference to a vnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct VnetRef {
    /// Its number in order of creation; `None` for one that is not on the list.
    pub index: Option<usize>,
    /// The address of its struct vnet.
    pub address: VirtAddr,
}

/// The numbers of vnets, by their addresses.
#[derive(Debug, Clone, Default)]
pub struct VnetRefs(FxHashMap<VirtAddr, VnetRef>);

impl VnetRefs {
    /// Those of `vnets`.
    pub fn of(vnets: &[Vnet]) -> Self {
        Self(vnets.iter().map(|vnet| (vnet.address, vnet.into())).collect())
    }

    /// The vnet at `address`, without a number if it is none of them.
    #[must_use]
    pub fn at(&self, address: VirtAddr) -> VnetRef {
        self.0.get(&address).copied().unwrap_or(VnetRef { index: None, address })
    }
}

impl From<&Vnet> for VnetRef {
    fn from(vnet: &Vnet) -> Self {
        Self { index: vnet.index, address: vnet.address }
    }
}

/// Its number, or its address if it has none.
impl fmt::Display for VnetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => index.fmt(f),
            None => self.address.fmt(f),
        }
    }
}
