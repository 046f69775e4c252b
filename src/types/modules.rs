//! The types of modules, in files beside the kernel's own.

use std::ops::Range;
use std::sync::{Arc, Mutex, RwLock};

use crate::arch::Arch;
use crate::budget::Budget;
use crate::kernel::ElfFile;
use crate::types::ctf::CtfFile;
use crate::types::dwarf::{DwarfFile, SectionAddress};
use crate::types::ids::FileNumber;
use crate::types::known::Known;
use crate::types::source::Source;
use crate::types::{Format, TypeError, Types};

/// The types of the modules of one kernel.
#[derive(Debug)]
pub struct ModuleTypes {
    arch: Arch,
    budget: Arc<Budget>,
    /// The kernel's CTF, which that of a module may continue.
    parent: Option<Arc<CtfFile>>,
    files: Vec<Arc<Types>>,
}

impl ModuleTypes {
    /// The module types that `kernel` already has. More can be added. They spend from its
    /// budget.
    pub fn of(kernel: &Types) -> Self {
        let budget = Arc::clone(&kernel.budget);
        let parent = match &kernel.source {
            Source::Ctf(file) => Some(Arc::clone(file)),
            Source::Dwarf(_) => None,
        };
        Self { arch: kernel.arch, budget, parent, files: kernel.modules.clone() }
    }

    /// The architecture that the kernel was built for.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Adds the file of a module. Ask the returned value for the types of its variables.
    /// Their ids are valid in the kernel's types [with these modules](Types::with_modules).
    ///
    /// `image` is the range of addresses of the relevant variables, in the file's
    /// own addresses. A relocatable file has no addresses; for it, `placed` returns
    /// where each section was loaded.
    ///
    /// # Errors
    /// The file has no types in that format, a section is damaged, or it has
    /// relocations of an unknown type.
    pub fn add(
        &mut self,
        elf: &ElfFile,
        format: Format,
        image: Range<u64>,
        placed: SectionAddress<'_>,
    ) -> Result<Arc<Types>, TypeError> {
        let file = FileNumber::of_module(self.files.len() + 1)
            .ok_or_else(|| TypeError::Unreadable { why: "there are too many modules".into() })?;
        let source = match format {
            Format::Dwarf => Source::Dwarf(DwarfFile::of_module(elf, file, image, placed)?.into()),
            Format::Ctf => {
                let parent = self.parent.clone();
                Source::Ctf(CtfFile::of_module(elf, file, parent, placed)?.into())
            }
        };
        let types = Arc::new(Types::new(elf.arch(), file, source, Arc::clone(&self.budget)));
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
        let file = FileNumber::default();
        let source = Source::Dwarf(DwarfFile::of_module(elf, file, 0..0, placed)?.into());
        Ok(Self::new(elf.arch(), file, source, budget))
    }

    /// These types with `modules` in place of the present ones. Ids stay
    /// valid. Parsed types are parsed again: a type that the kernel only declares may be
    /// complete in a module.
    pub fn with_modules(&self, modules: ModuleTypes) -> Self {
        Self {
            arch: self.arch,
            file: self.file,
            source: self.source.clone(),
            read: RwLock::default(),
            synthetic: Arc::clone(&self.synthetic),
            completed: Mutex::default(),
            fields: Known::default(),
            sizes: Known::default(),
            targets: Known::default(),
            missing: Mutex::default(),
            names: Arc::clone(&self.names),
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
