//! Vnets that are not on the list, found through what still points to them: jails,
//! processes and threads, interfaces, sockets.
//!
//! Each pointer that leads to no known vnet is followed; its target need
//! not be a vnet any more, and then a problem says so.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::addr::VirtAddr;
use crate::parallel;
use crate::target::{ReadError, Target};
use crate::threads;
use crate::value::Object;
use crate::views::interfaces;
use crate::views::jails::Jails;
use crate::views::sockets::lists;
use crate::vnet::{Variables, Vnet};
use crate::walk::{Problem, Problems, Walk};

/// Vnets that something points to, and what is wrong with other pointers.
#[derive(Debug, Clone, Default)]
pub struct Unlisted {
    /// In the order in which they were found.
    pub vnets: Vec<Vnet>,
    pub problems: Problems,
}

/// The members of an interface that point to vnets.
const MEMBERS: [&str; 2] = ["if_vnet", "if_home_vnet"];

/// The most sockets of one vnet that are named.
const MAX_WITNESSES: usize = 8;

/// Reads what the interfaces and sockets of vnets say of vnets.
pub struct Reader<'a> {
    target: &'a Target,
    /// Addresses of the vnets on the list.
    listed: FxHashSet<VirtAddr>,
    variables: Option<&'a Variables>,
}

/// What the interfaces and sockets of a vnet say of vnets.
#[derive(Default)]
pub struct Told {
    /// In the order in which it was read.
    events: Vec<Event>,
    /// What contradicts the vnet, a sentence each.
    against: Vec<Box<str>>,
}

enum Event {
    /// What leads to a vnet that is not on the list.
    Pointer(VirtAddr, String),
    Unread(Problems),
}

impl Unlisted {
    /// Follows what `jails`, all threads, and the interfaces and sockets of the vnets
    /// in `listed`, and of vnets that are found, say about their vnets. `told` is of those
    /// in `listed`, by `reader`. What contradicts a vnet in `listed` is added to its problems.
    pub fn find(
        reader: &Reader<'_>,
        listed: &mut [Vnet],
        told: Vec<Told>,
        jails: &Jails,
        threads: Result<&threads::Listed, ReadError>,
    ) -> Self {
        let mut search = Search { reader, found: Self::default(), seen: FxHashMap::default() };
        for jail in jails.all() {
            let holder = || format!("pr_vnet of jail {} ({})", jail.jid, jail.name);
            search.follow(jail.vnet, holder);
        }
        let of_prison = |prison| jails.at(prison).map(|jail| jail.vnet);
        match threads {
            Ok(threads) => {
                let follow = |vnet, holder: &dyn Fn() -> String| search.follow(vnet, holder);
                let problems = threads.each_vnet(reader.target, of_prison, follow);
                search.found.problems.extend(problems);
            }
            Err(why) => search.found.problems.add(Problem::unreadable("allproc", why)),
        }
        for socket in lists::unix(reader.target).take(&mut search.found.problems) {
            search.follow_member(&socket, "so_vnet", || {
                format!("so_vnet of socket {}", socket.address)
            });
        }
        if let Err(why) = reader.target.budget().wanted() {
            search.found.problems.add(Problem::unreadable("what leads to vnets", why.into()));
        }
        for (vnet, told) in listed.iter_mut().zip(told) {
            vnet.problems.extend(search.take(told));
        }
        // Vnets that were found have interfaces and sockets too, which may lead further.
        let mut next = 0;
        while let Some(vnet) = search.found.vnets.get(next) {
            let contradictions = search.take(reader.objects_of(vnet));
            if let Some(vnet) = search.found.vnets.get_mut(next) {
                vnet.problems.extend(contradictions);
            }
            next += 1;
        }
        search.found
    }
}

struct Search<'a> {
    reader: &'a Reader<'a>,
    found: Unlisted,
    /// Addresses that were followed, and which of the found vnets is there.
    seen: FxHashMap<VirtAddr, Option<usize>>,
}

impl<'a> Reader<'a> {
    /// A reader for the vnets of a list, by their `variables`; without these, nothing is known of interfaces and
    /// sockets.
    pub fn new(target: &'a Target, listed: &[Vnet], variables: Option<&'a Variables>) -> Self {
        let listed = listed.iter().map(|vnet| vnet.address).collect();
        Self { target, listed, variables }
    }

    /// Reads the interfaces and sockets of each of `vnets`, unless something is wrong with it.
    pub fn read(&self, vnets: &[Vnet]) -> Vec<Told> {
        let ask = |vnet: &Vnet| {
            let is_sound = vnet.problems.is_empty() && self.target.budget().wanted().is_ok();
            if is_sound { self.objects_of(vnet) } else { Told::default() }
        };
        let mut told = Vec::with_capacity(vnets.len());
        parallel::for_each(vnets, parallel::jobs_for(vnets.len()), ask, |of_vnet| {
            told.push(of_vnet);
            true
        });
        told
    }

