//! `modspace`: the arena of modules' variables in a linker set as a map.

use std::io;

use serde::Serialize;

use super::{Answer, Cell, Column, Elements, Medium, Page, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::kernel::LinkerSet;
use crate::session::Session;
use crate::vnet::modspace::{Accounts, FreeEntry, Holder, ModuleSpace, SpaceFault};
use crate::walk::Problems;

/// Module space and its use.
#[derive(Debug, Serialize)]
pub struct ModuleSpaceMap {
    /// The arena and everything in it.
    pub modspace: Arena,
    #[serde(skip)]
    accounts: Accounts,
    #[serde(skip)]
    problems: Problems,
    #[serde(skip)]
    remarks: Vec<Remark>,
}

/// The arena. The free bytes are unknown if a list is incomplete or not created yet.
#[derive(Debug, Serialize)]
pub struct Arena {
    /// The first byte: the address of `vnet_entry_modspace` or `pcpu_entry_modspace`.
    pub address: VirtAddr,
    /// Bytes, like all sizes below.
    pub size: u64,
    /// Held by loaded modules.
    pub used: u64,
    /// On the kernel's free list; `None` if that is unknown.
    pub free: Option<u64>,
    /// On neither the free list nor any module's; `None` if that is unknown.
    pub lost: Option<u64>,
    /// The largest set that a module could still get; `None` if that is unknown.
    pub largest_free: Option<u64>,
    /// The share of the free bytes that is not in the largest free run, from 0 to 1; `None` if
    /// unknown.
    pub fragmentation: Option<f64>,
    /// All of the arena, in order, without gaps.
    pub regions: Elements<'static, Region>,
    /// The kernel's own free list.
    pub free_list: Vec<Free>,
    /// What contradicts the kernel's own rules for the arena.
    pub faults: Vec<Fault>,
}

/// A stretch of module space.
#[derive(Debug, Clone, Serialize)]
pub struct Region {
    /// The first byte.
    pub address: VirtAddr,
    /// Bytes.
    pub size: u64,
    /// `module`, `free`, `lost`, `unknown` or `not-yet`.
    pub kind: &'static str,
    /// The module's file name; `None` unless `kind` is `module`.
    pub module: Option<Box<str>>,
    /// The variables in it, in the order of their addresses.
    pub variables: Vec<Box<str>>,
}

/// An entry of the kernel's free list.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Free {
    /// The address of its `struct vnet_data_free` or `struct dpcpu_free`.
    pub entry: VirtAddr,
    /// The first free byte.
    pub address: VirtAddr,
    /// An int: a damaged one may be negative.
    pub size: i64,
}

/// A contradiction in what is known about module space.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// `overlap`, `unsorted`, `unmerged`, `out-of-bounds` or `lost`.
    pub kind: &'static str,
    /// Where in the arena it shows.
    pub address: VirtAddr,
    /// What is wrong, in a sentence.
    pub message: Box<str>,
}

/// The use of the arena of a linker set.
///
/// # Errors
/// The kernel is not the dump's, or has no such set or no debug information.
pub fn modspace(session: &Session, set: LinkerSet) -> Result<ModuleSpaceMap, Error> {
    let space = ModuleSpace::read(session.matching_target()?, session.modules()?, set)?;
    let regions = regions(session, &space)?;
    let damage = session
        .modules()?
        .modules()
        .flat_map(|module| module.problems.iter().map(|why| format!("{}: {why}", module.name)));
    let faults = space.faults.iter().map(|fault| fault.message.to_string());
    Ok(ModuleSpaceMap {
        remarks: damage.chain(faults).map(Remark::Warning).collect(),
        accounts: space.accounts,
        problems: space.problems.clone(),
        modspace: Arena {
            address: space.arena.start,
            size: space.size(),
            used: space.used(),
            free: space.free(),
            lost: space.lost(),
            largest_free: space.largest_free(),
            fragmentation: space.fragmentation(),
            regions: regions.into(),
            free_list: space.free_list.iter().map(Free::from).collect(),
            faults: space.faults.into_iter().map(Fault::from).collect(),
        },
    })
}

/// The regions, each with the names of the variables in it.
fn regions(session: &Session, space: &ModuleSpace) -> Result<Vec<Region>, Error> {
    let mut all = session.matches_in(space.set, &[])?.variables;
    all.sort_by_key(|variable| variable.master);
    let regions = space.regions.iter().map(|region| {
        let (kind, module) = match &region.holder {
            Holder::Module(name) => ("module", Some(name.clone())),
            Holder::Free => ("free", None),
            Holder::Nobody => ("lost", None),
            Holder::Unknown => ("unknown", None),
            Holder::NotYet => ("not-yet", None),
        };
        let inside = all.iter().filter(|variable| {
            Some(&variable.module) == module.as_ref() && region.range.contains(&variable.master)
        });
        let variables = inside.map(|variable| variable.name.clone()).collect();
        Region { address: region.range.start, size: region.len(), kind, module, variables }
    });
    Ok(regions.collect())
}

impl From<&FreeEntry> for Free {
    fn from(entry: &FreeEntry) -> Self {
        Self { entry: entry.at, address: entry.start, size: entry.len }
    }
}

impl From<SpaceFault> for Fault {
    fn from(fault: SpaceFault) -> Self {
        Self { kind: fault.kind.name(), address: fault.address, message: fault.message }
    }
}

impl Answer for ModuleSpaceMap {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let columns = [
            Column::left("ADDRESS"),
            Column::right("SIZE"),
            Column::left("HOLDER"),
            Column::left("VARIABLES"),
        ];
        page.table(&columns, &self.modspace.regions)?;
        page.line("")?;
        page.line(&self.summary())
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }
}

impl Row for Region {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let holder = match (&self.module, self.kind) {
            (Some(module), _) => (&**module).into(),
            (None, "not-yet") => "(not yet)".into(),
            (None, kind) => format!("({kind})").into(),
        };
        let variables = Some(self.variables.join(" ")).filter(|names| !names.is_empty());
        vec![vec![self.address.into(), self.size.into(), holder, variables.into()]]
    }
}

impl ModuleSpaceMap {
    /// How much is used, free and lost, in a line.
    fn summary(&self) -> String {
        let Arena { size, used, free, lost, largest_free, fragmentation, .. } = &self.modspace;
        let used = format!("{size} bytes: {used} used");
        match free.zip(*lost).zip(largest_free.zip(*fragmentation)) {
            Some(((free, lost), (largest, fragmentation))) => {
                let lost = if lost == 0 { String::new() } else { format!(", {lost} lost") };
                let fragmentation = fragmentation * 100.0;
                format!(
                    "{used}, {free} free{lost}; largest free run {largest}, \
                     fragmentation {fragmentation:.0}%"
                )
            }
            None if self.accounts == Accounts::NotYet => {
                format!("{used}; the kernel has not created its free list yet")
            }
            None => format!(
                "{used}; how much is free is unknown, because a list is incomplete (see the warnings)"
            ),
        }
    }
}
