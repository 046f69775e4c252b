//! The variables of a linker set by the places of their masters.

use super::intervals::{Interval, Intervals};
use super::model::VariablePart;
use super::parts::path_at;
use crate::addr::VirtAddr;
use crate::target::Target;
use crate::types::Types;
use crate::vnet::{SetVariable, Variables};

/// The variables of a linker set by address.
#[derive(Debug)]
pub struct VariableNames<'t> {
    types: Option<&'t Types>,
    all: &'t [SetVariable],
    held: Intervals<usize>,
    /// Where each ends, with its place in `all`.
    ends: Vec<(VirtAddr, usize)>,
}

impl<'t> VariableNames<'t> {
    pub fn new(target: &'t Target, variables: Option<&'t Variables>) -> Self {
        let all = variables.map(Variables::all).unwrap_or_default();
        // All of the arena is one variable to the kernel.
        let real = all.iter().enumerate().filter(|(_, variable)| !variable.is_module_space());
        let interval = |(what, variable): (usize, &SetVariable)| Interval {
            start: variable.master,
            size: variable.size,
            rank: 0,
            what,
        };
        let end = |(what, variable): (usize, &SetVariable)| {
            (variable.master.wrapping_add(variable.size), what)
        };
        let mut ends: Vec<_> = real.clone().map(end).collect();
        ends.sort_unstable();
        let held = Intervals::new(real.map(interval).collect());
        Self { types: target.types().ok(), all, held, ends }
    }

    /// The variable whose master holds an address, and the part of it there.
    pub fn at(&self, master: VirtAddr) -> Option<VariablePart> {
        self.part(self.held.at(master)?, master)
    }

    /// The same for the arena of modules' variables, where none of a module is.
    pub fn arena_at(&self, master: VirtAddr) -> Option<VariablePart> {
        self.part(self.arena(master)?, master)
    }

    fn arena(&self, master: VirtAddr) -> Option<usize> {
        let is_arena = |variable: &SetVariable| {
            let offset = master.offset_from(variable.master);
            variable.is_module_space() && offset.is_some_and(|offset| offset < variable.size)
        };
        self.all.iter().position(is_arena)
    }

    fn part(&self, place: usize, master: VirtAddr) -> Option<VariablePart> {
        let variable = self.all.get(place)?;
        let offset = master.offset_from(variable.master)?;
        let part = path_at(self.types, variable.type_id, offset);
        Some(VariablePart {
            variable: variable.name.clone(),
            qualifier: self.qualifier(place).map(Box::from),
            module: variable.of_module().map(Box::from),
            offset,
            part,
        })
    }

    /// The type of the variable whose master holds an address.
    pub fn type_at(&self, master: VirtAddr) -> Option<Box<str>> {
        let place = self.held.at(master).or_else(|| self.arena(master));
        let variable = self.all.get(place?)?;
        Some(self.types?.name(variable.type_id?).into())
    }

    /// All of them, sorted by name.
    pub fn all(&self) -> &'t [SetVariable] {
        self.all
    }

    /// The variable at a place in the list, as expressions name it: `V_ifnet`.
    pub fn name(&self, place: usize) -> Option<String> {
        let name = &self.all.get(place)?.name;
        Some(match self.qualifier(place) {
            Some(qualifier) => format!("V_{name}@{qualifier}"),
            None => format!("V_{name}"),
        })
    }

    /// What tells a variable from others of its name; `None` if there are none.
    fn qualifier(&self, place: usize) -> Option<&'t str> {
        let variable = self.all.get(place)?;
        let named = |at: usize| self.all.get(at).is_some_and(|other| other.name == variable.name);
        let shared = named(place + 1) || place.checked_sub(1).is_some_and(named);
        variable.qualifier().filter(|_| shared)
    }

    /// The last variable that ends at or before an address.
    pub fn before(&self, master: VirtAddr) -> Option<&'t SetVariable> {
        let after = self.ends.partition_point(|(end, _)| *end <= master);
        let (_, place) = self.ends.get(after.checked_sub(1)?)?;
        self.all.get(*place)
    }
}
