//! Objects on the kernel's heap, found by following typed pointers from the variables of vnets,
//! breadth first.
//!
//! What: structs that pointers of a known type lead to. A pointer to void, to a
//! function or to a number is not followed, nor is one in a union, which may hold another member.
//! Links of queues and trees stay on the level of their list, so that a list is followed to its
//! end; every other pointer leads one level deeper.
//!
//! An object is visited once. Freed ones are kept, but nothing in them is followed. Each visit
//! spends from the budget.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::pointers::{Plan, PointerField};
use super::variables::VariableNames;
use crate::addr::VirtAddr;
use crate::fault::FaultKind;
use crate::target::Target;
use crate::types::{TypeId, Types};
use crate::value::freed;
use crate::vnet::{SetVariable, Vnet};
use crate::walk::{Problem, Problems, Why};

/// The objects that were found.
#[derive(Debug, Default)]
pub struct Heap {
    nodes: Vec<Node>,
    plans: Vec<Rc<Plan>>,
}

/// Where the walk begins, and what it must not enter.
pub struct Start<'a, 't> {
    pub target: &'t Target,
    pub vnets: &'t [Vnet],
    pub variables: &'a VariableNames<'t>,
    /// Whether something else than a heap object is known at an address.
    pub is_taken: &'a dyn Fn(VirtAddr) -> bool,
}

/// An object.
#[derive(Debug, Clone, Copy)]
struct Node {
    address: VirtAddr,
    plan: usize,
    from: From,
    /// The place of the pointer in the plan of `from`.
    pointer: usize,
    /// How many times it was followed, one object after the other.
    times: usize,
}

/// What has the pointer to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Variable { vnet: usize, variable: usize, plan: usize },
    Node(usize),
}

/// An object, for whoever indexes it.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub address: VirtAddr,
    pub size: u64,
    pub number: usize,
}

/// Larger objects are read as far as this, in bytes.
const MOST_READ: u64 = 64 << 10;

/// The bytes that an object takes in all lists.
const BYTES_A_NODE: u64 = 128;

/// Links that are written out one by one.
const WRITTEN_OUT: usize = 2;

impl Heap {
    /// Follows pointers `deep` levels down.
    pub fn walk(start: &Start<'_, '_>, deep: usize, problems: &mut Problems) -> Self {
        let mut heap = Self::default();
        let Ok(types) = start.target.types() else { return heap };
        if deep == 0 {
            return heap;
        }
        let mut walk = Walk {
            start,
            types,
            heap: &mut heap,
            by_type: FxHashMap::default(),
            seen: FxHashSet::default(),
        };
        if let Err(why) = walk.run(deep) {
            problems.add(Problem { what: "the objects on the heap".into(), at: None, why });
        }
        heap
    }

    /// All of them.
    pub fn found(&self) -> impl Iterator<Item = Found> {
        self.nodes.iter().enumerate().filter_map(|(number, node)| {
            let size = self.plans.get(node.plan)?.size;
            Some(Found { address: node.address, size, number })
        })
    }

    /// Where an object begins, and its type.
    pub fn object(&self, number: usize) -> Option<(VirtAddr, TypeId)> {
        let node = self.nodes.get(number)?;
        Some((node.address, self.plans.get(node.plan)?.type_id))
    }

    /// The vnet whose variable leads to an object, and the C expression for the pointer to it.
    pub fn via(&self, number: usize, variables: &VariableNames<'_>) -> Option<(usize, String)> {
        let mut steps = Vec::new();
        let mut node = self.nodes.get(number)?;
        loop {
            let pointer = &self.pointer(node)?.path;
            match node.from {
                From::Node(parent) => {
                    let member = pointer.strip_prefix('.').unwrap_or(pointer);
                    steps.push(match node.times {
                        times @ 0..=WRITTEN_OUT => format!("->{member}").repeat(times),
                        times => format!("->({member} × {times})"),
                    });
                    node = self.nodes.get(parent)?;
                }
                From::Variable { vnet, variable, .. } => {
                    steps.push(format!("{}{pointer}", variables.name(variable)?));
                    steps.reverse();
                    return Some((vnet, steps.concat()));
                }
            }
        }
    }

    /// The pointer that led to an object.
    fn pointer(&self, node: &Node) -> Option<&PointerField> {
        let plan = match node.from {
            From::Variable { plan, .. } => plan,
            From::Node(parent) => self.nodes.get(parent)?.plan,
        };
        self.plans.get(plan)?.pointers.get(node.pointer)
    }
}

struct Walk<'a, 't> {
    start: &'a Start<'a, 't>,
    types: &'t Types,
    heap: &'a mut Heap,
    /// The plans of types; `None` if one has none, such as a type that is only declared.
    by_type: FxHashMap<TypeId, Option<usize>>,
    /// Addresses and sizes: a struct may begin with another, and every file has types of its own.
    seen: FxHashSet<(VirtAddr, u64)>,
}

/// A part of memory whose pointers are followed.
#[derive(Clone, Copy)]
struct Source {
    address: VirtAddr,
    plan: usize,
    from: From,
}

