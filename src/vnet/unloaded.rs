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
use crate::modules::Modules;
use crate::target::Target;
use crate::value::model::{ErrorKind, ValueError};
use crate::vnet::modspace::{Accounts, Holder, ModuleSpace};

/// Tells pointers into unloaded modules from others.
#[derive(Debug, Clone, Default)]
pub struct Unloaded {
    /// Where code can be; `None` if that is unknown.
    code: Option<Vec<Range<VirtAddr>>>,
    /// Module space that belongs to no module.
    free: Vec<Range<VirtAddr>>,
    /// The distance of each vnet's copies from the masters.
    bases: Vec<VirtAddr>,
}

impl Unloaded {
    /// `bases` are the `vnet_data_base` of the vnets whose copies are looked at as well.
    #[must_use]
    pub fn of(target: &Target, modules: &Modules, bases: Vec<VirtAddr>) -> Self {
        let space = ModuleSpace::read(target, modules).ok();
        let space = space.filter(|space| space.accounts == Accounts::Whole);
        let regions = space.map(|space| space.regions).unwrap_or_default();
        let free = regions.into_iter().filter(|region| region.holder == Holder::Free);
        Self { code: code(target, modules), free: free.map(|region| region.range).collect(), bases }
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
        let Some(code) = self.code.as_ref().filter(|_| !address.is_null()) else {
            return Ok(address);
        };
        match code.iter().any(|range| range.contains(&address)) {
            true => Ok(address),
            false => Err(stale(address, "its function lies in no loaded module")),
        }
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
fn code(target: &Target, modules: &Modules) -> Option<Vec<Range<VirtAddr>>> {
    let listed = target.address_of("linker_files").is_ok() && modules.problems.is_empty();
    let mut code = Vec::new();
    for segment in target.kernel().segments() {
        code.push(segment.virt..segment.virt.checked_add(segment.mem_size)?);
    }
    for module in modules.modules() {
        code.push(module.address..module.address.checked_add(module.size?)?);
    }
    (listed && !code.is_empty()).then_some(code)
}
