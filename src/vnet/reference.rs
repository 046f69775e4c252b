//! References to vnets, the same in every answer.

use std::fmt;

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

impl VnetRef {
    /// The vnet at `address`, with its number in `vnets`.
    #[must_use]
    pub fn at(address: VirtAddr, vnets: &[Vnet]) -> Self {
        let known = vnets.iter().find(|vnet| vnet.address == address);
        Self { index: known.and_then(|vnet| vnet.index), address }
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
