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

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::kernel::LinkerSet;
use crate::target::code::ModuleCode;
use crate::target::{ModuleSymbols, Target};
use crate::walk::{Problem, Problems};

pub use debug::FileSet;
pub use module::{Module, ModuleSet};

/// Returns the files that may be a module's.
pub type Candidates = Arc<dyn Fn(&Module) -> Vec<PathBuf> + Send + Sync>;

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

    /// Why variables of modules in a linker set may be missing: some modules are not known, or
    /// the sets of some.
    pub fn problems_of_set(&self, of: LinkerSet) -> Problems {
        let mut problems = self.problems.clone();
        for module in self.modules().filter(|module| module.set(of).is_none()) {
            for why in &module.problems {
                problems.add(Problem::new(module.name.clone(), why.clone()));
            }
        }
        problems
    }

    /// The symbols of the modules, for [`Target`].
    pub fn symbols(&self) -> Vec<ModuleSymbols> {
        self.sized().map(|(_, module, memory)| symbols(module, memory, None)).collect()
    }

    /// The same with what is known of their code, from the files that may be theirs.
    pub fn symbols_with_code(
        self: &Arc<Self>,
        alone: &Target,
        candidates: &Candidates,
    ) -> Vec<ModuleSymbols> {
        let with_code = |(number, module, memory): (usize, &Module, Range<VirtAddr>)| {
            let (all, alone, candidates) = (self.clone(), alone.clone(), candidates.clone());
            let code = ModuleCode::new(move || {
                let module = all.files.get(number)?;
                debug::find_code(module, &alone, &candidates(module))
            });
            symbols(module, memory, Some(code))
        };
        self.sized().map(with_code).collect()
    }

    /// The modules whose size is known, with their numbers.
    fn sized(&self) -> impl Iterator<Item = (usize, &Module, Range<VirtAddr>)> {
        let files = self.files.iter().enumerate().filter(|(_, file)| !file.is_kernel);
        files.filter_map(|(number, module)| {
            let memory = module.address..module.address.checked_add(module.size?)?;
            Some((number, module, memory))
        })
    }
}

fn symbols(module: &Module, memory: Range<VirtAddr>, code: Option<ModuleCode>) -> ModuleSymbols {
    let sets = module.sets.iter().map(|set| (set.of, set.range.clone())).collect();
    let (name, symbols) = (module.name.clone(), Arc::clone(&module.symbols));
    ModuleSymbols { name, memory, sets, symbols, code }
}
