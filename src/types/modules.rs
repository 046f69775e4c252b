//! The types of modules: further debug files beside the kernel's own.

use std::ops::Range;
use std::sync::{Arc, Mutex, RwLock};

use crate::arch::Arch;
use crate::budget::Budget;
use crate::kernel::ElfFile;
use crate::types::dwarf::{Dwarf, SectionAddress};
use crate::types::place::FileNumber;
use crate::types::{TypeError, Types};

/// The debug files of the modules of one kernel.
#[derive(Debug)]
pub struct ModuleTypes {
    arch: Arch,
    budget: Arc<Budget>,
    files: Vec<Arc<Types>>,
}

impl ModuleTypes {
    /// Those that `kernel` has already, to which more can be added. They spend from its
    /// budget.
    pub fn of(kernel: &Types) -> Self {
        let budget = Arc::clone(&kernel.budget);
        Self { arch: kernel.arch, budget, files: kernel.modules.clone() }
    }

    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Adds what the debug file of a module says. The types of its variables can
    /// be asked of the returned value alone; their ids, of the kernel's types
    /// [with these](Types::with_modules).
    ///
    /// `image` is where the variables lie that will be asked for, in the file's
    /// own addresses. A relocatable file has none of its own: there `placed` says
    /// where each section was loaded.
    ///
    /// # Errors
    /// The file has no debug information, a section does not unpack, or its
    /// relocations are of an unknown kind.
    pub fn add(
        &mut self,
        elf: &ElfFile,
        image: Range<u64>,
        placed: SectionAddress<'_>,
    ) -> Result<Arc<Types>, TypeError> {
        let dwarf = Dwarf::load(elf, placed)?;
        let file = FileNumber::of_module(self.files.len() + 1)
            .ok_or_else(|| TypeError::Unreadable { why: "there are too many modules".into() })?;
        let types = Types::new(elf.arch(), file, image, dwarf, Arc::clone(&self.budget));
        let types = Arc::new(types);
        self.files.push(Arc::clone(&types));
        Ok(types)
    }
}

impl Types {
    /// These types with `modules` in the place of those that they have. Ids stay what they
    /// are. What was parsed is parsed again: a type that the kernel only declares may be
    /// complete in a module.
    pub fn with_modules(&self, modules: ModuleTypes) -> Self {
        Self {
            arch: self.arch,
            file: self.file,
            image: self.image.clone(),
            code: self.code.clone(),
            dwarf: Arc::clone(&self.dwarf),
            units: Arc::clone(&self.units),
            read: RwLock::default(),
            synthetic: Arc::clone(&self.synthetic),
            completed: Mutex::default(),
            names: Arc::clone(&self.names),
            statics: Arc::clone(&self.statics),
            addresses: Arc::clone(&self.addresses),
            modules: modules.files,
            budget: Arc::clone(&self.budget),
        }
    }

    /// The types of the module with this number.
    pub(super) fn module(&self, file: FileNumber) -> Option<&Self> {
        self.modules.get(file.module_index()?).map(|module| &**module)
    }

    /// What `find` finds: here, or else in the first module that has it.
    pub(super) fn in_any_file<T>(&self, find: impl Fn(&Self) -> Option<T>) -> Option<T> {
        find(self).or_else(|| self.modules.iter().find_map(|module| find(module)))
    }
}
