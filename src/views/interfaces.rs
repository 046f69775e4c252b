//! The interfaces on a vnet's list, `V_ifnet` (`sys/net/if.c`).

use crate::target::Target;
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::vnet::{Variables, Vnet};
use crate::walk::Walk;

/// Each `struct ifnet` on the list of `vnet`.
pub fn of<'t>(target: &'t Target, vnet: &Vnet, variables: &Variables) -> Walk<Object<'t>> {
    let Some(head) = variables.in_vnet(target, vnet, "ifnet") else {
        return Walk::whole(Vec::new());
    };
    let name = format!("V_ifnet of {}", vnet.title());
    queue::walk(head, "if_link", List { name: &name, element: "interface" })
}
