//! Laggs and their ports (`sys/net/if_lagg.c`).

use super::softc::{Kind, error, whole};
use super::{Network, Other};
use crate::value::Object;
use crate::value::counter::Counters;
use crate::value::model::ErrorKind;
use crate::value::queue::{self, List};
use crate::views::call_out::CallOut;
use crate::views::interfaces::{COUNTERS, Field, Traffic, place, sum, title};

const LAGG: Kind = Kind { type_name: "struct lagg_softc", module: "if_lagg.ko" };
const PORT: Kind = Kind { type_name: "struct lagg_port", module: "if_lagg.ko" };

/// The ports of a lagg.
pub(super) fn ports<'t>(
    interface: &Object<'t>,
    network: &Network<'t>,
    call_outs: &mut Vec<CallOut>,
) -> Field<Vec<Other>> {
    let softc = LAGG.of(interface)?;
    let mut ports = Vec::new();
    for port in &entries(interface, &softc)? {
        let Some(member) = port.follow_anywhere("lp_ifp")? else { continue };
        let problem = contradiction(interface, port, &member, network);
        call_outs.extend(problem.clone());
        ports.push(network.other(&member).but(problem));
    }
    Ok(ports)
}

/// The lagg that an interface is a port of; `None` if it is in none.
pub(super) fn of_port<'t>(interface: &Object<'t>, network: &Network<'t>) -> Option<Field<Other>> {
    let at = match interface.pointer("if_lagg") {
        Ok(at) => at.non_null()?,
        Err(why) => return Some(Err(why.into())),
    };
    let lagg = || {
        let port = PORT.at(interface.target(), at)?;
        let member = port.pointer("lp_ifp")?;
        if member != interface.address {
            let why = format!("its lagg_port belongs to another interface, at {member}");
            return Err(error(ErrorKind::BadAddress, Some(at), why));
        }
        let lagg = port.follow("lp_softc")?.map(|softc| softc.follow("sc_ifp")).transpose()?;
        lagg.flatten().ok_or_else(|| {
            let why = "the lagg_port leads to no lagg".to_owned();
            error(ErrorKind::BadAddress, Some(at), why)
        })
    };
    Some(lagg().map(|lagg| network.other(&lagg)))
}

impl Traffic {
    /// Takes the counts of a lagg's ports for its own, as lagg_get_counter does: what each has
    /// counted since it became one, what former ones had, and what the lagg itself counts.
    pub fn ask_lagg(&mut self, interface: &Object<'_>, counters: &Counters) {
        if self.counted_by.as_deref() == Some("lagg_get_counter")
            && let Ok(counts) = counts(interface, counters)
        {
            self.set(counts);
        }
    }
}

/// The counts of a lagg, in the order of enum ift_counter.
fn counts(interface: &Object<'_>, counters: &Counters) -> Field<Vec<Field<u64>>> {
    let softc = LAGG.of(interface)?;
    let ports = entries(interface, &softc)?;
    let ports = ports.iter().map(|port| Ok(port.follow("lp_ifp")?.map(|member| (port, member))));
    let ports = ports.collect::<Field<Vec<_>>>()?;
    let ports = ports.into_iter().flatten();
    let ports: Vec<_> =
        ports.map(|(port, member)| (port, Traffic::read(&member, counters))).collect();
    let count = |(index, name): (usize, &&str)| {
        let own = sum(interface, counters, index)?;
        let mut total = own.wrapping_add(saved(&softc, "detached_counters.val", index)?);
        for (port, traffic) in &ports {
            let count = traffic.get(name).cloned().unwrap_or(Ok(0))?;
            let before = saved(port, "port_counters.val", index)?;
            total = total.wrapping_add(count).wrapping_sub(before);
        }
        Ok(total)
    };
    Ok(COUNTERS.iter().enumerate().map(count).collect())
}

/// Each struct lagg_port of a lagg.
fn entries<'t>(interface: &Object<'t>, softc: &Object<'t>) -> Field<Vec<Object<'t>>> {
    let name = format!("sc_ports of {}", title(interface));
    let list = List { name: &name, element: "port" };
    whole(queue::walk(softc.member("sc_ports")?, "lp_entries", list))
}

/// An element of an array of 64-bit numbers.
fn saved(object: &Object<'_>, array: &str, index: usize) -> Field<u64> {
    let at = object.member(array)?.address.wrapping_add(index as u64 * 8);
    Ok(object.target().memory().u64(at)?)
}

fn contradiction<'t>(
    lagg: &Object<'t>,
    port: &Object<'t>,
    member: &Object<'t>,
    network: &Network<'t>,
) -> Option<CallOut> {
    let name = format!("its port {}", place(member));
    let call_out = |why| Some(CallOut::new("lost-port", lagg.address, why));
    if let Some(why) = network.lost(member) {
        return call_out(format!("{name} is gone: {why}"));
    }
    let back = member.pointer("if_lagg").ok()?;
    // It is set last and cleared first.
    let in_progress = back.is_null() && network.is_under_way();
    if back != port.address && !in_progress {
        return call_out(format!("{name} does not know of it: its if_lagg is {back}"));
    }
    None
}
