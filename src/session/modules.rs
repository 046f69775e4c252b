//! What was loaded into the kernel, and the files that tell the types of it.

use super::Session;
use crate::error::Error;
use crate::modules::{Modules, debug};
use crate::source::locate::{self, ModuleSearch};
use crate::vnet::ModuleSpace;
use crate::vnet::unloaded::Unloaded;

impl Session {
    /// The files that make up the running kernel: itself and its modules, each with
    /// what was found of its types.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn modules(&self) -> Result<&Modules, Error> {
        self.require_match()?;
        Ok(self.read_modules())
    }

    /// Module space: which module holds what of it, and what is free.
    ///
    /// # Errors
    /// The kernel is not the dump's, has no VIMAGE or no debug information.
    pub fn module_space(&self) -> Result<ModuleSpace, Error> {
        self.require_match()?;
        Ok(ModuleSpace::read(&self.target, self.read_modules())?)
    }

    /// What tells pointers to what unloaded modules had.
    pub(super) fn unloaded(&self) -> Unloaded {
        let vnets = self.list().map(|list| &list.vnets[..]).unwrap_or_default();
        let bases = vnets.iter().map(|vnet| vnet.data_base).collect();
        let none = Modules::default();
        let modules = if Modules::any(&self.target) { self.read_modules() } else { &none };
        Unloaded::of(&self.target, modules, bases)
    }

    /// Makes the symbols of modules known, if there are any modules.
    pub(super) fn know_modules(&self) {
        if Modules::any(&self.target) {
            self.read_modules();
        }
    }

    pub(super) fn read_modules(&self) -> &Modules {
        self.modules.get_or_init(|| {
            let mut modules = Modules::read(&self.target);
            self.target.set_modules(modules.symbols());
            let Ok(types) = self.target.types() else { return modules };
            // Only their virtualized variables are asked for.
            for module in modules.files.iter_mut().filter(|module| module.set.is_some()) {
                let candidates = locate::modules(&ModuleSearch {
                    name: &module.name,
                    path: &module.path,
                    kernel: self.kernel().main().source().path(),
                    dirs: &self.debug_dirs,
                });
                debug::find_types(module, types, self.memory(), &candidates);
            }
            modules
        })
    }
}
