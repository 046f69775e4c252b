//! All sockets that something leads to, in all network stacks, found once.
//!
//! The kernel counts the sockets of a vnet in vnet_sockcnt: soalloc adds one, sodealloc
//! takes it away (`sys/kern/uipc_socket.c`). Some sockets are reached by nothing but a pointer in
//! a module or a message in flight. So one may be counted and not found; found and
//! not counted is wrong.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::descriptors::Descriptors;
use super::lists::{self, PcbList};
use super::lost::lost_socket;
use super::{Kind, protocol, queues};
use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::known_vnets::{KnownVnets, VnetFault};
use crate::vnet::{Copies, Vnet};
use crate::walk::{Problem, Problems, Walk};

/// All sockets that something leads to.
#[derive(Debug)]
pub struct Census<'t> {
    target: &'t Target,
    stacks: Vec<StackLists<'t>>,
    /// The places in `stacks`, by the address of the vnet.
    places: FxHashMap<Option<VirtAddr>, usize>,
    /// The control blocks of local sockets, with their sockets, of each vnet.
    local: FxHashMap<Option<VirtAddr>, Vec<(Object<'t>, Object<'t>)>>,
    sockets: Vec<Found<'t>>,
    /// The places in `sockets` of those of each vnet.
    of_vnet: FxHashMap<Option<VirtAddr>, Vec<usize>>,
    /// The addresses of the sockets that were met.
    met: FxHashSet<VirtAddr>,
    /// Sockets whose memory is freed, or that are none, and that a control block leads to.
    lost: FxHashSet<VirtAddr>,
    /// The same that only a descriptor or a queue leads to.
    pub lost_sockets: Vec<CallOut>,
    /// `None` if the tables of descriptors cannot be read.
    pub(super) descriptors: Option<Descriptors>,
    /// What keeps control blocks of local sockets from being found.
    pub unix_problems: Problems,
    /// What keeps other sockets of any stack from being found.
    pub problems: Problems,
}

/// The lists of one stack.
#[derive(Debug)]
struct StackLists<'t> {
    /// `None` without VIMAGE.
    vnet: Option<&'t Vnet>,
    pcbs: Vec<PcbList<'t>>,
    routing: Vec<Object<'t>>,
    /// The lists of control blocks that could not be read at all.
    missing: Problems,
    /// What could not be read of them.
    problems: Problems,
}

/// A socket that something leads to.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub socket: Object<'t>,
    pub kind: Kind,
    /// Whether a control block on a list of internet or local sockets leads to it.
    pub listed: bool,
}

/// How many sockets the kernel has counted in a vnet, and how many were found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Count {
    /// vnet_sockcnt; `None` if it is unknown, or without VIMAGE.
    pub counted: Option<u64>,
    /// Those that something leads to; `None` if that is unknown.
    pub found: Option<u64>,
    /// How many are counted and not found: something leads to them that is not followed, or
    /// nothing does. `None` if that is unknown.
    pub not_found: Option<u64>,
    /// Those that were found, by kind.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// What a sound kernel does not have.
    pub problems: Vec<CallOut>,
    /// Whether the lists of the vnet could be read to their ends.
    #[serde(skip)]
    pub whole: bool,
}

