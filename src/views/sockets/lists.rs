//! The lists that the kernel keeps of sockets: of internet control blocks and of routing
//! sockets in each stack, and of local sockets for all stacks.

use std::fmt;

use super::Kind;
use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::types::TypeId;
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::vnet::{Copies, CopyName, Stack, Variables, Vnet};
use crate::walk::{Problem, Problems, Walk, Why};

/// The infos of protocols, each with a list of control blocks.
const PCB_INFOS: [(&str, Kind); 5] = [
    ("tcbinfo", Kind::Tcp),
    ("udbinfo", Kind::Udp),
    ("ulitecbinfo", Kind::UdpLite),
    ("ripcbinfo", Kind::Raw),
    // In the kernel or in ipdivert.ko.
    ("divcbinfo", Kind::Divert),
];

/// The lists of local sockets: stream, datagram, and sequenced packets.
const UNIX_LISTS: [&str; 3] = ["unp_shead", "unp_dhead", "unp_sphead"];

/// The control blocks of one protocol in one stack.
#[derive(Debug)]
pub struct PcbList<'t> {
    /// `V_tcbinfo of vnet 1`
    pub name: CopyName<'t>,
    pub kind: Kind,
    /// Its struct inpcbinfo.
    pub info: Object<'t>,
    /// Each `struct inpcb`, in the order of the list.
    pub blocks: Vec<Object<'t>>,
    /// Whether the kernel has created the list.
    pub made: bool,
    /// Control blocks on the list whose memory is freed.
    pub freed: Vec<Object<'t>>,
    /// What kept the walk from the end of the list.
    pub problems: Problems,
}

/// The lists of internet control blocks of a stack.
pub fn pcbs<'t>(copies: &Copies<'t>) -> Walk<PcbList<'t>> {
    let (mut lists, mut problems) = (Vec::new(), Problems::default());
    for (variable, kind) in PCB_INFOS {
        let found = match copies.get(variable) {
            Ok(info) => info.map(|info| read_list(copies.name(variable), kind, info)),
            // A divert socket needs a module, and that has its own problems.
            Err(_) if kind == Kind::Divert => None,
            Err(why) => Some(Walk::failed(why)),
        };
        lists.extend(found.into_iter().flat_map(|list| list.take(&mut problems)));
    }
    Walk::new(lists, problems)
}

/// The internet sockets of `vnet`; none if it has no variables.
pub fn of<'t>(target: &'t Target, vnet: &'t Vnet, variables: &'t Variables) -> Walk<Object<'t>> {
    let copies = Copies::new(target, Stack::Vnet(vnet), Some(variables));
    let has = |(variable, _): &(&str, Kind)| matches!(copies.get(variable), Ok(Some(_)));
    if !PCB_INFOS.iter().any(has) {
        return Walk::whole(Vec::new());
    }
    pcbs(&copies).flat_map(|list| sockets_of(&list.name, list.blocks, "inp_socket"))
}

/// The local sockets of all vnets.
pub fn unix(target: &Target) -> Walk<Object<'_>> {
    let mut problems = Problems::default();
    let blocks = unix_blocks(target).take(&mut problems);
    let sockets = sockets_of(&"the lists of local sockets", blocks, "unp_socket");
    Walk::new(sockets.take(&mut problems), problems)
}

/// The control blocks of local sockets: each `struct unpcb` on one of the three lists.
pub fn unix_blocks(target: &Target) -> Walk<Object<'_>> {
    Walk::whole(UNIX_LISTS.into()).flat_map(|name| match Object::global(target, name) {
        Ok(head) => queue::walk(head, "unp_link", List { name: &name, element: "control block" }),
        Err(ReadError::NoSymbol { .. }) => Walk::whole(Vec::new()),
        Err(why) => Walk::failed(Problem::unreadable(name, why)),
    })
}

