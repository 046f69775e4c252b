//! The vnets that are known, and what is wrong with a pointer to one.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::constants::VNET_MAGICS;
use crate::fault::FaultKind;
use crate::target::Target;
use crate::vnet::{Condition, Vnet};

/// The vnets that are known, by address.
#[derive(Debug)]
pub struct KnownVnets<'a> {
    target: &'a Target,
    vnets: FxHashMap<VirtAddr, &'a Vnet>,
    /// The list was read to its end, so that a vnet that is not there is not listed.
    whole: bool,
}

/// What a pointer to a vnet leads to, if it is not a vnet on the kernel's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VnetFault {
    /// Memory with the pattern of freed memory.
    Freed,
    /// A vnet that vnet_destroy has given up.
    Destroyed {
        /// Its `vnet_magic_n`.
        magic: u32,
    },
    /// Something without the magic of a vnet, or nothing at all.
    Invalid,
    /// A vnet that is not on the list.
    Unlisted(Condition),
}

impl<'a> KnownVnets<'a> {
    /// All vnets in `vnets`: those on the list, and the others that something points to. `whole`:
    /// the list was read to its end.
    pub fn new(target: &'a Target, vnets: &'a [Vnet], whole: bool) -> Self {
        let vnets = vnets.iter().map(|vnet| (vnet.address, vnet)).collect();
        Self { target, vnets, whole }
    }

    /// The vnet at `address`.
    #[must_use]
    pub fn at(&self, address: VirtAddr) -> Option<&'a Vnet> {
        self.vnets.get(&address).copied()
    }

    /// What is wrong with a pointer to `address`; `None` if nothing is, or nothing is known.
    #[must_use]
    pub fn fault(&self, address: VirtAddr) -> Option<VnetFault> {
        let Some(vnet) = self.at(address) else {
            let kind = self.target.memory().u32(address).err().map(|fault| fault.kind);
            // A page that the dump lacks may hold a vnet.
            let unknown = matches!(kind, Some(FaultKind::NotDumped | FaultKind::Truncated));
            return (!unknown).then_some(VnetFault::Invalid);
        };
        let magic = vnet.magic;
        match vnet.condition {
            _ if vnet.filled => Some(VnetFault::Freed),
            _ if vnet.is_freed() => Some(VnetFault::Destroyed { magic }),
            _ if !VNET_MAGICS.contains(&magic) => Some(VnetFault::Invalid),
            Some(condition) if self.whole || condition != Condition::Stray => {
                Some(VnetFault::Unlisted(condition))
            }
            _ => None,
        }
    }
}

impl VnetFault {
    /// The name for scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Freed => "freed",
            Self::Destroyed { .. } => "destroyed",
            Self::Invalid => "invalid",
            Self::Unlisted(_) => "unlisted",
        }
    }
}

/// What is wrong, as the rest of a sentence that begins with the pointer.
impl fmt::Display for VnetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Freed => f.write_str("is freed memory"),
            Self::Destroyed { magic } => write!(f, "is destroyed: its magic is {magic:#x}"),
            Self::Invalid => f.write_str("is not a vnet"),
            Self::Unlisted(condition) => {
                write!(f, "is not on the kernel's list of vnets: it is {}", condition.meaning())
            }
        }
    }
}
