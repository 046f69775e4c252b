//! What an address is: whose variable, which struct, which function, whose stack.
//!
//! What: the copies of virtualized variables, the structs that other views know, images, stacks,
//! per-CPU memory, and what typed pointers lead to.
//!
//! How: everything that is known is put into one list of stretches of addresses, once
//! (`intervals.rs`). Then an address takes a binary search, and its name is made of the
//! types.
//!
//! What it refuses to do: it guesses nothing from the bytes at an address, except that they are the
//! pattern of freed memory.

mod counters;
mod dpcpu;
mod heap;
mod intervals;
mod known;
mod line;
mod model;
mod owners;
mod parts;
mod place;
mod pointers;
mod stacks;
mod symbols;
mod variables;

use std::fmt;
use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::types::TypeId;
use crate::value::Counters;
use crate::views::cpus::Cpus;
use crate::views::jails::{Jail, Jails};
use crate::views::known_vnets::KnownVnets;
use crate::views::sockets::Census;
use crate::views::wiring::Network;
use crate::vnet::modspace::{Holder, ModuleSpace};
use crate::vnet::{self, Variables, Vnet};
use crate::walk::Problems;

use counters::CounterNames;
use dpcpu::DpcpuNames;
use heap::Heap;
use intervals::{Interval, Intervals};
use known::KnownObjects;
use parts::object_part;
use stacks::Frames;
use symbols::SymbolNames;
use variables::VariableNames;

pub use model::{
    Described, Mapping, Meaning, ObjectPart, Owner, PartPath, SetCopy, SourceLine, StackPart,
    SymbolPart, VariablePart,
};
pub(crate) use place::in_direct_map;

/// What the index is made of.
#[derive(Debug)]
pub struct Sources<'t> {
    /// The kernel, its memory and its modules.
    pub target: &'t Target,
    /// All vnets, listed or not.
    pub vnets: &'t [Vnet],
    /// What is wrong with them; `None` without VIMAGE.
    pub known_vnets: Option<KnownVnets<'t>>,
    /// The virtualized variables; `None` without VIMAGE.
    pub variables: Option<&'t Variables>,
    /// The DPCPU variables; `None` if there are none.
    pub dpcpu: Option<&'t Variables>,
    /// The CPUs; `None` if they are unknown.
    pub cpus: Option<&'t Cpus>,
    /// Module space; `None` without VIMAGE or types.
    pub space: Option<ModuleSpace>,
    /// All jails; `None` without types.
    pub jails: Option<&'t Jails>,
    /// Jails that are on no list any more.
    pub removed: &'t [Jail],
    /// All interfaces; `None` without types.
    pub network: Option<Network<'t>>,
    /// All sockets; `None` without types.
    pub census: Option<Census<'t>>,
    /// How counters are laid out.
    pub counters: &'t Counters,
}

/// Names addresses. It is made once, for any number of them.
pub struct Whatis<'t> {
    target: &'t Target,
    vnets: &'t [Vnet],
    owners: Vec<Owner>,
    by_address: FxHashMap<VirtAddr, usize>,
    /// The type of a struct vnet.
    vnet_type: Option<TypeId>,
    set: Option<Range<VirtAddr>>,
    pristine: Option<VirtAddr>,
    space: Option<ModuleSpace>,
    variables: VariableNames<'t>,
    symbols: SymbolNames<'t>,
    known: KnownObjects<'t>,
    frames: Frames,
    dpcpu: DpcpuNames<'t>,
    counters: CounterNames<'t>,
    heap: Heap,
    things: Intervals<Thing>,
    /// What keeps other things from being known.
    pub problems: Problems,
}

/// What is in a stretch of addresses; a number is a place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Master,
    Pristine,
    Block(usize),
    Vnet(usize),
    Dpcpu(usize),
    Stack(usize),
    Object(usize),
    Heap(usize),
}

impl Thing {
    /// Which of two that overlap counts.
    fn rank(self) -> u8 {
        match self {
            Self::Master => 0,
            Self::Block(_) | Self::Pristine => 1,
            Self::Vnet(_) => 2,
            Self::Dpcpu(_) | Self::Stack(_) => 3,
            Self::Object(_) => 4,
            Self::Heap(_) => 5,
        }
    }
}

