//! Sockets, as far as something leads to them: the protocol control blocks of a
//! vnet (`sys/netinet/in_pcb.h`), and the lists of local sockets, which are the same
//! for all vnets (`sys/kern/uipc_usrreq.c`).

use crate::target::Target;
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::vnet::{Variables, Vnet};
use crate::walk::{Problems, Walk};

/// The infos of protocols, each with a list of control blocks.
const PCB_INFOS: [&str; 4] = ["tcbinfo", "udbinfo", "ulitecbinfo", "ripcbinfo"];

/// The lists of local sockets: stream, datagram, and sequenced packets.
const UNIX_LISTS: [&str; 3] = ["unp_shead", "unp_dhead", "unp_sphead"];

/// The internet sockets of `vnet`.
pub fn of<'t>(target: &'t Target, vnet: &Vnet, variables: &Variables) -> Walk<Object<'t>> {
    let mut problems = Problems::default();
    let mut sockets = Vec::new();
    for info in PCB_INFOS {
        let Some(pcbs) = variables.in_vnet(target, vnet, info) else { continue };
        let name = format!("V_{info} of {}", vnet.title());
        let list = List { name: &name, element: "control block" };
        // A pointer to the head up to 13, the head itself in newer kernels.
        let head = match target.types().and_then(|types| types.member(pcbs.type_id, "ipi_listhead"))
        {
            Ok(field) if target.types().is_ok_and(|types| types.pointee(field.type_id).is_ok()) => {
                pcbs.follow("ipi_listhead")
            }
            Ok(_) => pcbs.member("ipi_listhead").map(Some),
            Err(why) => Err(why.into()),
        };
        match head {
            Ok(Some(head)) => {
                let blocks = queue::walk(head, "inp_list", list);
                sockets.extend(sockets_of(blocks, "inp_socket", list).take(&mut problems));
            }
            // Not created yet.
            Ok(None) => {}
            Err(why) => problems.add(list.unreadable(pcbs.address, why)),
        }
    }
    Walk::new(sockets, problems)
}

/// The local sockets of all vnets.
pub fn unix(target: &Target) -> Walk<Object<'_>> {
    let (mut sockets, mut problems) = (Vec::new(), Problems::default());
    for name in UNIX_LISTS {
        let Ok(head) = Object::global(target, name) else { continue };
        let list = List { name, element: "control block" };
        let blocks = queue::walk(head, "unp_link", list);
        sockets.extend(sockets_of(blocks, "unp_socket", list).take(&mut problems));
    }
    Walk::new(sockets, problems)
}

/// The sockets that control blocks point to.
fn sockets_of<'t>(blocks: Walk<Object<'t>>, member: &str, list: List<'_>) -> Walk<Object<'t>> {
    let mut problems = Problems::default();
    let mut sockets = Vec::new();
    for block in blocks.take(&mut problems) {
        match block.follow(member) {
            Ok(socket) => sockets.extend(socket),
            Err(why) => {
                let socket = List { element: "socket", ..list };
                let at = why.fault().map_or(block.address, |fault| fault.address);
                problems.add(socket.element(at, why));
            }
        }
    }
    Walk::new(sockets, problems)
}
