//! Whether a vnet's counters may have been freed.
//!
//! VNET_PCPUSTAT_SYSUNINIT frees the counters of NAME in the destructor
//! `vnet_NAME_uninit` and leaves the pointers as they were (`sys/net/vnet.h`, 10.4
//! to main): they then lead into memory that may have been reused. `vnet_state` shows how far
//! vnet_destroy has come.

use crate::addr::VirtAddr;
use crate::constants::SI_SUB_VNET_DONE;
use crate::target::Target;
use crate::vnet::sysinit::{Sysinits, VnetSysinit};
use crate::vnet::unloaded::Unloaded;
use crate::vnet::{Condition, Vnet};

/// A vnet that is being destroyed.
#[derive(Debug, Clone)]
pub struct Teardown {
    /// The subsystem whose destructors ran last; unknown before 11.0.
    state: Option<u64>,
    /// The destructors' functions, each with its subsystem.
    destructors: Vec<(VirtAddr, u64)>,
}

impl Teardown {
    /// `None` for a vnet whose destructors have not begun: it is on the list or
    /// should be, or is still being built.
    #[must_use]
    pub fn of(target: &Target, vnet: &Vnet) -> Option<Self> {
        match vnet.condition {
            None | Some(Condition::UnderConstruction | Condition::Stray) => return None,
            Some(Condition::BeingDestroyed | Condition::Freed) => {}
        }
        let state = vnet.state.as_ref().map(|state| state.value);
        Some(Self { state, destructors: destructors(target) })
    }

    /// Why the counters of a variable may be freed; `None` if they are not.
    /// Without a variable: why any may be.
    #[must_use]
    pub fn why(&self, target: &Target, variable: Option<&str>) -> Option<String> {
        let Some(state) = self.state else {
            return Some("the vnet is being destroyed: it may be freed".into());
        };
        let own = variable.map(|name| format!("vnet_{name}_uninit"));
        let own = own.as_deref().and_then(|name| Some((name, target.kernel().symbol(name)?)));
        let known = own.and_then(|(name, symbol)| {
            let found = self.destructors.iter().find(|(func, _)| *func == symbol.address)?;
            Some((name, found.1))
        });
        match known {
            Some((_, subsystem)) if state > subsystem => None,
            Some((name, subsystem)) if state < subsystem => {
                Some(format!("the vnet is past {name}, which frees it"))
            }
            Some((name, _)) => Some(format!("{name}, which frees it, may have run")),
            None if state >= SI_SUB_VNET_DONE => None,
            None => Some("the vnet is being destroyed: it may be freed".into()),
        }
    }
}

fn destructors(target: &Target) -> Vec<(VirtAddr, u64)> {
    let lists = Sysinits::read(target, &Unloaded::default()).unwrap_or_default();
    let place = |entry: &VnetSysinit| {
        Some((entry.function.as_ref().ok()?.address, entry.subsystem_value()?))
    };
    lists.destructors.iter().filter_map(place).collect()
}
