//! What constructors and destructors do, as far as memory shows it.
//!
//! No code of the kernel runs here, so the functions that matter to a reader are known by name:
//! those of `sys/net/if.c` and `sys/net/route.c`, those that VNET_PCPUSTAT_SYSINIT and _SYSUNINIT make
//! (`vnet_ipstat_init`, `vnet_ipstat_uninit`: `sys/net/vnet.h`), and the destructors of drivers,
//! which destroy their interfaces. All others change nothing that the runtime models.

use super::{Runtime, Scope};
use crate::image::ImageError;

/// The effect of a call on memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// vnet_if_init: an empty list of interfaces.
    InitInterfaces,
    /// vnet_if_return: borrowed interfaces are sent home.
    ReturnInterfaces,
    /// vnet_if_uninit, or the destructor of a driver: interfaces with this name prefix are freed.
    FreeInterfaces(String),
    /// vnet_route_uninit: the routing tables are freed.
    FreeRoutes,
    /// VNET_PCPUSTAT_ALLOC of this array.
    AllocateCounters(String),
    /// VNET_PCPUSTAT_FREE of this array.
    FreeCounters(String),
}

impl Runtime {
    /// The effect of the function with that name.
    pub(super) fn effect_of(&self, function: &str) -> Option<Effect> {
        match function {
            "vnet_if_init" => return Some(Effect::InitInterfaces),
            "vnet_if_return" => return Some(Effect::ReturnInterfaces),
            "vnet_route_uninit" => return Some(Effect::FreeRoutes),
            "vnet_if_uninit" => return Some(Effect::FreeInterfaces(String::new())),
            _ => {}
        }
        let name = function.strip_prefix("vnet_")?;
        if let Some(name) = name.strip_suffix("_init") {
            return self.is_statistics(name).then(|| Effect::AllocateCounters(name.to_owned()));
        }
        let name = name.strip_suffix("_uninit")?;
        if self.is_statistics(name) {
            return Some(Effect::FreeCounters(name.to_owned()));
        }
        // if_loop.c calls its own vnet_loif_uninit.
        Some(Effect::FreeInterfaces(name.strip_suffix("if").unwrap_or(name).to_owned()))
    }

    pub(super) fn take_effect(&mut self, effect: &Effect, scope: Scope) -> Result<(), ImageError> {
        match effect {
            Effect::InitInterfaces => self.init_interface_list(scope),
            Effect::ReturnInterfaces => self.return_interfaces(scope),
            Effect::FreeInterfaces(prefix) => self.free_interfaces(scope, prefix),
            Effect::FreeRoutes => self.free_tables(scope),
            Effect::AllocateCounters(name) => self.vnet_pcpustat_alloc(scope, name),
            Effect::FreeCounters(name) => self.vnet_pcpustat_free(scope, name),
        }
    }
}
