//! The copies that CPUs have of the DPCPU variables, by address.

use std::ops::Range;

use super::model::{Meaning, ObjectPart, PartPath, VariablePart};
use super::variables::VariableNames;
use crate::addr::VirtAddr;
use crate::kernel::LinkerSet;
use crate::target::Target;
use crate::views::cpus::Cpus;
use crate::vnet::Variables;

/// The master copy of `set_pcpu` and those of CPUs.
#[derive(Debug)]
pub struct DpcpuNames<'t> {
    variables: VariableNames<'t>,
    copies: Vec<Copy>,
}

/// A copy of the set.
#[derive(Debug)]
struct Copy {
    /// The CPU's id; `None` for the master copy.
    cpu: Option<u64>,
    range: Range<VirtAddr>,
}

impl<'t> DpcpuNames<'t> {
    pub fn new(target: &'t Target, variables: Option<&'t Variables>, cpus: Option<&Cpus>) -> Self {
        let set = target.kernel().linker_set(LinkerSet::Pcpu);
        let master = set.map(|range| Copy { cpu: None, range });
        let all = cpus.map(|cpus| &cpus.all[..]).unwrap_or_default().iter();
        let of_cpus =
            all.filter_map(|cpu| Some(Copy { cpu: Some(cpu.id), range: cpu.copy_of_set(target)? }));
        let copies = master.into_iter().chain(of_cpus).collect();
        Self { variables: VariableNames::new(target, variables), copies }
    }

    /// The number of each copy, where it begins and how many bytes it has.
    pub fn copies(&self) -> impl Iterator<Item = (usize, VirtAddr, u64)> {
        let size = |range: &Range<VirtAddr>| range.end.offset_from(range.start).unwrap_or(0);
        let copies = self.copies.iter().enumerate();
        copies.map(move |(number, copy)| (number, copy.range.start, size(&copy.range)))
    }

    /// What an address in the copy with that number is.
    pub fn at(&self, target: &Target, number: usize, address: VirtAddr) -> Option<Meaning> {
        let copy = self.copies.get(number)?;
        let offset = address.offset_from(copy.range.start)?;
        let set = target.kernel().linker_set(LinkerSet::Pcpu)?;
        let master = set.start.wrapping_add(offset);
        let found = self.variables.at(master).or_else(|| self.variables.arena_at(master));
        let Some(VariablePart { variable, qualifier, module, offset, part }) = found else {
            let part = ObjectPart {
                type_name: "".into(),
                start: copy.range.start,
                offset,
                part: PartPath::default(),
            };
            let (cpu, variable, qualifier, module) = (copy.cpu, None, None, None);
            return Some(Meaning::Dpcpu { cpu, variable, qualifier, module, part });
        };
        let start = VirtAddr::new(address.get().wrapping_sub(offset));
        let type_name = self.variables.type_at(set.start.wrapping_add(offset_in(copy, start)));
        let part = ObjectPart { type_name: type_name.unwrap_or_default(), start, offset, part };
        Some(Meaning::Dpcpu { cpu: copy.cpu, variable: Some(variable), qualifier, module, part })
    }
}

fn offset_in(copy: &Copy, at: VirtAddr) -> u64 {
    at.get().wrapping_sub(copy.range.start.get())
}
