//! The virtual hosts whose addresses an interface has (`sys/netinet/ip_carp.c`).

use super::softc::{Kind, whole};
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::views::interfaces::{Field, title};

const CARP: Kind = Kind { type_name: "struct carp_if", module: "carp.ko" };

/// An address that several hosts share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualHost {
    /// Its number.
    pub vhid: u64,
    /// INIT, BACKUP or MASTER; `None` if it is another.
    pub state: Option<&'static str>,
    /// The base of its advertisements' interval, in seconds.
    pub advbase: u64,
    /// What is added to that, in 1/256 seconds.
    pub advskew: u64,
}

/// The states, in the order of the enum that has no name (`sys/netinet/ip_carp.c`).
const STATES: [&str; 3] = ["INIT", "BACKUP", "MASTER"];

/// The virtual hosts of an interface; `None` if it has none.
pub(super) fn hosts(interface: &Object<'_>) -> Option<Field<Vec<VirtualHost>>> {
    let at = match interface.pointer("if_carp") {
        Ok(at) => at.non_null()?,
        // Up to 9, each is an interface of its own.
        Err(_) => return None,
    };
    let carp = CARP.at(interface.target(), at);
    Some(carp.and_then(|carp| on_list(interface, &carp)))
}

fn on_list(interface: &Object<'_>, carp: &Object<'_>) -> Field<Vec<VirtualHost>> {
    let name = format!("cif_vrs of {}", title(interface));
    let list = List { name: &name, element: "virtual host" };
    let found = whole(queue::walk(carp.member("cif_vrs")?, "sc_list", list))?;
    let host = |softc: &Object<'_>| {
        let state = softc.uint("sc_state")?;
        Ok(VirtualHost {
            vhid: softc.uint("sc_vhid")?,
            state: usize::try_from(state).ok().and_then(|at| STATES.get(at).copied()),
            advbase: softc.uint("sc_advbase")?,
            advskew: softc.uint("sc_advskew")?,
        })
    };
    found.iter().map(host).collect()
}
