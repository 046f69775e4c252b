//! Pointers to interfaces, from routes and tables of neighbours.

use crate::addr::VirtAddr;
use crate::value::Object;
use crate::value::model::ValueError;
use crate::views::call_out::CallOut;
use crate::views::wiring::Network;
use crate::vnet::{Vnet, VnetRef};

/// An interface that something in the kernel points at.
#[derive(Debug, Clone, PartialEq)]
pub struct InterfaceRef {
    /// Its struct ifnet.
    pub address: VirtAddr,
    /// Its name (if_xname).
    pub name: Result<Box<str>, ValueError>,
}

impl InterfaceRef {
    /// The interface at `interface`.
    #[must_use]
    pub fn of(interface: &Object<'_>) -> Self {
        let checked = interface.check_freed().map_err(ValueError::from);
        let name = checked.and_then(|()| Ok(interface.text("if_xname")?.into()));
        Self { address: interface.address, name }
    }
}

/// What is wrong with a pointer from something of `vnet` to `interface`; `None` if nothing is known
/// to be. `holder` is what points at it: `route`.
#[must_use]
pub fn check<'t>(
    network: &Network<'t>,
    interface: &Object<'t>,
    vnet: Option<&Vnet>,
    holder: &str,
) -> Option<CallOut> {
    let at = interface.address;
    if interface.check_freed().is_err() {
        let why = format!("the {holder} points at an interface whose memory is freed");
        return Some(CallOut::new("freed-interface", at, why));
    }
    let name = match interface.text("if_xname").map_err(ValueError::from) {
        Ok(name) => name,
        Err(why) if why.kind.is_damage() => {
            let why = format!("the {holder} points at {at}, where no interface is");
            return Some(CallOut::new("wild-interface", at, why));
        }
        // A page that the dump lacks may hold one.
        Err(_) => return None,
    };
    if network.lists(interface) == Some(false) {
        let why = format!("the {holder} points at {name}, which is on the list of no vnet");
        return Some(CallOut::new("unlisted-interface", at, why));
    }
    let home = network.vnet_with(at)?;
    (home.address != vnet?.address).then(|| {
        let home = VnetRef::from(home);
        let why = format!("the {holder} points at {name}, an interface of vnet {home}");
        CallOut::new("foreign-interface", at, why)
    })
}
