//! The modules that were loaded into the kernel, as the kernel's own linker
//! knows them (`sys/kern/kern_linker.c`, `link_elf.c`, `link_elf_obj.c`).
//!
//! What: for every file of the list `linker_files` its name, place and class, the
//! part of module space that its virtualized variables have, and its symbols,
//! static ones included: all from the dump alone.
//!
//! How: a linker file is the start of a larger `struct elf_file`, of which a
//! kernel has two that share that name. The class of the file (`ops->cls`) is a
//! variable of the unit that defines the right one, and so leads to it. Types
//! come from the module's debug file, if it is found (`debug.rs`).
//!
//! What it refuses to do: it walks nothing where only the kernel itself is
//! loaded, and believes no count or size of a table without a limit.

mod build;
pub(crate) mod debug;
mod linker_file;
mod loaded;
mod module;

use std::sync::Arc;

use crate::target::{ModuleSymbols, Target};
use crate::walk::Problems;

pub use module::Module;

/// All files that make up the running kernel, in the order in which they were loaded.
#[derive(Debug, Default)]
pub struct Modules {
    /// The kernel's own file and its modules, in load order.
    pub files: Vec<Module>,
    /// Why others may be missing.
    pub problems: Problems,
}

impl Modules {
    /// Reads the list. A kernel without `linker_files` has no modules.
    pub fn read(target: &Target) -> Self {
        let list = linker_file::walk(target);
        let files = list.files.into_iter().map(|file| loaded::describe(target, file));
        Self { files: files.collect(), problems: list.problems }
    }

    /// Whether anything but the kernel itself is loaded. This costs at most four reads.
    pub fn any(target: &Target) -> bool {
        linker_file::more_than_the_kernel(target)
    }

    /// The modules, without the kernel itself.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.files.iter().filter(|file| !file.is_kernel)
    }

    /// The symbols of the modules, for [`Target`].
    pub fn symbols(&self) -> Vec<ModuleSymbols> {
        let sized = self.modules().filter_map(|module| {
            let memory = module.address..module.address.checked_add(module.size?)?;
            let (symbols, set) = (Arc::clone(&module.symbols), module.set.clone());
            Some(ModuleSymbols { name: module.name.clone(), memory, set, symbols })
        });
        sized.collect()
    }
}
