//! Sockets, as far as something leads to them: the protocol control blocks of a
//! vnet (`sys/netinet/in_pcb.h`), and the lists of local sockets, which are the same
//! for all vnets (`sys/kern/uipc_usrreq.c`).

use crate::target::Target;
use crate::value::{Object, queue};
use crate::vnet::{Variables, Vnet};

/// The infos of protocols, each with a list of control blocks.
const PCB_INFOS: [&str; 4] = ["tcbinfo", "udbinfo", "ulitecbinfo", "ripcbinfo"];

/// The lists of local sockets: stream, datagram, and sequenced packets.
const UNIX_LISTS: [&str; 3] = ["unp_shead", "unp_dhead", "unp_sphead"];

const MAX_SOCKETS: usize = 1 << 22;

/// The internet sockets of `vnet`.
pub fn of<'t>(target: &'t Target, vnet: &Vnet, variables: &Variables) -> Vec<Object<'t>> {
    let infos = PCB_INFOS.into_iter().filter_map(|name| variables.in_vnet(target, vnet, name));
    // A pointer to the head up to 12, the head itself in newer kernels.
    let heads = infos.filter_map(|info| match info.follow("ipi_listhead") {
        Ok(head) => head,
        Err(_) => info.member("ipi_listhead").ok(),
    });
    let blocks = heads.flat_map(|head| queue::walk(head, "inp_list", MAX_SOCKETS).elements);
    blocks.filter_map(|block| block.follow("inp_socket").ok().flatten()).collect()
}

/// The local sockets of all vnets.
pub fn unix(target: &Target) -> Vec<Object<'_>> {
    let heads = UNIX_LISTS.into_iter().filter_map(|name| Object::global(target, name).ok());
    let blocks = heads.flat_map(|head| queue::walk(head, "unp_link", MAX_SOCKETS).elements);
    blocks.filter_map(|block| block.follow("unp_socket").ok().flatten()).collect()
}
