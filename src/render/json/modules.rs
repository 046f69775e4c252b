//! Modules and module space as JSON.

use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::modules::Module;
use crate::vnet::modspace::{Holder, ModuleSpace, Region};

/// A module, or the kernel's own entry among them.
#[derive(Debug, Clone, Copy)]
pub struct JsonModule<'a>(pub &'a Module);

impl Serialize for JsonModule<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            id: Option<i64>,
            name: &'a str,
            path: &'a str,
            address: VirtAddr,
            size: Option<u64>,
            refs: Option<i64>,
            class: Option<&'a str>,
            set_vnet: Option<Set>,
            variables: usize,
            types_from: Option<&'a str>,
            refused: &'a [String],
            problems: &'a [Box<str>],
        }
        #[derive(Serialize)]
        struct Set {
            address: VirtAddr,
            size: u64,
        }
        let module = self.0;
        Fields {
            id: module.id,
            name: &module.name,
            path: &module.path,
            address: module.address,
            size: module.size,
            refs: module.refs,
            class: module.class.as_deref(),
            set_vnet: module
                .set
                .as_ref()
                .map(|set| Set { address: set.start, size: module.set_size() }),
            variables: module.vnet_symbols().count().max(module.typed.len()),
            types_from: module.types_from.as_deref(),
            refused: &module.refused,
            problems: &module.problems,
        }
        .serialize(serializer)
    }
}

/// Module space; with what each region holds, by the names of its variables.
#[derive(Debug, Clone, Copy)]
pub struct JsonModuleSpace<'a> {
    pub space: &'a ModuleSpace,
    /// The variables in each of its regions.
    pub variables: &'a [Vec<&'a str>],
}

impl Serialize for JsonModuleSpace<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            address: VirtAddr,
            size: u64,
            used: u64,
            // Null where a list is not whole, or not made yet.
            free: Option<u64>,
            lost: Option<u64>,
            largest_free: Option<u64>,
            fragmentation: Option<f64>,
            regions: Vec<JsonRegion<'a>>,
            free_list: Vec<Entry>,
            faults: Vec<Fault<'a>>,
        }
        #[derive(Serialize)]
        struct Entry {
            entry: VirtAddr,
            address: VirtAddr,
            size: i64,
        }
        #[derive(Serialize)]
        struct Fault<'a> {
            kind: &'a str,
            address: VirtAddr,
            message: &'a str,
        }
        let space = self.space;
        let regions = space.regions.iter().zip(self.variables);
        let entries = space.free_list.iter().map(|entry| Entry {
            entry: entry.at,
            address: entry.start,
            size: entry.len,
        });
        let faults = space.faults.iter().map(|fault| Fault {
            kind: fault.kind.name(),
            address: fault.address,
            message: &fault.message,
        });
        Fields {
            address: space.arena.start,
            size: space.size(),
            used: space.used(),
            free: space.free(),
            lost: space.lost(),
            largest_free: space.largest_free(),
            fragmentation: space.fragmentation(),
            regions: regions.map(|(region, names)| JsonRegion::new(region, names)).collect(),
            free_list: entries.collect(),
            faults: faults.collect(),
        }
        .serialize(serializer)
    }
}

/// A stretch of module space.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonRegion<'a> {
    address: VirtAddr,
    size: u64,
    /// `module`, `free`, `lost`, `unknown` or `not-yet`.
    kind: &'a str,
    module: Option<&'a str>,
    variables: &'a [&'a str],
}

impl<'a> JsonRegion<'a> {
    pub fn new(region: &'a Region, variables: &'a [&'a str]) -> Self {
        let (kind, module) = match &region.holder {
            Holder::Module(name) => ("module", Some(&**name)),
            Holder::Free => ("free", None),
            Holder::Nobody => ("lost", None),
            Holder::Unknown => ("unknown", None),
            Holder::NotYet => ("not-yet", None),
        };
        Self { address: region.range.start, size: region.len(), kind, module, variables }
    }
}