impl<'t> Whatis<'t> {
    /// Collects all that is known, and follows typed pointers from variables `deep` levels down.
    pub fn new(sources: Sources<'t>, deep: usize) -> Self {
        let Sources { target, vnets, known_vnets, variables, space, .. } = sources;
        let Sources { jails, removed, network, census, counters, .. } = sources;
        let mut problems = Problems::default();
        let mut known = KnownObjects::default();
        if target.types().is_ok() {
            known.add_threads(target, &mut problems);
        }
        if let Some(cpus) = sources.cpus {
            known.add_cpus(target, cpus);
        }
        if let Some(jails) = jails {
            known.add_jails(target, jails, removed);
        }
        if let Some(network) = &network {
            known.add_interfaces(network);
            problems.extend(network.problems.clone());
            if let Some(census) = &census {
                known.add_sockets(census, network, jails, &mut problems);
                problems.extend(census.problems.clone());
            }
        }
        let all_jails = jails.map(Jails::all).unwrap_or_default().iter().chain(removed);
        let owners = owners::owners(vnets, known_vnets.as_ref(), all_jails);
        let names = VariableNames::new(target, variables);
        let vnet_type = target.types().ok().and_then(|types| types.find("struct vnet").ok());
        let mut whatis = Self {
            target,
            vnets,
            owners,
            by_address: vnets.iter().map(|vnet| vnet.address).zip(0..).collect(),
            vnet_type,
            set: target.kernel().set_vnet(),
            pristine: vnet::pristine(target),
            space,
            variables: names,
            symbols: SymbolNames::new(target),
            known,
            frames: Frames::default(),
            dpcpu: DpcpuNames::new(target, sources.dpcpu, sources.cpus),
            counters: CounterNames::read(target, counters, vnets, variables, &mut problems),
            heap: Heap::default(),
            things: Intervals::default(),
            problems,
        };
        let mut all = whatis.intervals();
        whatis.things = Intervals::new(all.clone());
        let mut problems = Problems::default();
        whatis.heap = whatis.walk(deep, &mut problems);
        whatis.problems.extend(problems);
        let known = all.len();
        all.extend(
            whatis
                .heap
                .found()
                .map(|found| interval(found.address, found.size, Thing::Heap(found.number))),
        );
        if all.len() > known {
            whatis.things = Intervals::new(all);
        }
        whatis
    }

    /// What an address is.
    #[must_use]
    pub fn describe(&self, address: VirtAddr) -> Described {
        let freed = place::fill(self.target, address);
        let meaning = match self.meaning(address) {
            Meaning::Unknown if freed.is_some() => Meaning::Freed,
            meaning => meaning,
        };
        Described { address, meaning, freed, mapping: place::mapping(self.target, address) }
    }

    fn meaning(&self, address: VirtAddr) -> Meaning {
        let thing = self.things.at(address);
        let in_set = thing.and_then(|thing| match thing {
            Thing::Dpcpu(number) => self.dpcpu.at(self.target, number, address),
            thing => self.in_set(thing, address),
        });
        if let Some(meaning) = in_set {
            return meaning;
        }
        let image = self.symbols.at(address);
        if let Some(symbol @ Meaning::Symbol(_)) = image {
            return symbol;
        }
        let found = thing.and_then(|thing| self.thing(thing, address)).or(image);
        found.or_else(|| self.counter(address)).unwrap_or(Meaning::Unknown)
    }

    /// A place in a copy of the set.
    fn in_set(&self, thing: Thing, address: VirtAddr) -> Option<Meaning> {
        let (copy, master) = match thing {
            Thing::Master => (SetCopy::Master, address),
            Thing::Pristine => {
                let offset = address.offset_from(self.pristine?)?;
                (SetCopy::Pristine, self.set.as_ref()?.start.wrapping_add(offset))
            }
            Thing::Block(vnet) => {
                let offset = address.offset_from(self.vnets.get(vnet)?.data_mem)?;
                let copy = SetCopy::Vnet(self.owners.get(vnet)?.clone());
                (copy, self.set.as_ref()?.start.wrapping_add(offset))
            }
            _ => return None,
        };
        if let Some(variable) = self.variables.at(master) {
            return Some(match copy {
                SetCopy::Vnet(vnet) => Meaning::VnetVariable { vnet, variable },
                SetCopy::Master => Meaning::Master(variable),
                SetCopy::Pristine => Meaning::Pristine(variable),
            });
        }
        if let Some(space) = self.space.as_ref().filter(|space| space.arena.contains(&master)) {
            let place = space.regions.partition_point(|region| region.range.end <= master);
            let holder = space.regions.get(place).map(|region| &region.holder);
            let holder = holder.map_or("of unknown use".into(), holder_name);
            let offset = master.offset_from(space.arena.start)?;
            return Some(Meaning::Modspace { copy, holder, offset });
        }
        let offset = master.offset_from(self.set.as_ref()?.start)?;
        let after = self.variables.before(master).map(|variable| variable.name.clone());
        Some(Meaning::VnetBlock { copy, offset, after })
    }