impl<'t> Walk<'_, 't> {
    fn run(&mut self, deep: usize) -> Result<(), Why> {
        let mut level = self.variables()?;
        for left in (0..=deep).rev() {
            let mut next = Vec::new();
            let mut place = 0;
            while let Some(source) = level.get(place).copied() {
                self.follow(source, left > 0, &mut level, &mut next)?;
                place += 1;
            }
            level = next;
        }
        Ok(())
    }

    /// The copies of all vnets.
    fn variables(&mut self) -> Result<Vec<Source>, Why> {
        let mut sources = Vec::new();
        let live = self.start.vnets.iter().enumerate().filter(|(_, vnet)| !vnet.is_freed());
        for (vnet, known) in live {
            for (variable, one) in self.start.variables.all().iter().enumerate() {
                let SetVariable { type_id: Some(type_id), master, .. } = *one else { continue };
                let Ok(address) = known.copy_of(self.start.target, master) else { continue };
                self.start.target.budget().work(1)?;
                let Some(plan) = self.plan(type_id) else { continue };
                if !self.heap.plans.get(plan).is_none_or(|plan| plan.pointers.is_empty()) {
                    let from = From::Variable { vnet, variable, plan };
                    sources.push(Source { address, plan, from });
                }
            }
        }
        Ok(sources)
    }

    /// Adds what the pointers of a source lead to: by links to its own `level`, by others, if they
    /// are followed, to the `next` one.
    fn follow(
        &mut self,
        source: Source,
        others: bool,
        level: &mut Vec<Source>,
        next: &mut Vec<Source>,
    ) -> Result<(), Why> {
        let Some(plan) = self.heap.plans.get(source.plan).cloned() else { return Ok(()) };
        let is_node = matches!(source.from, From::Node(_));
        let bytes = self.read(source.address, plan.size)?;
        let (word, endian) =
            (self.start.target.arch().pointer_size() as usize, self.start.target.arch().endian());
        for (number, pointer) in plan.pointers.iter().enumerate() {
            let links = pointer.is_link && is_node;
            if !links && !others {
                continue;
            }
            let at = usize::try_from(pointer.offset).unwrap_or(usize::MAX);
            let Some(held) = bytes.get(at..at.saturating_add(word)) else { continue };
            let address = VirtAddr::new(endian.uint(held) as u64);
            if address.is_null() {
                continue;
            }
            let Some(found) = self.add(address, source.from, number, pointer)? else { continue };
            if links { level.push(found) } else { next.push(found) }
        }
        Ok(())
    }

    /// Adds the object that a pointer leads to, unless it is known or is none.
    fn add(
        &mut self,
        address: VirtAddr,
        from: From,
        number: usize,
        pointer: &PointerField,
    ) -> Result<Option<Source>, Why> {
        let target = self.start.target;
        target.budget().work(1)?;
        let Some(plan) = self.plan(pointer.target) else { return Ok(None) };
        let size = self.heap.plans.get(plan).map_or(0, |plan| plan.size);
        let place = (address, size);
        if size == 0 || self.seen.contains(&place) || (self.start.is_taken)(address) {
            return Ok(None);
        }
        match target.memory().u8(address) {
            Err(fault) if matches!(fault.kind, FaultKind::NotMapped | FaultKind::BadAddress) => {
                return Ok(None);
            }
            _ => {}
        }
        target.budget().bytes(BYTES_A_NODE)?;
        self.seen.insert(place);
        let (from, times) = self.joined(from, number, pointer);
        self.heap.nodes.push(Node { address, plan, from, pointer: number, times });
        let freed = freed::check(target.memory(), address, size).is_err();
        let from = From::Node(self.heap.nodes.len() - 1);
        Ok((!freed).then_some(Source { address, plan, from }))
    }

    /// What a chain of the same links begins at, and how many there are.
    fn joined(&self, from: From, number: usize, pointer: &PointerField) -> (From, usize) {
        let From::Node(parent) = from else { return (from, 1) };
        match self.heap.nodes.get(parent) {
            Some(before) if pointer.is_link && before.pointer == number => match before.from {
                // The same member of the same type.
                From::Node(first) if self.plan_of_node(first) == Some(before.plan) => {
                    (before.from, before.times + 1)
                }
                _ => (from, 1),
            },
            _ => (from, 1),
        }
    }

    fn plan_of_node(&self, number: usize) -> Option<usize> {
        self.heap.nodes.get(number).map(|node| node.plan)
    }

    fn plan(&mut self, id: TypeId) -> Option<usize> {
        if let Some(known) = self.by_type.get(&id) {
            return *known;
        }
        let resolved = self.types.resolve(id).map_or(id, |(resolved, _)| resolved);
        let known = self.by_type.get(&resolved).copied();
        let found = known.unwrap_or_else(|| {
            let plan = Plan::of(self.types, resolved).ok()?;
            self.heap.plans.push(Rc::new(plan));
            Some(self.heap.plans.len() - 1)
        });
        self.by_type.insert(id, found);
        self.by_type.insert(resolved, found);
        found
    }

    /// The bytes of an object, as far as they can be read.
    fn read(&self, address: VirtAddr, size: u64) -> Result<Vec<u8>, Why> {
        const BYTES_A_STEP: u64 = 512;
        let len = size.min(MOST_READ);
        self.start.target.budget().work(1 + len / BYTES_A_STEP)?;
        let mut bytes = vec![0; len as usize];
        let (read, _) = self.start.target.memory().read_prefix(address, &mut bytes);
        bytes.truncate(read);
        Ok(bytes)
    }
}
