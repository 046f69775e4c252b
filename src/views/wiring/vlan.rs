//! VLANs and their parents (`sys/net/if_vlan.c`).

use super::softc::Kind;
use super::{Network, Other};
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::interfaces::{Field, place};

const VLAN: Kind = Kind { type_name: "struct ifvlan", module: "if_vlan.ko" };

/// What the VLANs on one interface have in common.
const TRUNK: Kind = Kind { type_name: "struct ifvlantrunk", module: "if_vlan.ko" };

/// The bits of a tag that are the number (EVL_VLID_MASK, `sys/net/if_vlan_var.h`).
const NUMBER: u64 = 0xfff;

/// What a VLAN is on.
#[derive(Debug, Clone)]
pub struct Vlan {
    /// Its number.
    pub tag: u64,
    /// The interface whose frames carry it, perhaps in another vnet.
    pub parent: Other,
}

/// The number and the parent of a VLAN; `None` if it is not configured.
pub(super) fn vlan<'t>(
    interface: &Object<'t>,
    network: &Network<'t>,
    call_outs: &mut Vec<CallOut>,
) -> Field<Option<Vlan>> {
    let softc = VLAN.of(interface)?;
    let Some(trunk) = softc.follow("ifv_trunk")? else { return Ok(None) };
    // A struct since 13, one of another struct's members up to 11.
    let names = ["ifv_qtag.vid", "ifv_vid", "ifv_mib.ifvm_tag"];
    let tag = names.into_iter().find(|name| softc.has(name)).unwrap_or("ifv_vid");
    let tag = softc.uint(tag)? & NUMBER;
    let Some(parent) = trunk.follow_anywhere("parent")? else { return Ok(None) };
    let problem = contradiction(interface, &trunk, &parent, network);
    call_outs.extend(problem.clone());
    Ok(Some(Vlan { tag, parent: network.other(&parent).but(problem) }))
}

/// How the parent contradicts being one.
fn contradiction<'t>(
    interface: &Object<'t>,
    trunk: &Object<'t>,
    parent: &Object<'t>,
    network: &Network<'t>,
) -> Option<CallOut> {
    let name = format!("its parent {}", place(parent));
    let lost = |why| Some(CallOut::new("lost-parent", interface.address, why));
    if let Some(why) = network.lost(parent) {
        return lost(format!("{name} is gone: {why}"));
    }
    let back = parent.pointer("if_vlantrunk").ok()?;
    // It is set last and cleared first.
    let in_progress = back.is_null() && network.is_under_way();
    if back != trunk.address && !in_progress {
        return lost(format!("{name} does not know of it: its if_vlantrunk is {back}"));
    }
    None
}

/// What contradicts an interface's being the parent of VLANs: its if_vlantrunk is freed, or belongs
/// to another.
pub(super) fn trunk(interface: &Object<'_>) -> Option<CallOut> {
    let at = interface.pointer("if_vlantrunk").ok()?.non_null()?;
    let trunk = TRUNK.at(interface.target(), at);
    let parent = trunk.and_then(|trunk| Ok(trunk.pointer("parent")?));
    let why = match parent {
        Ok(parent) if parent == interface.address => return None,
        Ok(parent) => format!("its if_vlantrunk, {at}, belongs to another: its parent is {parent}"),
        Err(why) if why.kind.is_damage() => format!("its if_vlantrunk cannot be read: {why}"),
        Err(_) => return None,
    };
    Some(CallOut::new("lost-vlans", interface.address, why))
}
