//! The interfaces on a vnet's list, `V_ifnet` (`sys/net/if.c`).

use crate::target::Target;
use crate::value::{Object, queue};
use crate::vnet::{Variables, Vnet};

/// A machine with more interfaces in one vnet has another problem.
const MAX_INTERFACES: usize = 1 << 20;

/// Each `struct ifnet` on the list of `vnet`, as far as that can be walked.
pub fn of<'t>(target: &'t Target, vnet: &Vnet, variables: &Variables) -> Vec<Object<'t>> {
    let Some(head) = variables.in_vnet(target, vnet, "ifnet") else { return Vec::new() };
    queue::walk(head, "if_link", MAX_INTERFACES).elements
}
