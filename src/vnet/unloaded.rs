//! What unloaded modules have left behind: pointers to their functions and to
//! their part of module space, in lists that they should have been removed from.
//!
//! How: a function of the kernel lies in its image, one of a module in that module's
//! memory; module space on the kernel's free list belongs to no module.
//!
//! What it refuses to do: if the list of modules, or that of free module space, is
//! incomplete, it calls nothing unloaded.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::kernel::LinkerSet;
use crate::modules::Modules;
use crate::target::Target;
use crate::value::model::{ErrorKind, ValueError};
use crate::vnet::modspace::{Accounts, Holder, ModuleSpace};

/// Tells pointers into unloaded modules from others.
#[derive(Debug, Clone, Default)]
pub struct Unloaded {
    /// The memory of the kernel and its modules; `None` if that is unknown.
    loaded: Option<Vec<Range<VirtAddr>>>,
    /// The part of the kernel's memory that functions and what leads to them are not in.
    data: Vec<Range<VirtAddr>>,
    /// -1 as a pointer.
    highest: VirtAddr,
    /// Module space that belongs to no module.
    free: Vec<Range<VirtAddr>>,
    /// The distance of each vnet's copies from the masters.
    bases: Vec<VirtAddr>,
}

impl Unloaded {
    /// `bases` are the `vnet_data_base` of the vnets whose copies are looked at as well.
    #[must_use]
    pub fn of(target: &Target, modules: &Modules, bases: Vec<VirtAddr>) -> Self {
        let space = ModuleSpace::read(target, modules, LinkerSet::Vnet).ok();
        let space = space.filter(|space| space.accounts == Accounts::Whole);
        let regions = space.map(|space| space.regions).unwrap_or_default();
        let free = regions.into_iter().filter(|region| region.holder == Holder::Free);
        let free = free.map(|region| region.range).collect();
        let highest = VirtAddr::new(target.arch().wrap(u64::MAX));
        Self { loaded: loaded(target, modules), data: data(target), highest, free, bases }
    }

    /// Checks the argument of an entry.
    ///
    /// # Errors
    /// It points into free module space.
    pub fn argument(&self, address: VirtAddr) -> Result<VirtAddr, ValueError> {
        let lies_free = |at: VirtAddr| self.free.iter().any(|range| range.contains(&at));
        let masters = self.bases.iter().map(|base| address.wrapping_add(base.get().wrapping_neg()));
        let gone = lies_free(address) || masters.into_iter().any(lies_free);
        if gone {
            Err(stale(address, "its argument lies in free module space"))
        } else {
            Ok(address)
        }
    }

    /// Checks the function of an entry.
    ///
    /// # Errors
    /// It lies in no loaded module.
    pub fn function(&self, address: VirtAddr) -> Result<VirtAddr, ValueError> {
        let Some(loaded) = self.loaded.as_ref().filter(|_| !address.is_null()) else {
            return Ok(address);
        };
        match loaded.iter().any(|range| range.contains(&address)) {
            true => Ok(address),
            false => Err(stale(address, "its function lies in no loaded module")),
        }
    }

    /// Whether a pointer to a function leads to no code. NULL, 1 and -1 lead nowhere on purpose.
    #[must_use]
    pub fn leads_nowhere(&self, address: VirtAddr) -> bool {
        let in_data = || self.data.iter().any(|range| range.contains(&address));
        let is_none = [0, 1, self.highest.get()].contains(&address.get());
        !is_none && (self.function(address).is_err() || in_data())
    }
}

fn stale(address: VirtAddr, why: &str) -> ValueError {
    ValueError {
        kind: ErrorKind::Stale,
        address: Some(address),
        message: format!("{why}: {address}").into(),
    }
}

/// The memory of the kernel and its modules, if all of them are known.
fn loaded(target: &Target, modules: &Modules) -> Option<Vec<Range<VirtAddr>>> {
    let listed = target.address_of("linker_files").is_ok() && modules.problems.is_empty();
    let mut loaded = Vec::new();
    for segment in target.kernel().segments() {
        loaded.push(segment.virt..segment.virt.checked_add(segment.mem_size)?);
    }
    for module in modules.modules() {
        loaded.push(module.address..module.address.checked_add(module.size?)?);
    }
    (listed && !loaded.is_empty()).then_some(loaded)
}

/// The segments of the kernel without code. On 64-bit PowerPC with the older ABI, functions are
/// known by descriptors, which are data.
fn data(target: &Target) -> Vec<Range<VirtAddr>> {
    let kernel = target.kernel();
    if kernel.section_range(".opd").is_some() {
        return Vec::new();
    }
    let data = kernel.segments().filter(|segment| !segment.executable);
    data.filter_map(|it| Some(it.virt..it.virt.checked_add(it.mem_size)?)).collect()
}
