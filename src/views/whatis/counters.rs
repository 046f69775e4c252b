//! The slots of per-CPU counters, by address.

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::Counters;
use crate::views::counters::{CounterVariable, Teardown};
use crate::vnet::{Stack, Variables, Vnet};
use crate::walk::{Problem, Problems, Why};

/// What the counters of all vnets point to.
#[derive(Debug)]
pub struct CounterNames<'t> {
    target: &'t Target,
    counters: &'t Counters,
    variables: Vec<CounterVariable>,
    by_pointer: FxHashMap<VirtAddr, Place>,
}

/// The place of a counter.
#[derive(Debug, Clone, Copy)]
struct Place {
    vnet: usize,
    variable: usize,
    counter: usize,
}

/// A slot of a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot<'a> {
    /// Which of the vnets.
    pub vnet: usize,
    /// The variable.
    pub variable: &'a str,
    /// The counter in it; empty if the variable is the counter.
    pub counter: &'a str,
    /// The CPU's id.
    pub cpu: u64,
}

/// Bytes of a slot.
const SLOT: u64 = 8;

impl<'t> CounterNames<'t> {
    pub fn read(
        target: &'t Target,
        counters: &'t Counters,
        vnets: &[Vnet],
        variables: Option<&Variables>,
        problems: &mut Problems,
    ) -> Self {
        let all = variables.map(Variables::all).unwrap_or_default().iter();
        let with_counters =
            all.filter_map(|variable| CounterVariable::of(target, variable, None).ok()?);
        let variables = with_counters.collect();
        let mut names = Self { target, counters, variables, by_pointer: FxHashMap::default() };
        let live = vnets.iter().enumerate().filter(|(_, vnet)| !vnet.is_freed());
        for (number, vnet) in live {
            if let Err(why) = names.add(number, vnet) {
                problems.add(Problem { what: "the counters of vnets".into(), at: None, why });
                break;
            }
        }
        names
    }

    fn add(&mut self, number: usize, vnet: &Vnet) -> Result<(), Why> {
        let word = self.target.arch().pointer_size() as usize;
        let endian = self.target.arch().endian();
        let mut bytes = Vec::new();
        let teardown = Teardown::of(self.target, vnet);
        for (place, has) in self.variables.iter().enumerate() {
            let Ok(copy) = Stack::Vnet(vnet).copy_of(self.target, has.variable.master) else {
                continue;
            };
            // The memory of freed counters may belong to others.
            let name = Some(&*has.variable.name);
            if teardown.as_ref().is_some_and(|past| past.why(self.target, name).is_some()) {
                continue;
            }
            self.target.budget().work(1 + has.places.len() as u64 / SLOT)?;
            // One read for all counters of a variable.
            let last = has.places.iter().map(|counter| counter.offset).max().unwrap_or(0);
            let len = last.saturating_add(word as u64).min(has.variable.size.max(word as u64));
            bytes.resize(usize::try_from(len).unwrap_or(0).min(LARGEST), 0);
            let (read, _) = self.target.memory().read_prefix(copy, &mut bytes);
            let held = bytes.get(..read).unwrap_or_default();
            for (counter, at) in has.places.iter().enumerate() {
                let start = usize::try_from(at.offset).unwrap_or(usize::MAX);
                let bytes = held.get(start..start.saturating_add(word));
                let Some(bytes) = bytes else { continue };
                let pointer = VirtAddr::new(endian.uint(bytes) as u64);
                if self.counters.is_allocated(pointer) {
                    self.target.budget().bytes(size_of::<(VirtAddr, Place)>() as u64)?;
                    let place = Place { vnet: number, variable: place, counter };
                    self.by_pointer.entry(pointer).or_insert(place);
                }
            }
        }
        Ok(())
    }

    /// The counter whose slot holds an address.
    pub fn at(&self, address: VirtAddr) -> Option<Slot<'_>> {
        if self.by_pointer.is_empty() {
            return None;
        }
        let slot = VirtAddr::new(address.get() & !(SLOT - 1));
        let mut holders = self.counters.holders(self.target.arch(), slot);
        let (cpu, place) =
            holders.find_map(|(cpu, pointer)| Some((cpu, self.by_pointer.get(&pointer)?)))?;
        let variable = self.variables.get(place.variable)?;
        let counter = &*variable.places.get(place.counter)?.name;
        let name = &*variable.variable.name;
        let counter = if counter == name { "" } else { counter };
        Some(Slot { vnet: place.vnet, variable: name, counter, cpu })
    }
}

/// No variable with counters is larger, in bytes.
const LARGEST: usize = 1 << 20;
