//! The types of modules, in debug files beside the kernel's own.

use std::ops::Range;
use std::sync::{Arc, Mutex, RwLock};

use crate::arch::Arch;
use crate::budget::Budget;
use crate::kernel::ElfFile;
use crate::types::code::CodeSections;
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
    /// The module types that `kernel` already has. More can be added. They spend from its
    /// budget.
    pub fn of(kernel: &Types) -> Self {
        let budget = Arc::clone(&kernel.budget);
        Self { arch: kernel.arch, budget, files: kernel.modules.clone() }
    }

    /// The architecture that the kernel was built for.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Adds the debug file of a module. Ask the returned value for the types of its variables.
    /// Their ids are valid in the kernel's types [with these modules](Types::with_modules).
    ///
    /// `image` is the range of addresses of the relevant variables, in the file's
    /// own addresses. A relocatable file has no addresses; for it, `placed` returns
    /// where each section was loaded.
    ///
    /// # Errors
    /// The file has no debug information, a section cannot be unpacked, or it has
    /// relocations of an unknown type.
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
        let code = CodeSections::of_module(elf, placed);
        let types = Types::new(elf.arch(), file, image, dwarf, code, Arc::clone(&self.budget));
        let types = Arc::new(types);
        self.files.push(Arc::clone(&types));
        Ok(types)
    }
}

impl Types {
    /// The debug information of a module alone. Its ids are not valid in the kernel's types.
    ///
    /// # Errors
    /// As [`ModuleTypes::add`].
    pub fn of_module(
        elf: &ElfFile,
        placed: SectionAddress<'_>,
        budget: Arc<Budget>,
    ) -> Result<Self, TypeError> {
        let (dwarf, code) = (Dwarf::load(elf, placed)?, CodeSections::of_module(elf, placed));
        Ok(Self::new(elf.arch(), FileNumber::default(), 0..0, dwarf, code, budget))
    }

    /// These types with `modules` in place of the present ones. Ids stay
    /// valid. Parsed types are parsed again: a type that the kernel only declares may be
    /// complete in a module.
    pub fn with_modules(&self, modules: ModuleTypes) -> Self {
        Self {
            arch: self.arch,
            file: self.file,
            image: self.image.clone(),
            text: self.text.clone(),
            code: Arc::clone(&self.code),
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

    /// The types of the module with this file number.
    pub(super) fn module(&self, file: FileNumber) -> Option<&Self> {
        self.modules.get(file.module_index()?).map(|module| &**module)
    }

    /// The result of `find` here, or else in the first module that has one.
    pub(super) fn in_any_file<T>(&self, find: impl Fn(&Self) -> Option<T>) -> Option<T> {
        find(self).or_else(|| self.modules.iter().find_map(|module| find(module)))
    }
}
