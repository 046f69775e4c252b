//! The two ends of an epair (`sys/net/if_epair.c`).

use super::softc::Kind;
use super::{Network, Other};
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::interfaces::{Field, place};

const EPAIR: Kind = Kind { type_name: "struct epair_softc", module: "if_epair.ko" };

/// The other end; `None` if there is none any more. A sound pair has two ends that point at each
/// other, each on the list of a vnet.
pub(super) fn peer<'t>(
    interface: &Object<'t>,
    network: &Network<'t>,
    call_outs: &mut Vec<CallOut>,
) -> Field<Option<Other>> {
    let half = |why: String| CallOut::new("half-destroyed-epair", interface.address, why);
    let softc = EPAIR.of(interface).inspect_err(|why| {
        if why.kind.is_damage() {
            call_outs.push(half(format!("its epair_softc is gone: {why}")));
        }
    })?;
    let Some(other) = softc.follow_anywhere("oifp")? else {
        call_outs.push(half("it has no other end: oifp is NULL".to_owned()));
        return Ok(None);
    };
    let problem = match network.lost(&other) {
        Some(why) => Some(format!("its other end, {}, is gone: {why}", place(&other))),
        None => unconfirmed(interface, &other),
    };
    let problem = problem.map(half);
    call_outs.extend(problem.clone());
    Ok(Some(network.other(&other).but(problem)))
}

/// How the other end contradicts being one.
fn unconfirmed(interface: &Object<'_>, other: &Object<'_>) -> Option<String> {
    let end = format!("its other end, {}", place(other));
    let back = match EPAIR.of(other) {
        Ok(softc) => softc.pointer("oifp").ok()?,
        Err(why) if why.kind.is_damage() => {
            return Some(format!("{end}, has no epair_softc: {why}"));
        }
        Err(_) => return None,
    };
    let back = match back {
        back if back == interface.address => return None,
        back if back.is_null() => "is tied to none".to_owned(),
        back => format!("is tied to another, at {back}"),
    };
    Some(format!("{end}, {back}"))
}
