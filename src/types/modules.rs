//! The types of modules: further debug files beside the kernel's own.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use crate::kernel::ElfFile;
use crate::types::dwarf::{Dwarf, SectionAddress};
use crate::types::place::FileNumber;
use crate::types::{TypeError, Types};

impl Types {
    /// Adds what the debug file of a module says. The types of its variables can
    /// be asked of the returned value alone; their ids, of the kernel's types too.
    ///
    /// `image` is where the variables lie that will be asked for, in the file's
    /// own addresses. A relocatable file has none of its own: there `placed` says
    /// where each section was loaded.
    ///
    /// # Errors
    /// The file has no debug information, a section does not unpack, or its
    /// relocations are of an unknown kind.
    pub fn add_module(
        &self,
        elf: &ElfFile,
        image: Range<u64>,
        placed: SectionAddress<'_>,
    ) -> Result<Arc<Self>, TypeError> {
        let dwarf = Dwarf::load(elf, placed)?;
        let mut modules = self.modules.write().unwrap_or_else(PoisonError::into_inner);
        let file = FileNumber::of_module(modules.len() + 1)
            .ok_or_else(|| TypeError::Unreadable { why: "there are too many modules".into() })?;
        let budget = Arc::clone(&self.budget);
        let types = Arc::new(Self::new(elf.arch(), file, image, dwarf, budget));
        modules.push(Arc::clone(&types));
        Ok(types)
    }

    /// The types of the module with this number.
    pub(super) fn module(&self, file: FileNumber) -> Option<Arc<Self>> {
        let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner);
        modules.get(file.module_index()?).cloned()
    }

    /// What `find` finds: here, or else in the first module that has it.
    pub(super) fn in_any_file<T>(&self, find: impl Fn(&Self) -> Option<T>) -> Option<T> {
        find(self).or_else(|| {
            let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner).clone();
            modules.iter().find_map(|module| find(module))
        })
    }
}