    /// A place in something else that has a name.
    fn thing(&self, thing: Thing, address: VirtAddr) -> Option<Meaning> {
        let target = self.target;
        Some(match thing {
            Thing::Master | Thing::Pristine | Thing::Block(_) | Thing::Dpcpu(_) => return None,
            Thing::Vnet(number) => {
                let start = self.vnets.get(number)?.address;
                let part = object_part(target, "struct vnet", self.vnet_type, start, address);
                Meaning::Vnet { vnet: self.owners.get(number)?.clone(), part }
            }
            Thing::Stack(number) => {
                let stack = self.known.stacks.get(number)?;
                Meaning::Stack(self.frames.part(stack, self.symbols.code(), address))
            }
            Thing::Object(number) => {
                let object = self.known.objects.get(number)?;
                let (start, name) = (object.start, object.name.clone());
                let part = self.part(object.type_id, start, address);
                let vnet = object.vnet.and_then(|vnet| self.owner(vnet));
                Meaning::Object { name, vnet, part }
            }
            Thing::Heap(number) => {
                let (start, type_id) = self.heap.object(number)?;
                let (vnet, via) = self.heap.via(number, &self.variables)?;
                let part = self.part(type_id, start, address);
                Meaning::Heap { vnet: self.owners.get(vnet)?.clone(), via: via.into(), part }
            }
        })
    }

    fn part(&self, type_id: TypeId, start: VirtAddr, address: VirtAddr) -> ObjectPart {
        let name = self.target.types().map(|types| types.name(type_id)).unwrap_or_default();
        object_part(self.target, &name, Some(type_id), start, address)
    }

    fn counter(&self, address: VirtAddr) -> Option<Meaning> {
        let slot = self.counters.at(address)?;
        let vnet = self.owners.get(slot.vnet)?.clone();
        let (variable, counter) = (slot.variable.into(), slot.counter.into());
        Some(Meaning::Counter { vnet, variable, counter, cpu: slot.cpu })
    }

    fn owner(&self, vnet: VirtAddr) -> Option<Owner> {
        self.owners.get(*self.by_address.get(&vnet)?).cloned()
    }

    /// All but the objects on the heap.
    fn intervals(&self) -> Vec<Interval<Thing>> {
        let target = self.target;
        let types = target.types().ok();
        let mut all = Vec::new();
        let len = self.set.as_ref().and_then(|set| set.end.offset_from(set.start)).unwrap_or(0);
        if let Some(set) = &self.set {
            all.push(interval(set.start, len, Thing::Master));
        }
        all.extend(self.pristine.map(|start| interval(start, len, Thing::Pristine)));
        let block = len.checked_next_multiple_of(target.memory().page_size()).unwrap_or(len);
        let vnet_size = self.vnet_type.zip(types).and_then(|(id, types)| types.size_of(id).ok());
        for (number, vnet) in self.vnets.iter().enumerate() {
            all.push(interval(vnet.address, vnet_size.unwrap_or(1), Thing::Vnet(number)));
            let copy = self.set.as_ref().and_then(|set| vnet.copy_of(target, set.start).ok());
            all.extend(copy.map(|start| interval(start, block, Thing::Block(number))));
        }
        for (number, start, size) in self.dpcpu.copies() {
            all.push(interval(start, size, Thing::Dpcpu(number)));
        }
        for (number, stack) in self.known.stacks.iter().enumerate() {
            all.push(interval(stack.start, stack.size, Thing::Stack(number)));
        }
        for (number, object) in self.known.objects.iter().enumerate() {
            let size = types.and_then(|types| types.size_of(object.type_id).ok());
            all.push(interval(object.start, size.unwrap_or(1), Thing::Object(number)));
        }
        all
    }

    fn walk(&self, deep: usize, problems: &mut Problems) -> Heap {
        let is_taken = |address| match self.things.at(address) {
            Some(Thing::Object(number)) => {
                !self.known.objects.get(number).is_some_and(|object| object.is_of_stack)
            }
            Some(_) => true,
            None => self.symbols.holds(address),
        };
        let start = heap::Start {
            target: self.target,
            vnets: self.vnets,
            variables: &self.variables,
            is_taken: &is_taken,
        };
        Heap::walk(&start, deep, problems)
    }
}

impl fmt::Debug for Whatis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whatis").finish_non_exhaustive()
    }
}

fn holder_name(holder: &Holder) -> Box<str> {
    match holder {
        Holder::Free => "free".into(),
        Holder::Module(name) => name.clone(),
        Holder::Nobody => "lost (neither free nor a module's)".into(),
        Holder::Unknown => "of unknown use".into(),
        Holder::NotYet => "not given out yet".into(),
    }
}

fn interval(start: VirtAddr, size: u64, what: Thing) -> Interval<Thing> {
    Interval { start, size, rank: what.rank(), what }
}
