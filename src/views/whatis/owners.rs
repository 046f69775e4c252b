//! What people call vnets.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::model::Owner;
use crate::addr::VirtAddr;
use crate::views::jails::Jail;
use crate::vnet::{Vnet, VnetRef};

/// The names of `vnets`, each by the jail that it was made for: `vnet 2 (jail db02)`.
pub fn owners<'j>(vnets: &[Vnet], jails: impl Iterator<Item = &'j Jail>) -> Vec<Owner> {
    let own = jails.filter(|jail| jail.own_vnet);
    let by_vnet: FxHashMap<VirtAddr, &Jail> =
        own.filter_map(|jail| Some((jail.vnet?, jail))).collect();
    let named = |vnet: &Vnet| {
        let name = match vnet.index {
            Some(index) => format!("vnet {index}"),
            None => format!("unlisted vnet {}", vnet.address),
        };
        let inside = || vnet.jails.as_ref()?.first();
        let title = match (by_vnet.get(&vnet.address), inside()) {
            _ if vnet.default => format!("{name} (host)"),
            (Some(owner), _) => format!("{name} (jail {})", owner.name),
            (None, Some(inside)) => format!("{name} (jail {})", inside.name),
            (None, None) => name,
        };
        Owner { vnet: VnetRef::from(vnet), title: Rc::from(title) }
    };
    vnets.iter().map(named).collect()
}
