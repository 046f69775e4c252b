//! What checks are made of. Each part is worked out when a check first asks for it, and kept for
//! the others.

use std::cell::OnceCell;

use rustc_hash::FxHashMap;

use super::finding::excuse;
use crate::addr::VirtAddr;
use crate::kernel::LinkerSet;
use crate::modules::Modules;
use crate::target::Target;
use crate::threads::stack::Stack;
use crate::threads::{Thread, ThreadName};
use crate::value::Counters;
use crate::value::Object;
use crate::value::model::ValueError;
use crate::views::backtrace::Tracer;
use crate::views::construction::{Construction, Workers};
use crate::views::interfaces::{Field, title};
use crate::views::jails::Jails;
use crate::views::known_vnets::KnownVnets;
use crate::views::locks::Locks;
use crate::views::neighbors::Neighbors;
use crate::views::routes::Tables;
use crate::views::sockets::{self, Census, Count, Socket};
use crate::views::threads::Threads;
use crate::views::wiring::{Network, StackList, Ties};
use crate::vnet::locks::Guards;
use crate::vnet::unloaded::Unloaded;
use crate::vnet::{Copies, ModuleSpace, Sysinits, Variables, Vnet, VnetList, VnetRef};
use crate::walk::{Problem, Problems, Walk, Why};

/// What is known before any check is made. Where something is unknown, the problem says why.
#[derive(Debug)]
pub struct Known<'e> {
    /// The kernel with its modules.
    pub target: &'e Target,
    /// The list of vnets.
    pub list: Result<&'e VnetList, Problem>,
    /// The vnets on the list, in order of creation, and then the others.
    pub vnets: Result<&'e [Vnet], Problem>,
    /// What keeps further vnets from being known.
    pub vnet_problems: Problems,
    /// All jails, those that are being removed too.
    pub jails: Result<Jails, Problem>,
    /// The variables of all stacks that are not destroyed.
    pub copies: Result<Vec<Copies<'e>>, Problem>,
    /// The virtualized variables.
    pub variables: Result<&'e Variables, Problem>,
    /// Every thread of the kernel's lists.
    pub(crate) all_threads: Vec<Thread<'e>>,
    /// What was loaded.
    pub modules: &'e Modules,
    /// What tells pointers to what unloaded modules had.
    pub unloaded: Unloaded,
    /// How per-CPU counters are read.
    pub counters: &'e Counters,
    /// What reads the stacks of threads.
    pub tracer: Tracer<'e>,
}

/// What checks are made of.
#[derive(Debug)]
pub struct Evidence<'e> {
    known: Known<'e>,
    known_vnets: OnceCell<KnownVnets<'e>>,
    locks: OnceCell<Result<Locks, Problem>>,
    network: OnceCell<Network<'e>>,
    census: OnceCell<Census<'e>>,
    threads: OnceCell<Result<Threads, Problem>>,
    sysinits: OnceCell<Result<Sysinits, Problem>>,
    constructions: OnceCell<FxHashMap<VirtAddr, Construction>>,
    space: OnceCell<Result<ModuleSpace, Problem>>,
    hidden_stack: OnceCell<Option<String>>,
    ties: OnceCell<Vec<Tied>>,
    routes: OnceCell<Vec<(Option<&'e Vnet>, Tables)>>,
    neighbors: OnceCell<Vec<(Option<&'e Vnet>, Neighbors)>>,
    sockets: OnceCell<Vec<StackSockets<'e>>>,
}

/// An interface and what it is tied to.
#[derive(Debug)]
pub struct Tied {
    /// The vnet whose list it is on.
    pub vnet: Option<VnetRef>,
    /// The address of its struct ifnet.
    pub address: VirtAddr,
    /// Its name, or its address.
    pub title: String,
    /// The name of its driver.
    pub driver: Field<Option<Box<str>>>,
    /// What it is tied to.
    pub ties: Ties,
}

/// The sockets of a stack.
#[derive(Debug)]
pub struct StackSockets<'e> {
    /// `None` without VIMAGE.
    pub vnet: Option<&'e Vnet>,
    /// All that were found.
    pub sockets: Vec<Socket>,
    /// How many there are.
    pub count: Count,
}

/// A part that is worked out once, or the problem that leaves it unknown.
type Kept<'a, T> = Result<&'a T, Problem>;

impl<'e> Evidence<'e> {
    /// Nothing is read yet.
    pub fn new(known: Known<'e>) -> Self {
        Self {
            known,
            known_vnets: OnceCell::new(),
            locks: OnceCell::new(),
            network: OnceCell::new(),
            census: OnceCell::new(),
            threads: OnceCell::new(),
            sysinits: OnceCell::new(),
            constructions: OnceCell::new(),
            space: OnceCell::new(),
            ties: OnceCell::new(),
            routes: OnceCell::new(),
            neighbors: OnceCell::new(),
            sockets: OnceCell::new(),
            hidden_stack: OnceCell::new(),
        }
    }

