//! The locks of the VNET machinery, and what their words say.
//!
//! What: `vnet_rwlock` and `vnet_sxlock`, both of which a writer of the list of vnets
//! holds and either of which a reader holds; `vnet_sysinit_sxlock` of the constructors
//! and destructors; `vnet_data_free_lock` of module space (`sys/net/vnet.c`). Only those
//! that the kernel has are read.
//!
//! How: one word says who holds a lock and who waits for it, which `value::lock_word` decodes.

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::lock_word::LockState;
use crate::value::model::ValueError;
use crate::vnet::VnetError;

/// A lock as the dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetLock {
    /// The kernel's variable: `vnet_rwlock`.
    pub name: &'static str,
    /// What may change only while it is held.
    pub guards: Guards,
    /// The address of its struct rwlock or struct sx.
    pub address: Option<VirtAddr>,
    /// Its word, decoded, or why that cannot be read.
    pub state: Result<LockState, ValueError>,
}

/// What a lock protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guards {
    /// The list of vnets.
    List,
    /// The lists of constructors and destructors.
    Sysinits,
    /// The free list of module space.
    ModuleSpace,
}

const LOCKS: [(&str, Guards); 4] = [
    ("vnet_rwlock", Guards::List),
    ("vnet_sxlock", Guards::List),
    ("vnet_sysinit_sxlock", Guards::Sysinits),
    ("vnet_data_free_lock", Guards::ModuleSpace),
];

impl VnetLock {
    /// Reads the locks that this kernel has.
    ///
    /// # Errors
    /// The kernel has no VIMAGE.
    pub fn all(target: &Target) -> Result<Vec<Self>, VnetError> {
        if target.kernel().set_vnet().is_none() {
            return Err(VnetError::without_set(target.kernel()));
        }
        let known = LOCKS.into_iter().filter(|(name, _)| target.kernel().symbol(name).is_some());
        Ok(known.map(|(name, guards)| Self::read(target, name, guards)).collect())
    }

    fn read(target: &Target, name: &'static str, guards: Guards) -> Self {
        let address = target.kernel().symbol(name).map(|symbol| symbol.address);
        Self { name, guards, address, state: LockState::of(target, name).map_err(ValueError::from) }
    }
}
