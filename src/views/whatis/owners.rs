//! What people call vnets.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::model::Owner;
use crate::addr::VirtAddr;
use crate::views::jails::Jail;
use crate::views::known_vnets::{KnownVnets, VnetFault};
use crate::vnet::{Vnet, VnetRef};

/// The names of `vnets`, each by the jail that it was made for, and what is wrong with it:
/// `vnet 2 (jail db02)`, `unlisted vnet 0xfffff80003a51800, destroyed: its magic is 0xdeadbeef`.
pub fn owners<'j>(
    vnets: &[Vnet],
    known: Option<&KnownVnets<'_>>,
    jails: impl Iterator<Item = &'j Jail>,
) -> Vec<Owner> {
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
        let fault = known.and_then(|known| known.fault(vnet.address));
        let title = match fault {
            Some(fault) => format!("{title}, {}", in_words(fault, vnet)),
            None => title,
        };
        Owner { vnet: VnetRef::from(vnet), title: Rc::from(title), fault }
    };
    vnets.iter().map(named).collect()
}

fn in_words(fault: VnetFault, vnet: &Vnet) -> String {
    match fault {
        VnetFault::Freed => "freed".to_owned(),
        VnetFault::Destroyed { magic } => format!("destroyed: its magic is {magic:#x}"),
        VnetFault::Invalid => format!("not a vnet: its magic is {:#x}", vnet.magic),
        VnetFault::Unlisted(condition) => condition.meaning().to_owned(),
    }
}