/// The control blocks of routing and key sockets: each `struct rawcb` of V_rawcb_list up to 13
/// (`sys/net/raw_cb.h`), each `struct rcb` of V_route_cb since 14 (`sys/net/rtsock.c`).
pub fn routing_blocks<'t>(copies: &Copies<'t>) -> Walk<Object<'t>> {
    let name = copies.name("rawcb_list");
    let head = match (copies.get("rawcb_list"), copies.get("route_cb")) {
        (Ok(Some(head)), _) => Some(head),
        (_, Ok(Some(route))) => route.member("cblist").ok(),
        (Err(why), _) | (_, Err(why)) => return Walk::failed(why),
        (Ok(None), Ok(None)) => None,
    };
    let list = List { name: &name, element: "control block" };
    head.map_or(Walk::whole(Vec::new()), |head| queue::walk(head, "list", list))
}

/// `struct inpcb`, from the type of the lists of a stack.
pub fn block_type(info: &Object<'_>) -> Result<TypeId, ReadError> {
    let types = info.target().types()?;
    let head = types.member(info.type_id, "ipi_listhead")?.type_id;
    let head = types.target_of(head)?.unwrap_or(head);
    let first = if types.has_member(head, "clh_first") { "clh_first" } else { "lh_first" };
    Ok(types.pointee(types.member(head, first)?.type_id)?)
}

/// `struct socket`, from the types of lists that every kernel has: finding a type by name takes
/// an index of all names.
pub fn socket_type(target: &Target, info: Option<&Object<'_>>) -> Result<TypeId, ReadError> {
    let types = target.types()?;
    let of_info = |info| -> Result<TypeId, ReadError> {
        let socket = types.member(block_type(info)?, "inp_socket")?;
        Ok(types.pointee(socket.type_id)?)
    };
    match info.and_then(|info| of_info(info).ok()) {
        Some(found) => Ok(found),
        None => Ok(types.find("struct socket")?),
    }
}

/// The sockets that control blocks point to.
pub fn sockets_of<'t>(
    name: &dyn fmt::Display,
    blocks: Vec<Object<'t>>,
    member: &'static str,
) -> Walk<Object<'t>> {
    let list = List { name, element: "socket" };
    let mut problems = Problems::default();
    let mut sockets = Vec::new();
    for block in blocks {
        match block.follow(member) {
            Ok(socket) => sockets.extend(socket),
            Err(why) => {
                let at = why.fault().map_or(block.address, |fault| fault.address);
                problems.add(list.element(at, why));
            }
        }
    }
    Walk::new(sockets, problems)
}

fn read_list<'t>(name: CopyName<'t>, kind: Kind, info: Object<'t>) -> Walk<PcbList<'t>> {
    let list = List { name: &name, element: "control block" };
    let head = head(&info);
    let made = matches!(head, Ok(Some(_)));
    let walk = match head {
        Ok(Some(head)) => queue::walk(head, "inp_list", list),
        Ok(None) => Walk::whole(Vec::new()),
        Err(why) => Walk::failed(list.unreadable(info.address, why)),
    };
    let freed = walk.problems().iter().filter_map(|problem| {
        let (at, type_id) = (freed(problem)?, block_type(&info).ok()?);
        Some(Object::new(info.target(), type_id, at))
    });
    let freed = freed.collect();
    let mut problems = Problems::default();
    let blocks = walk.take(&mut problems);
    let of_list = problems.clone();
    let list = PcbList { name, kind, info, blocks, made, freed, problems: of_list };
    Walk::new(vec![list], problems)
}

/// The head of the list: ipi_listhead points to it up to 13, and is the head itself in newer
/// kernels.
fn head<'t>(info: &Object<'t>) -> Result<Option<Object<'t>>, ReadError> {
    let types = info.target().types()?;
    let field = types.member(info.type_id, "ipi_listhead")?;
    match types.target_of(field.type_id)? {
        Some(_) => info.follow("ipi_listhead"),
        None => info.member("ipi_listhead").map(Some),
    }
}

/// Where the list led to freed memory.
pub(super) fn freed(problem: &Problem) -> Option<VirtAddr> {
    match &problem.why {
        Why::Unreadable { why, .. } | Why::Element { why, .. } if why.is_freed() => problem.at,
        _ => None,
    }
}