impl<'t> Census<'t> {
    /// Finds the sockets of all stacks.
    pub fn read(target: &'t Target, stacks: &[Copies<'t>]) -> Self {
        let mut problems = Problems::default();
        let mut unix_problems = Problems::default();
        let unix = lists::unix_blocks(target).take(&mut unix_problems);
        problems.extend(unix_problems.clone());
        let descriptors = match Descriptors::read(target) {
            Ok(descriptors) => {
                problems.extend(descriptors.problems.clone());
                Some(descriptors)
            }
            Err(why) => {
                problems.add(Problem::unreadable("the descriptors of processes", why));
                None
            }
        };
        let wanted = target.budget().while_wanted(stacks.iter());
        let stacks: Vec<_> = wanted.map(StackLists::read).collect();
        let address = |stack: &StackLists<'_>| stack.vnet.map(|vnet| vnet.address);
        let mut census = Self {
            target,
            places: stacks.iter().map(address).zip(0..).collect(),
            stacks,
            local: FxHashMap::default(),
            sockets: Vec::new(),
            of_vnet: FxHashMap::default(),
            met: FxHashSet::default(),
            lost: FxHashSet::default(),
            lost_sockets: Vec::new(),
            descriptors,
            unix_problems,
            problems,
        };
        census.add_listed(&unix);
        census.add_held();
        census.add_waiting();
        if let Err(why) = target.budget().wanted() {
            census.problems.add(Problem::unreadable("sockets", why.into()));
        }
        census
    }

    /// The lists of control blocks of a stack.
    pub(in crate::views) fn pcbs(&self, vnet: Option<VirtAddr>) -> &[PcbList<'t>] {
        self.lists_of(vnet).map_or(&[], |stack| &stack.pcbs)
    }

    /// Why lists of control blocks of a stack are not among [`Census::pcbs`].
    pub(in crate::views) fn missing_pcbs(&self, vnet: Option<VirtAddr>) -> Problems {
        self.lists_of(vnet).map(|stack| stack.missing.clone()).unwrap_or_default()
    }

    fn lists_of(&self, vnet: Option<VirtAddr>) -> Option<&StackLists<'t>> {
        self.stacks.get(*self.places.get(&vnet)?)
    }

    /// What could not be read of the lists of a stack.
    pub fn problems_of(&self, vnet: Option<VirtAddr>) -> Problems {
        self.lists_of(vnet).map(|stack| stack.problems.clone()).unwrap_or_default()
    }

    /// The sockets of a stack that are on no list of internet or local sockets.
    pub(super) fn unlisted(&self, vnet: Option<VirtAddr>) -> impl Iterator<Item = &Found<'t>> {
        self.of(vnet).filter(|found| !found.listed)
    }

    /// The control blocks of local sockets of a stack, with their sockets.
    pub(super) fn local(&self, vnet: Option<VirtAddr>) -> &[(Object<'t>, Object<'t>)] {
        self.local.get(&vnet).map_or(&[], Vec::as_slice)
    }

    /// Every control block and every socket, with the vnet that it belongs to.
    pub fn objects(&self) -> impl Iterator<Item = (Option<VirtAddr>, Object<'t>)> {
        let of_stack = |stack: &'_ StackLists<'t>| {
            let vnet = stack.vnet.map(|vnet| vnet.address);
            let blocks = stack.pcbs.iter().flat_map(|list| &list.blocks);
            let all: Vec<_> = blocks.chain(&stack.routing).map(|block| (vnet, *block)).collect();
            all
        };
        let local =
            self.local.iter().flat_map(|(vnet, all)| all.iter().map(|(block, _)| (*vnet, *block)));
        let sockets = self.of_vnet.iter().flat_map(|(vnet, places)| {
            let found = places.iter().filter_map(|place| self.sockets.get(*place));
            found.map(|found| (*vnet, found.socket))
        });
        self.stacks.iter().flat_map(of_stack).chain(local).chain(sockets)
    }

    /// All sockets of a stack.
    fn of(&self, vnet: Option<VirtAddr>) -> impl Iterator<Item = &Found<'t>> {
        let places = self.of_vnet.get(&vnet).into_iter().flatten();
        places.filter_map(|place| self.sockets.get(*place))
    }

    /// How many sockets of a stack were found, and how many the kernel has counted. Without VIMAGE
    /// nothing is counted.
    pub fn count(&self, copies: &Copies<'t>) -> Count {
        let vnet = copies.vnet();
        let address = vnet.map(|vnet| vnet.address);
        let mut by_kind = BTreeMap::new();
        for found in self.of(address) {
            *by_kind.entry(found.kind.name()).or_default() += 1;
        }
        let counted = vnet.and_then(|vnet| vnet.sockcnt);
        let found = by_kind.values().sum();
        let lists = self.pcbs(address);
        let whole = !lists.is_empty() && lists.iter().all(|list| list.problems.is_empty());
        let mut problems: Vec<CallOut> = lists.iter().filter_map(wrong_length).collect();
        if let Some(counted) = counted.filter(|counted| *counted < found) {
            let why = format!("vnet_sockcnt is {counted}, but {found} of its sockets were found");
            problems.push(CallOut::new("socket-count", address, why));
        }
        Count {
            counted,
            found: (whole || found > 0).then_some(found),
            not_found: counted.filter(|_| whole).map(|counted| counted.saturating_sub(found)),
            by_kind,
            problems,
            whole,
        }
    }

    /// Where the master of V_tcbinfo lies.
    pub(super) fn master(&self, copies: &Copies<'t>) -> Option<VirtAddr> {
        let info = copies.get("tcbinfo").ok()??;
        let base = copies.vnet().map_or(0, |vnet| vnet.data_base.get());
        let master = info.address.get().wrapping_sub(base);
        Some(VirtAddr::new(self.target.arch().wrap(master)))
    }

    /// A vnet in words.
    pub(super) fn vnet_title(&self, address: VirtAddr) -> String {
        let found = self.lists_of(Some(address)).and_then(|stack| stack.vnet);
        found.map_or_else(|| address.to_string(), Vnet::title)
    }

    /// Adds the sockets of control blocks.
    fn add_listed(&mut self, unix: &[Object<'t>]) {
        let budget = self.target.budget();
        for block in budget.while_wanted(unix) {
            // Which stack the others belong to is unknown, and is said below.
            if let Ok(Some(own)) = block.follow("unp_socket")
                && let Ok(vnet) = self.vnet_of(&own)
            {
                self.local.entry(vnet).or_default().push((*block, own));
            }
        }
        let mut found = Vec::new();
        for stack in budget.while_wanted(&mut self.stacks) {
            let vnet = stack.vnet.map(|vnet| vnet.address);
            let on_lists = stack.sockets().into_iter();
            found.extend(on_lists.map(|(socket, kind)| (socket, kind, Some(vnet))));
            self.lost.extend(stack.problems.iter().filter_map(lists::freed));
        }
        let local = lists::sockets_of(&"the lists of local sockets", unix.to_vec(), "unp_socket");
        self.lost.extend(local.problems().iter().filter_map(lists::freed));
        let local = local.take(&mut self.problems).into_iter();
        found.extend(local.map(|socket| (socket, Some(Kind::Unix), None)));
        // A socket on two lists is the first one's.
        let (routing, listed): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, kind, _)| kind.is_none());
        for (socket, kind, vnet) in listed.into_iter().chain(routing) {
            self.add(socket, kind, vnet);
        }
    }

    /// Adds the sockets that descriptors lead to.
    fn add_held(&mut self) {
        let Some(descriptors) = &self.descriptors else { return };
        let lists = self.stacks.iter().flat_map(|stack| &stack.pcbs);
        let info = lists.map(|list| list.info).next();
        match lists::socket_type(self.target, info.as_ref()) {
            Ok(type_id) => {
                let of = |at: &VirtAddr| Object::new(self.target, type_id, *at);
                let held: Vec<_> = descriptors.sockets().iter().map(of).collect();
                held.into_iter().for_each(|socket| self.add(socket, None, None));
            }
            Err(why) => self.problems.add(Problem::unreadable("the sockets of processes", why)),
        }
    }

    /// Adds the sockets that wait in the queues of those that listen.
    fn add_waiting(&mut self) {
        let listening: Vec<Object<'t>> = self.sockets.iter().map(|found| found.socket).collect();
        let budget = self.target.budget();
        for socket in budget.while_wanted(listening) {
            if queues::listens(&socket) == Ok(true) {
                let waiting: Walk<_> = queues::waiting(&socket);
                for socket in waiting.take(&mut self.problems) {
                    self.add(socket, None, None);
                }
            }
        }
    }

    /// The vnet of a socket; `None` if it has none, and without VIMAGE.
    fn vnet_of(&self, socket: &Object<'_>) -> Result<Option<VirtAddr>, ReadError> {
        match self.places.contains_key(&None) {
            true => Ok(None),
            false => socket.pointer("so_vnet").map(VirtAddr::non_null),
        }
    }

    /// Adds a socket, unless it is known. `kind` is that of the list that led to it, and `vnet` the
    /// one whose list that is: it has counted the socket, whatever so_vnet is now.
    fn add(&mut self, socket: Object<'t>, kind: Option<Kind>, vnet: Option<Option<VirtAddr>>) {
        if self.met.contains(&socket.address) || self.target.budget().wanted().is_err() {
            return;
        }
        let own = || {
            let checked = socket.check_freed().and_then(|()| socket.probe());
            checked.map_err(Into::into).and_then(|()| self.vnet_of(&socket))
        };
        match vnet.map_or_else(own, Ok) {
            Ok(vnet) => {
                let by_protocol = || protocol::of(&socket).ok().flatten().map(|(kind, _)| kind);
                let found_kind = kind.or_else(by_protocol).unwrap_or(Kind::Other);
                self.met.insert(socket.address);
                self.of_vnet.entry(vnet).or_default().push(self.sockets.len());
                self.sockets.push(Found { socket, kind: found_kind, listed: kind.is_some() });
            }
            Err(why) => self.add_lost(&socket, why),
        }
    }

    /// A socket that cannot be read.
    fn add_lost(&mut self, socket: &Object<'_>, why: ReadError) {
        let at = socket.address;
        self.problems.add(Problem::unreadable(format!("the socket at {at}"), why.clone()));
        if let Some(call_out) = lost_socket(at, &why.into())
            && self.lost.insert(at)
        {
            let why = format!("a descriptor or a queue leads to it: {}", call_out.why);
            self.lost_sockets.push(CallOut::new(call_out.what, at, why));
        }
    }

    /// The sockets whose so_vnet is no vnet, as far as `vnets` are known. Those on a list of a
    /// stack are called out there.
    pub fn strays(&self, vnets: &KnownVnets<'_>) -> Vec<CallOut> {
        let unlisted = self.of_vnet.iter().filter(|(vnet, _)| !self.places.contains_key(vnet));
        let mut found = Vec::new();
        for (vnet, places) in unlisted {
            let why = match vnet.map(|vnet| (vnet, vnets.fault(vnet))) {
                None => "its so_vnet is NULL".to_owned(),
                Some((vnet, Some(fault))) if !matches!(fault, VnetFault::Unlisted(_)) => {
                    format!("its so_vnet, {vnet}, {fault}")
                }
                // One that is being created or destroyed may be known to its sockets alone.
                Some(_) => continue,
            };
            let sockets = places.iter().filter_map(|place| self.sockets.get(*place));
            let of = |found: &Found<'_>| CallOut::new("stray-socket", found.socket.address, &*why);
            found.extend(sockets.map(of));
        }
        found.sort_unstable_by_key(|call_out| call_out.at);
        found
    }
}

