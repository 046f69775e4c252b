//! The counters of a vnet: statistics arrays (VNET_PCPUSTAT), single
//! `counter_u64_t` variables, and those within structs, summed over the CPUs.
//!
//! How: the variable's type shows where counters are, [`names`] gives their
//! names, [`Counters`] adds up the slots. A sum that cannot be trusted is not shown: a
//! counter that is not allocated, or whose memory may have been freed
//! ([`Teardown`]), is an error in its place.

pub mod names;
mod teardown;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::types::{TypeError, TypeId};
use crate::value::Counters;
use crate::value::counter::{CpuSlot, stale};
use crate::value::model::{ErrorKind, ValueError};
use crate::vnet::{SetVariable, Stack};

pub use names::CounterPlace;
pub use teardown::Teardown;

/// A variable that has counters, and the name of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterVariable {
    /// Its name, size, type and the place of its master copy.
    pub variable: SetVariable,
    /// The struct that names the counters, `struct ipstat`; otherwise the variable's own type.
    pub type_name: Box<str>,
    /// Where each counter lies in it, and its name.
    pub places: Vec<CounterPlace>,
}

/// The counters of one variable in one vnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterSums {
    /// The variable's address in that vnet; `None` if the vnet has no copy.
    pub address: Option<VirtAddr>,
    /// In the order of the variable's [places](CounterVariable::places).
    pub members: Vec<MemberSum>,
}

/// One counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSum {
    /// The sum over all CPUs, modulo 2^64.
    pub value: Result<u64, ValueError>,
    /// Each CPU's share; empty if the counter itself is an error.
    pub cpus: Vec<CpuSlot>,
}

impl CounterVariable {
    /// The counters of `variable`, named by the struct `statistics` if one is given;
    /// `None` if it has none.
    ///
    /// # Errors
    /// The kernel has no debug information, or it is damaged.
    pub fn of(
        target: &Target,
        variable: &SetVariable,
        statistics: Option<TypeId>,
    ) -> Result<Option<Self>, TypeError> {
        let types = target.types()?;
        let Some(type_id) = variable.type_id else { return Ok(None) };
        let mut places = names::places(types, type_id, &variable.name)?;
        if places.is_empty() {
            return Ok(None);
        }
        let mut type_name = types.name(type_id);
        if names::is_counter_array(types, type_id)? {
            let count = places.len() as u64;
            let found = || names::statistics(types, &variable.name, count);
            if let Some(statistics) = statistics.or_else(found) {
                type_name = types.name(statistics);
                names::rename(&mut places, &names::slot_names(types, statistics, count)?);
            }
        }
        Ok(Some(Self { variable: variable.clone(), type_name: type_name.into(), places }))
    }

    /// The sums in a network stack.
    #[must_use]
    pub fn read(&self, target: &Target, counters: &Counters, stack: Stack<'_>) -> CounterSums {
        let address = match stack.copy_of(target, self.variable.master) {
            Ok(address) => address,
            Err(why) => return self.without_copy(why),
        };
        let teardown = stack.vnet().and_then(|vnet| Teardown::of(target, vnet));
        let stale = teardown.and_then(|past| past.why(target, Some(&self.variable.name)));
        let member = |place: &CounterPlace| {
            MemberSum::read(target, counters, address.wrapping_add(place.offset), stale.as_deref())
        };
        CounterSums { address: Some(address), members: self.places.iter().map(member).collect() }
    }

    fn without_copy(&self, why: &str) -> CounterSums {
        let error =
            ValueError { kind: ErrorKind::Stale, address: None, message: why.to_owned().into() };
        let member = |_: &CounterPlace| MemberSum { value: Err(error.clone()), cpus: Vec::new() };
        CounterSums { address: None, members: self.places.iter().map(member).collect() }
    }
}

impl MemberSum {
    /// The counter whose `counter_u64_t` lies at `place`; `freed` says why its
    /// memory may have been reused.
    pub fn read(
        target: &Target,
        counters: &Counters,
        place: VirtAddr,
        freed: Option<&str>,
    ) -> Self {
        let pointer = target.memory().pointer(place).map_err(ValueError::from);
        let found = pointer.and_then(|at| Ok((at, counters.slots(target, at)?)));
        let (pointer, cpus) = match found {
            Ok(found) => found,
            Err(why) => return Self { value: Err(why), cpus: Vec::new() },
        };
        let sum = cpus.iter().try_fold(0u64, |sum, slot| match &slot.value {
            Ok(value) => Ok(sum.wrapping_add(*value)),
            Err(why) => Err(why.clone()),
        });
        match (sum, freed) {
            (Ok(sum), Some(why)) => Self { value: Err(stale(pointer, sum, why)), cpus: Vec::new() },
            (value, _) => Self { value, cpus },
        }
    }
}