    /// The kernel with its modules.
    pub fn target(&self) -> &'e Target {
        self.known.target
    }

    /// Whether the kernel has VIMAGE.
    pub fn has_vnets(&self) -> bool {
        self.target().kernel().set_vnet().is_some()
    }

    /// The list of vnets.
    ///
    /// # Errors
    /// It cannot be read, not even in part. This holds for all that follows.
    pub fn list(&self) -> Result<&'e VnetList, Problem> {
        self.known.list.clone()
    }

    /// The vnets on the list, in order of creation, and then the others.
    pub fn vnets(&self) -> Result<&'e [Vnet], Problem> {
        self.known.vnets.clone()
    }

    /// Whether a vnet on the list lies there. What is wrong with it is for the checks of the list
    /// to say, and not for those of what points at it.
    pub fn is_listed(&self, address: VirtAddr) -> bool {
        self.vnet(address).is_some_and(Vnet::is_listed)
    }

    /// The vnet at that address.
    fn vnet(&self, address: VirtAddr) -> Option<&'e Vnet> {
        self.known_vnets().ok()??.at(address)
    }

    /// What keeps further vnets from being known.
    pub fn vnet_problems(&self) -> &Problems {
        &self.known.vnet_problems
    }

    /// What keeps vnets of the list from being known.
    pub fn hidden_vnets(&self) -> Option<Problem> {
        if !self.has_vnets() {
            return None;
        }
        let list = match self.list() {
            Ok(list) => list,
            Err(problem) => return Some(problem),
        };
        // Others concern vnet0, which has a check of its own.
        list.problems.iter().find(|problem| !matches!(problem.why, Why::Other(_))).cloned()
    }

    /// The types, without which nothing is known of lists.
    fn require_types(&self) -> Result<(), Problem> {
        let types = self.target().types();
        types.map(|_| ()).map_err(|why| Problem::unreadable("the kernel's types", why.into()))
    }

    /// The vnet at that address, as findings name it.
    pub fn vnet_ref(&self, address: VirtAddr) -> VnetRef {
        let index = self.vnet(address).and_then(|vnet| vnet.index);
        VnetRef { index, address }
    }

    /// Why what is wrong with a vnet may be work in progress; `None` if it is up.
    pub fn excuse(&self, vnet: Option<VnetRef>) -> Option<&'static str> {
        excuse(self.vnet(vnet?.address))
    }

    /// The vnets that pointers are checked against; `None` in a kernel without VIMAGE.
    pub fn known_vnets(&self) -> Result<Option<&KnownVnets<'e>>, Problem> {
        if !self.has_vnets() {
            return Ok(None);
        }
        let (list, vnets) = (self.list()?, self.vnets()?);
        let whole = list.problems.is_empty();
        let known = || KnownVnets::new(self.target(), vnets, whole);
        Ok(Some(self.known_vnets.get_or_init(known)))
    }

    /// All jails, those that are being removed too.
    pub fn jails(&self) -> Kept<'_, Jails> {
        self.known.jails.as_ref().map_err(Clone::clone)
    }

    /// The variables of each stack that is not destroyed.
    pub fn copies(&self) -> Result<&[Copies<'e>], Problem> {
        self.known.copies.as_deref().map_err(Clone::clone)
    }

    /// The virtualized variables.
    pub fn variables(&self) -> Result<&'e Variables, Problem> {
        self.known.variables.clone()
    }

    /// Every thread that is on the kernel's lists. What is wrong with these stands where the threads
    /// are checked.
    pub(crate) fn all_threads(&self) -> &[Thread<'e>] {
        &self.known.all_threads
    }

    /// What was loaded.
    pub fn modules(&self) -> &'e Modules {
        self.known.modules
    }

    /// What tells pointers to what unloaded modules had.
    pub fn unloaded(&self) -> &Unloaded {
        &self.known.unloaded
    }

    /// How per-CPU counters are read.
    pub fn counters(&self) -> &'e Counters {
        self.known.counters
    }

    /// All interfaces of all stacks.
    pub fn network(&self) -> Kept<'_, Network<'e>> {
        self.require_types()?;
        let copies = self.copies()?;
        let problems = self.vnet_problems().clone();
        Ok(self.network.get_or_init(|| Network::read(copies.to_vec(), problems)))
    }

    /// All sockets that something leads to.
    pub fn census(&self) -> Kept<'_, Census<'e>> {
        self.require_types()?;
        let copies = self.copies()?;
        Ok(self.census.get_or_init(|| Census::read(self.target(), copies)))
    }

    /// Each interface on a list, with its ties.
    pub fn ties(&self) -> Result<&[Tied], Problem> {
        let network = self.network()?;
        let read = || {
            let mut all = Vec::new();
            for StackList { copies, list } in self.target().budget().while_wanted(&network.stacks) {
                let vnet = copies.vnet().map(VnetRef::from);
                all.extend(list.interfaces.iter().map(|it| Tied::read(it, vnet, network)));
            }
            all
        };
        Ok(self.ties.get_or_init(read))
    }

    /// The routing tables of each stack.
    pub fn routes(&self) -> Result<&[(Option<&'e Vnet>, Tables)], Problem> {
        let (copies, network) = (self.copies()?, self.network()?);
        let read =
            |copies: &Copies<'e>| (copies.vnet(), Tables::read(copies, network, |_, _| true));
        Ok(self
            .routes
            .get_or_init(|| self.target().budget().while_wanted(copies).map(read).collect()))
    }

    /// The neighbours of each stack.
    pub fn neighbors(&self) -> Result<&[(Option<&'e Vnet>, Neighbors)], Problem> {
        let (copies, network) = (self.copies()?, self.network()?);
        let read =
            |copies: &Copies<'e>| (copies.vnet(), Neighbors::read(copies, network, |_| true));
        Ok(self
            .neighbors
            .get_or_init(|| self.target().budget().while_wanted(copies).map(read).collect()))
    }

    /// The sockets of each stack.
    pub fn sockets(&self) -> Result<&[StackSockets<'e>], Problem> {
        let (copies, census) = (self.copies()?, self.census()?);
        let read = |copies: &Copies<'e>| {
            // Half-open connections have no socket.
            let mut ignored = Problems::default();
            let sockets = sockets::sockets(census, *copies, None, &mut ignored);
            StackSockets { vnet: copies.vnet(), sockets, count: census.count(copies) }
        };
        Ok(self
            .sockets
            .get_or_init(|| self.target().budget().while_wanted(copies).map(read).collect()))
    }

    /// All threads.
    pub fn threads(&self) -> Kept<'_, Threads> {
        let threads = self.threads.get_or_init(|| {
            let vnets = self.known_vnets().ok().flatten();
            let threads = Threads::read(self.target(), vnets, &self.known.tracer);
            threads.map_err(|why| Problem::unreadable("allproc", why))
        });
        threads.as_ref().map_err(Clone::clone)
    }

    /// The constructors and destructors of vnets.
    pub fn sysinits(&self) -> Kept<'_, Sysinits> {
        let read = || {
            let sysinits = Sysinits::read(self.target(), self.unloaded());
            sysinits.map_err(|why| Problem::new("the constructors of vnets", why.to_string()))
        };
        self.sysinits.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// The vnets that are neither on the list nor freed; vnet0 is not among them.
    pub fn unlisted(&self) -> Result<impl Iterator<Item = &'e Vnet>, Problem> {
        let vnets = self.vnets()?.iter();
        Ok(vnets.filter(|vnet| is_off(vnet)))
    }

    /// How far the creation or destruction of a vnet has come that is not on the list; `None` for
    /// others, and if the constructors are unknown.
    pub fn construction(&self, vnet: VirtAddr) -> Option<&Construction> {
        let read = || {
            let Ok(sysinits) = self.sysinits() else { return FxHashMap::default() };
            let unlisted = self.unlisted().into_iter().flatten();
            let workers = Workers::among(Ok(Walk::whole(self.all_threads().to_vec())));
            let of = |vnet: &Vnet| (vnet.address, Construction::of(&workers, sysinits, vnet));
            unlisted.map(of).collect()
        };
        self.constructions.get_or_init(read).get(&vnet)
    }

    /// The vnet at that address, if it is one of these.
    pub fn unlisted_at(&self, address: VirtAddr) -> Option<&'e Vnet> {
        self.vnet(address).filter(|vnet| is_off(vnet))
    }

    /// Why a thread may be in a function though no stack shows it: the stack of one cannot be read.
    pub fn hidden_stack(&self) -> Option<&str> {
        self.hidden_stack.get_or_init(|| self.find_hidden_stack()).as_deref()
    }

    fn find_hidden_stack(&self) -> Option<String> {
        let hidden = self.all_threads().iter().find_map(|thread| match Stack::of(&thread.thread) {
            Err(why) => Some((thread.name(), why)),
            Ok(_) => None,
        });
        hidden.map(|(thread, why)| format!("the stack of {thread} cannot be read: {why}"))
    }

    /// Module space.
    pub fn module_space(&self) -> Kept<'_, ModuleSpace> {
        let read = || {
            let space = ModuleSpace::read(self.target(), self.modules(), LinkerSet::Vnet);
            space.map_err(|why| Problem::new("module space", why.to_string()))
        };
        self.space.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// The locks of the VNET code.
    pub fn locks(&self) -> Kept<'_, Locks> {
        let read = || {
            let locks = Locks::read(self.target());
            locks.map_err(|why| Problem::new("the locks of the VNET code", why.to_string()))
        };
        self.locks.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// The thread that is changing the list of vnets, if one is.
    pub fn list_writer(&self) -> Option<&ThreadName> {
        self.locks().ok()?.writer(Guards::List)
    }
}

impl Tied {
    fn read<'t>(interface: &Object<'t>, vnet: Option<VnetRef>, network: &Network<'t>) -> Self {
        let driver = interface.text_behind("if_dname").map_err(ValueError::from);
        let name = driver.as_ref().ok().and_then(Option::as_deref);
        let ties = Ties::read(interface, name, network);
        Self { vnet, address: interface.address, title: title(interface), driver, ties }
    }
}

fn is_off(vnet: &Vnet) -> bool {
    !vnet.is_listed() && !vnet.is_freed() && !vnet.default
}
