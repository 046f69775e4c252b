//! Laggs and their ports (`sys/net/if_lagg.c`).

use super::softc::{Kind, broken, error};
use super::{Network, Other};
use crate::value::Object;
use crate::value::model::ErrorKind;
use crate::value::queue::{self, List};
use crate::views::call_out::CallOut;
use crate::views::interfaces::{Field, place, title};
use crate::walk::Problems;

const LAGG: Kind = Kind { type_name: "struct lagg_softc", module: "if_lagg.ko" };
const PORT: Kind = Kind { type_name: "struct lagg_port", module: "if_lagg.ko" };

/// The ports of a lagg.
pub(super) fn ports<'t>(
    interface: &Object<'t>,
    network: &Network<'t>,
    call_outs: &mut Vec<CallOut>,
) -> Field<Vec<Other>> {
    let softc = LAGG.of(interface)?;
    let name = format!("sc_ports of {}", title(interface));
    let list = List { name: &name, element: "port" };
    let mut problems = Problems::default();
    let found = queue::walk(softc.member("sc_ports")?, "lp_entries", list).take(&mut problems);
    problems.none().map_err(broken)?;
    let mut ports = Vec::new();
    for port in &found {
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
        let lagg = port.follow("lp_softc")?.map(|softc| softc.follow("sc_ifp")).transpose()?;
        lagg.flatten().ok_or_else(|| {
            let why = "the lagg_port leads to no lagg".to_owned();
            error(ErrorKind::BadAddress, Some(at), why)
        })
    };
    Some(lagg().map(|lagg| network.other(&lagg)))
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
    if back != port.address {
        return call_out(format!("{name} does not know of it: its if_lagg is {back}"));
    }
    None
}
