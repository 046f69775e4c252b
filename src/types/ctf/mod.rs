//! The reader of CTF, versions 2 and 3, which every stock kernel and module of FreeBSD has in its
//! section `.SUNW_ctf`.
//!
//! How: the section is inflated once (`container.rs`). One pass finds where each type's record
//! begins (`table.rs`). A record becomes a type when something asks for it (`load.rs`).
//! Variables are the data symbols of the file, which has a type id for each
//! (`objects.rs`).
//!
//! What it refuses to do: it trusts no id if their number is not that of the symbols, and no
//! type whose size contradicts its symbol. docs/formats/ctf.md describes the format, and
//! what it cannot tell.

mod container;
mod load;
mod names;
mod objects;
mod table;

use std::sync::{Arc, OnceLock};

use crate::arch::Arch;
use crate::budget::Budget;
use crate::kernel::{CTF_SECTION, ElfFile, KernelError};
use crate::types::TypeError;
use crate::types::dwarf::SectionAddress;
use crate::types::format::Origin;
use crate::types::ids::FileNumber;
use crate::types::model::{Type, TypeId};

use container::Container;
use objects::{Objects, Placement};
use table::{Entry, Table};

/// The CTF of one file.
#[derive(Debug)]
pub struct CtfFile {
    arch: Arch,
    /// Which file this is.
    number: FileNumber,
    container: Container,
    table: Table,
    /// The kernel's container, if this one continues it.
    parent: Option<Arc<CtfFile>>,
    /// The file with the symbols.
    elf: ElfFile,
    placement: Placement,
    objects: OnceLock<Result<Objects, TypeError>>,
}

impl CtfFile {
    /// The CTF of a kernel, which is in `elf`.
    ///
    /// # Errors
    /// The file has none, or it is damaged.
    pub fn of_kernel(elf: &ElfFile) -> Result<Self, TypeError> {
        Self::read_file(elf, FileNumber::default(), None, Placement::Kernel)
    }

    /// That of a module. `kernel` is the kernel's, which it may continue.
    ///
    /// # Errors
    /// The file has none, or it is damaged.
    pub fn of_module(
        elf: &ElfFile,
        number: FileNumber,
        kernel: Option<Arc<Self>>,
        placed: SectionAddress<'_>,
    ) -> Result<Self, TypeError> {
        Self::read_file(elf, number, kernel, Self::placement_of(elf, placed))
    }

    fn read_file(
        elf: &ElfFile,
        number: FileNumber,
        kernel: Option<Arc<Self>>,
        placement: Placement,
    ) -> Result<Self, TypeError> {
        let section = elf.section(CTF_SECTION).ok_or(TypeError::NoCtf)?;
        let unreadable = |why: KernelError| TypeError::Unreadable { why: why.to_string() };
        let section = elf.section_bytes(section).map_err(unreadable)?;
        let container = Container::read(section, elf.arch().endian())?;
        let table = Table::read(&container)?;
        let is_parent = |kernel: &Arc<Self>| {
            let (_, label) = container.parent()?;
            Some(kernel.container.label() == Some(label))
        };
        let parent = kernel.filter(|kernel| is_parent(kernel) == Some(true));
        let (arch, elf, objects) = (elf.arch(), elf.clone(), OnceLock::new());
        Ok(Self { arch, number, container, table, parent, elf, placement, objects })
    }

    /// Where the types come from.
    pub fn origin(&self) -> Origin {
        Origin::Ctf {
            version: self.container.version.number(),
            types: self.table.len(),
            label: self.container.label().map(Box::from),
        }
    }

    /// The type with that id.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn read(&self, id: TypeId, budget: &Budget) -> Result<Type, TypeError> {
        let number = id.place().map_or(0, |(_, place)| place);
        self.type_of(u32::try_from(number).unwrap_or(0), budget)
    }

    /// The id of a type, which may be one of the parent.
    fn id(&self, id: u32) -> Option<TypeId> {
        let parent = self.parent.as_ref().filter(|_| self.table.is_of_parent(id));
        TypeId::in_file(parent.map_or(self.number, |parent| parent.number), id.into())
    }

    /// The record of a type, which may be one of the parent.
    fn entry(&self, id: u32) -> Result<Entry, TypeError> {
        match &self.parent {
            Some(parent) if self.table.is_of_parent(id) => parent.entry(id),
            None if self.table.is_of_parent(id) => {
                let (name, _) = self.container.parent().unwrap_or_default();
                let why = format!("type {id:#x} is one of {name}, whose CTF this one continues");
                Err(TypeError::Unreadable { why })
            }
            _ => self.table.entry(&self.container, id),
        }
    }
}

#[cfg(test)]
mod tests;