impl<'t> StackLists<'t> {
    fn read(copies: &Copies<'t>) -> Self {
        let mut problems = Problems::default();
        let pcbs = lists::pcbs(copies).take(&mut problems);
        let mut missing = Problems::default();
        let read: Vec<&Problem> = pcbs.iter().flat_map(|list| list.problems.iter()).collect();
        let others = problems.iter().filter(|problem| !read.contains(problem));
        others.for_each(|problem| missing.add(problem.clone()));
        let routing = lists::routing_blocks(copies).take(&mut problems);
        Self { vnet: copies.vnet(), pcbs, routing, missing, problems }
    }

    /// The sockets of its lists, each with the kind of the list; `None` for routing sockets.
    fn sockets(&mut self) -> Vec<(Object<'t>, Option<Kind>)> {
        let mut all = Vec::new();
        for list in &self.pcbs {
            let sockets = lists::sockets_of(&list.name, list.blocks.clone(), "inp_socket");
            let sockets = sockets.take(&mut self.problems).into_iter();
            all.extend(sockets.map(|socket| (socket, Some(list.kind))));
        }
        let name = "the list of routing sockets";
        let routing = lists::sockets_of(&name, self.routing.clone(), "rcb_socket");
        all.extend(routing.take(&mut self.problems).into_iter().map(|socket| (socket, None)));
        all
    }
}

/// A list whose length is not the one that its info has counted.
fn wrong_length(list: &PcbList<'_>) -> Option<CallOut> {
    let counted =
        list.info.uint("ipi_count").ok().filter(|_| list.problems.is_empty() && list.made)?;
    let found = list.blocks.len();
    (counted != found as u64).then(|| {
        let why = format!("{}: ipi_count is {counted}, but its list has {found}", list.name);
        CallOut::new("pcb-count", list.info.address, why)
    })
}
