//! The network stack that a question is about.

use super::Vnet;
use crate::addr::VirtAddr;
use crate::target::Target;

/// The network stack that a question is about. Kernels without VIMAGE have one, which is not a
/// vnet.
#[derive(Debug, Clone, Copy)]
pub enum Stack<'s> {
    /// One of the kernel's vnets.
    Vnet(&'s Vnet),
    /// The only one of a kernel without VIMAGE: its variables are plain globals.
    Only,
    /// None was chosen. This is enough for what is the same in all of them, such as a
    /// global that is not virtualized.
    Unchosen,
}

impl<'s> Stack<'s> {
    /// The vnet, if it is one.
    #[must_use]
    pub const fn vnet(self) -> Option<&'s Vnet> {
        match self {
            Self::Vnet(vnet) => Some(vnet),
            Self::Only | Self::Unchosen => None,
        }
    }

    /// The address of this stack's copy of what lies at `master` in the set of
    /// virtualized variables. Without VIMAGE, that is `master` itself.
    ///
    /// # Errors
    /// Why there is no copy, in words: no vnet was chosen, or its block is missing or freed.
    pub fn copy_of(self, target: &Target, master: VirtAddr) -> Result<VirtAddr, &'static str> {
        match self {
            Self::Vnet(vnet) => vnet.copy_of(target, master),
            Self::Only => Ok(master),
            Self::Unchosen => Err("no vnet was chosen"),
        }
    }
}

impl<'s> From<&'s Vnet> for Stack<'s> {
    fn from(vnet: &'s Vnet) -> Self {
        Self::Vnet(vnet)
    }
}
