//! Bridges and their members (`sys/net/if_bridge.c`).

use super::softc::{Kind, error, whole};
use super::{Network, Other};
use crate::addr::VirtAddr;
use crate::value::Object;
use crate::value::model::{ErrorKind, ValueError};
use crate::value::queue::{self, List};
use crate::views::call_out::CallOut;
use crate::views::interfaces::{Field, place, title};

const BRIDGE: Kind = Kind { type_name: "struct bridge_softc", module: "if_bridge.ko" };
const MEMBER: Kind = Kind { type_name: "struct bridge_iflist", module: "if_bridge.ko" };

/// The members of a bridge, in the order in which they were added.
pub(super) fn members<'t>(
    bridge: &Object<'t>,
    network: &Network<'t>,
    call_outs: &mut Vec<CallOut>,
) -> Field<Vec<Other>> {
    let softc = BRIDGE.of(bridge)?;
    let mut members = Vec::new();
    // The newest is first.
    for entry in entries(bridge, &softc, "sc_iflist")?.iter().rev() {
        let Some(member) = entry.follow_anywhere("bif_ifp")? else { continue };
        let problem = contradiction(bridge, &softc, entry, &member, network);
        call_outs.extend(problem.clone());
        members.push(network.other(&member).but(problem));
    }
    Ok(members)
}

/// The ports that a bridge sends a copy of all frames to.
pub(super) fn spans<'t>(bridge: &Object<'t>, network: &Network<'t>) -> Field<Vec<Other>> {
    let softc = BRIDGE.of(bridge)?;
    let entries = entries(bridge, &softc, "sc_spanlist")?;
    let spans = entries.iter().rev().map(|entry| Ok(entry.follow_anywhere("bif_ifp")?));
    let spans = spans.collect::<Field<Vec<_>>>()?;
    Ok(spans.iter().flatten().map(|span| network.other(span)).collect())
}

/// The bridge that an interface is a member of; `None` if it is in none.
///
/// if_bridge points at the bridge_softc up to 14, and at the member's bridge_iflist since 15: the
/// one whose own interface is the right one.
pub(super) fn of_member<'t>(interface: &Object<'t>, network: &Network<'t>) -> Option<Field<Other>> {
    let at = match interface.pointer("if_bridge") {
        Ok(at) => at.non_null()?,
        Err(why) => return Some(Err(why.into())),
    };
    Some(bridge_at(interface, at, network).map(|bridge| network.other(&bridge)))
}

fn bridge_at<'t>(interface: &Object<'t>, at: VirtAddr, network: &Network<'t>) -> Field<Object<'t>> {
    let target = interface.target();
    let softc = BRIDGE.at(target, at)?;
    if let Ok(Some(bridge)) = softc.follow("sc_ifp")
        && bridge.pointer("if_softc") == Ok(at)
    {
        return Ok(bridge);
    }
    let entry = MEMBER.at(target, at)?;
    if entry.pointer("bif_ifp") == Ok(interface.address) {
        if let Ok(Some(softc)) = entry.follow("bif_sc")
            && let Ok(Some(bridge)) = softc.follow("sc_ifp")
        {
            return Ok(bridge);
        }
        if let Some(bridge) = with_entry(at, network)? {
            return Ok(bridge);
        }
    }
    // What the dump lacks may be what would show it.
    let missing = [softc.follow("sc_ifp"), entry.follow("bif_sc"), entry.follow("bif_ifp")];
    for found in missing {
        let read = found.and_then(|found| found.map_or(Ok(()), |found| Ok(found.probe()?)));
        let lacks = [ErrorKind::NotDumped, ErrorKind::Truncated, ErrorKind::Limit];
        if let Err(why) = read.map_err(ValueError::from)
            && lacks.contains(&why.kind)
        {
            return Err(why);
        }
    }
    Err(error(ErrorKind::BadAddress, Some(at), format!("its if_bridge, {at}, is no bridge")))
}

/// The bridge whose list has the entry at `at`; `None` if there is none.
fn with_entry<'t>(at: VirtAddr, network: &Network<'t>) -> Field<Option<Object<'t>>> {
    let mut is_known = network.problems.is_empty();
    for bridge in network.of_driver("bridge") {
        let entries = BRIDGE.of(&bridge).and_then(|softc| entries(&bridge, &softc, "sc_iflist"));
        match entries {
            Ok(entries) if entries.iter().any(|known| known.address == at) => {
                return Ok(Some(bridge));
            }
            Ok(_) => {}
            Err(_) => is_known = false,
        }
    }
    let why = "its bridge is not among those that can be read";
    match is_known && !network.is_under_way() {
        true => Ok(None),
        false => Err(error(ErrorKind::NotDumped, Some(at), why.to_owned())),
    }
}

fn entries<'t>(bridge: &Object<'t>, softc: &Object<'t>, list: &str) -> Field<Vec<Object<'t>>> {
    let head = softc.member(list)?;
    let name = format!("{list} of {}", title(bridge));
    whole(queue::walk(head, "bif_next", List { name: &name, element: "member" }))
}

/// How a member contradicts being one. A sound one is in the bridge's vnet and points back.
fn contradiction<'t>(
    bridge: &Object<'t>,
    softc: &Object<'t>,
    entry: &Object<'t>,
    member: &Object<'t>,
    network: &Network<'t>,
) -> Option<CallOut> {
    let name = format!("its member {}", place(member));
    let call_out = |what, why| Some(CallOut::new(what, bridge.address, why));
    if let Some(why) = network.lost(member) {
        return call_out("lost-member", format!("{name} is gone: {why}"));
    }
    let (own, its) = (bridge.pointer("if_vnet").ok()?, member.pointer("if_vnet").ok()?);
    if own != its {
        let (own, its) = (network.vnet_title(own), network.vnet_title(its));
        let why = format!("{name} is in {its}, but the bridge is in {own}");
        return call_out("member-in-other-vnet", why);
    }
    let back = member.pointer("if_bridge").ok()?;
    // It is set last and cleared first.
    let in_progress = back.is_null() && network.is_under_way();
    if back != softc.address && back != entry.address && !in_progress {
        let why = format!("{name} does not know of it: its if_bridge is {back}");
        return call_out("lost-member", why);
    }
    None
}
