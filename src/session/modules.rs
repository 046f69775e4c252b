//! What was loaded into the kernel, and the files that tell the types of it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::Session;
use crate::error::Error;
use crate::modules::{Candidates, FileSet, Module, Modules, debug};
use crate::source::locate::{self, ModuleSearch};
use crate::target::{KernelMatch, Target};
use crate::types::{Format, ModuleTypes};
use crate::vnet::unloaded::Unloaded;

/// The running kernel with its modules.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The kernel with the symbols and types of its modules.
    pub(super) target: Target,
    /// The kernel's file and those of its modules; none where the kernel is alone, as in most
    /// dumps, where nothing is spent on them.
    pub(super) modules: Arc<Modules>,
    /// The kernel's file where it is alone.
    kernel_file: OnceLock<Modules>,
}

impl Loaded {
    /// Reads which modules were loaded into the kernel of `alone`, and looks for their types in
    /// `debug_dirs` and the usual places, in the `wanted` format if there is one. Nothing is believed that another kernel's memory
    /// says.
    pub(super) fn read(alone: &Target, debug_dirs: &[PathBuf], wanted: Option<Format>) -> Self {
        let other = matches!(alone.kernel_match(), KernelMatch::Different(_));
        if other || !Modules::any(alone) {
            let (modules, kernel_file) = (Arc::default(), OnceLock::new());
            return Self { target: alone.clone(), modules, kernel_file };
        }
        let mut modules = Modules::read(alone);
        let (kernel, dirs) = (alone.clone(), debug_dirs.to_vec());
        let candidates: Candidates = Arc::new(move |module| files_of(module, &kernel, &dirs));
        let types = alone.types().ok().map(|kernel| {
            let mut types = ModuleTypes::of(kernel);
            // Only their variables in linker sets are asked for.
            for module in modules.files.iter_mut().filter(|module| !module.sets.is_empty()) {
                let candidates = candidates(module);
                debug::find_types(module, &mut types, alone.memory(), &candidates, wanted);
            }
            types
        });
        let modules = Arc::new(modules);
        let target = alone.with_modules(modules.symbols_with_code(alone, &candidates), types);
        Self { target, modules, kernel_file: OnceLock::new() }
    }

    /// The files that make up the running kernel, its own among them.
    fn files(&self) -> &Modules {
        match self.modules.files.is_empty() && self.modules.problems.is_empty() {
            true => self.kernel_file.get_or_init(|| Modules::read(&self.target)),
            false => &self.modules,
        }
    }
}

/// The files that may be a module's.
fn files_of(module: &Module, alone: &Target, debug_dirs: &[PathBuf]) -> Vec<PathBuf> {
    locate::modules(&ModuleSearch {
        name: &module.name,
        path: &module.path,
        kernel: alone.kernel().linked().main().source().path(),
        dirs: debug_dirs,
    })
}

impl Session {
    /// The files that make up the running kernel: itself and its modules, each with
    /// what was found of its types.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn modules(&self) -> Result<&Modules, Error> {
        self.require_match()?;
        Ok(self.loaded().files())
    }

    /// The initial values of a module's variables, from its file.
    pub(super) fn file_set(&self, module: &Module) -> Option<FileSet> {
        let candidates = files_of(module, &self.alone, &self.debug_dirs);
        debug::initial_set(module, self.alone.memory(), &candidates)
    }

    /// What tells pointers to what unloaded modules had.
    pub fn unloaded(&self) -> Unloaded {
        let vnets = self.list().map(|list| &list.vnets[..]).unwrap_or_default();
        let target = self.target();
        let sound = vnets.iter().filter(|vnet| vnet.wrong_base(target).is_none());
        let bases = sound.map(|vnet| vnet.data_base).collect();
        Unloaded::of(target, &self.loaded().modules, bases)
    }

    /// Everything that answers are read from. It is read at the first question for it, out of
    /// what never changes, so that it is the same whatever the question is.
    pub(super) fn loaded(&self) -> &Loaded {
        self.loaded.get_or_init(|| Loaded::read(&self.alone, &self.debug_dirs, self.wanted_types))
    }
}