    /// Reads the interfaces and sockets of a vnet.
    fn objects_of(&self, vnet: &Vnet) -> Told {
        let mut told = Told::default();
        // Without types, nothing is known of any vnet's interfaces and sockets.
        let Some(variables) = self.variables.filter(|_| self.target.types().is_ok()) else {
            return told;
        };
        // A vnet whose block is not there yet, or is freed, has neither.
        if vnet.is_freed() || vnet.data_mem.is_null() {
            return told;
        }
        // The host may have thousands. They are read as the walk comes to them, while their memory is at hand.
        let pointers = |interface: &Object<'_>| MEMBERS.map(|member| interface.pointer(member));
        let interfaces = interfaces::of(self.target, vnet, variables, pointers);
        told.against.extend(wrong_interface_count(vnet.ifcnt, interfaces.count()));
        for (interface, pointers) in told.elements(interfaces) {
            let name =
                || interface.text("if_xname").unwrap_or_else(|_| interface.address.to_string());
            let [if_vnet, _] = &pointers;
            told.against.extend(other_vnet(vnet, &interface, if_vnet, name));
            for (member, pointer) in MEMBERS.into_iter().zip(pointers) {
                self.note(&mut told, pointer, || format!("{member} of {}", name()));
            }
        }
        let sockets = lists::of(self.target, vnet, variables);
        let mut mine = Vec::new();
        for socket in told.elements(sockets) {
            let own = socket.pointer("so_vnet");
            if own == Ok(vnet.address) {
                mine.push(socket.address);
            }
            self.note(&mut told, own, || format!("so_vnet of socket {}", socket.address));
        }
        mine.sort_unstable();
        mine.dedup();
        told.against.extend(too_many_sockets(vnet.sockcnt, mine.len()));
        told
    }

    /// Adds a pointer to a vnet, unless that is on the list.
    fn note(
        &self,
        told: &mut Told,
        pointer: Result<VirtAddr, ReadError>,
        holder: impl FnOnce() -> String,
    ) {
        match pointer {
            Ok(vnet) if vnet.is_null() || self.listed.contains(&vnet) => {}
            Ok(vnet) => told.events.push(Event::Pointer(vnet, holder())),
            Err(why) => {
                told.events.push(Event::Unread(Problem::unreadable(holder(), why).into()));
            }
        }
    }
}

impl Search<'_> {
    /// Follows what was read of a vnet. Returns what contradicts it.
    fn take(&mut self, told: Told) -> Vec<Box<str>> {
        for event in told.events {
            match event {
                Event::Pointer(vnet, holder) => self.follow(Some(vnet), || holder),
                Event::Unread(problems) => self.found.problems.extend(problems),
            }
        }
        told.against
    }

    fn follow_member(
        &mut self,
        object: &Object<'_>,
        member: &str,
        holder: impl FnOnce() -> String,
    ) {
        match object.pointer(member) {
            Ok(vnet) => self.follow(vnet.non_null(), holder),
            Err(why) => self.found.problems.add(Problem::unreadable(holder(), why)),
        }
    }

    /// Nearly every pointer leads to a vnet on the list and needs no message.
    fn follow(&mut self, vnet: Option<VirtAddr>, holder: impl FnOnce() -> String) {
        let Some(address) = vnet else { return };
        if self.reader.listed.contains(&address) {
            return;
        }
        let holder = holder();
        let place = match self.seen.get(&address) {
            Some(place) => *place,
            None => {
                let place = self.look(address, &holder);
                self.seen.insert(address, place);
                place
            }
        };
        if let Some(vnet) = place.and_then(|at| self.found.vnets.get_mut(at))
            && vnet.found_by.len() < MAX_WITNESSES
        {
            vnet.found_by.push(holder.into());
        }
    }

    fn look(&mut self, address: VirtAddr, holder: &str) -> Option<usize> {
        match Vnet::unlisted(self.reader.target, address) {
            Some(vnet) => self.found.vnets.push(vnet),
            None => {
                let why = format!("it leads to {address}, which is not a vnet");
                let problem = Problem { at: Some(address), ..Problem::new(holder, why) };
                self.found.problems.add(problem);
                return None;
            }
        }
        Some(self.found.vnets.len() - 1)
    }
}

impl Told {
    /// The elements of a walk, whose problems are noted.
    fn elements<T>(&mut self, walk: Walk<T>) -> Vec<T> {
        let mut problems = Problems::default();
        let elements = walk.take(&mut problems);
        if !problems.is_empty() {
            self.events.push(Event::Unread(problems));
        }
        elements
    }
}

/// How an interface on the list of `vnet` contradicts being there.
fn other_vnet(
    vnet: &Vnet,
    interface: &Object<'_>,
    if_vnet: &Result<VirtAddr, ReadError>,
    name: impl FnOnce() -> String,
) -> Option<Box<str>> {
    let actual = if_vnet.as_ref().ok()?;
    (*actual != vnet.address).then(|| {
        let (at, name) = (interface.address, name());
        let actual = actual.non_null().map_or("no vnet".to_owned(), |actual| actual.to_string());
        format!("the interface {name} at {at} is on its list, but its if_vnet is {actual}").into()
    })
}

/// How the interfaces that were found contradict their count: all of them are on one list.
fn wrong_interface_count(counted: Option<u64>, found: Result<usize, Problem>) -> Option<Box<str>> {
    let (counted, found) = (counted?, found.ok()?);
    let are = if found == 1 { "is" } else { "are" };
    (counted != found as u64)
        .then(|| format!("its vnet_ifcnt is {counted}, but {found} {are} on V_ifnet").into())
}

/// How the sockets that were found contradict their count: others may exist.
fn too_many_sockets(counted: Option<u64>, found: usize) -> Option<Box<str>> {
    let counted = counted?;
    (counted < found as u64).then(|| {
        let were = if found == 1 { "was" } else { "were" };
        format!("its vnet_sockcnt is {counted}, but {found} of its sockets {were} found").into()
    })
}
