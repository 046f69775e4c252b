//! Where the types of one file come from. Nothing above this file asks.
//!
//! Both readers give the same model ([`crate::types::model`]) and speak of types by
//! [`TypeId`]. What CTF cannot tell is absent, as it is from DWARF that lacks it: source files, and
//! variables that no symbol leads to.

use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::types::code::Code;
use crate::types::ctf::CtfFile;
use crate::types::dwarf::{DwarfFile, Reader};
use crate::types::format::Origin;
use crate::types::ids::foreign;
use crate::types::model::{Type, TypeId, Variable};
use crate::types::name_index::{Class, NameIndex};
use crate::types::statics::{Piece, Static};
use crate::types::{TypeError, Types};

/// The types of one file, in the format that they were found in.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Dwarf(Arc<DwarfFile>),
    Ctf(Arc<CtfFile>),
}

impl Source {
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dwarf(one), Self::Dwarf(other)) => Arc::ptr_eq(one, other),
            (Self::Ctf(one), Self::Ctf(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Types {
    /// Builds the index of variables now. Otherwise the first question for a
    /// variable waits for it.
    pub fn prepare(&self) {
        match &self.source {
            Source::Dwarf(file) => drop(file.address_index()),
            Source::Ctf(file) => drop(file.objects()),
        }
    }

    /// What the types were read from.
    pub fn origin(&self) -> Origin {
        match &self.source {
            Source::Dwarf(file) => Origin::Dwarf { units: file.unit_count() },
            Source::Ctf(file) => file.origin(),
        }
    }

    /// What keeps a part of the file's types from being known, if anything: damage that ended the
    /// chain of units early, or a symbol table that is not the one that CTF belongs to.
    pub fn damage(&self) -> Option<&TypeError> {
        match &self.source {
            Source::Dwarf(file) => file.damage(),
            Source::Ctf(file) => file.objects().err(),
        }
    }

    /// The number of compilation and type units of DWARF in the kernel's debug file.
    pub fn unit_count(&self) -> usize {
        match &self.source {
            Source::Dwarf(file) => file.unit_count(),
            Source::Ctf(_) => 0,
        }
    }

    /// The variables with link addresses in the range, sorted by address and name.
    pub fn variables_linked_in(&self, range: &Range<VirtAddr>) -> Vec<Variable> {
        let range = range.start.get()..range.end.get();
        let mut found = match &self.source {
            Source::Dwarf(file) => self.dwarf(file).variables_in(&range),
            Source::Ctf(file) => file.variables_in(&range),
        };
        // A variable without a size has the same address as the next one.
        found.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        found.dedup_by(|a, b| (a.address, &a.name) == (b.address, &b.name));
        found
    }

    /// The variable with exactly this link address.
    pub fn variable_linked_at(&self, address: VirtAddr) -> Option<Variable> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).variable_at(address.get()),
            Source::Ctf(file) => file.variable_at(address.get()),
        }
    }

    /// What tells the variable with this link address from others of its name, as
    /// [`Variable::file`] does. It may be known where the variable's type is not.
    pub fn source_linked_at(&self, address: VirtAddr) -> Option<Box<str>> {
        match &self.source {
            Source::Dwarf(_) => self.variable_linked_at(address)?.file,
            Source::Ctf(file) => file.number_at(address.get()),
        }
    }

    /// The variables with that name that have a location: those of files, then those of
    /// functions, each in the order of the debug information. A name that no
    /// section contains costs one search of the sections, but not an index of all units.
    pub fn statics(&self, name: &str) -> Vec<Static> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).statics(name),
            Source::Ctf(_) => Vec::new(),
        }
    }

    /// The pieces of `variable`, which together have the size of its type, in a kernel that
    /// runs `slide` bytes after its link address. `read` returns an integer of a given size
    /// in bytes at an address of the running kernel. Its error is passed on.
    ///
    /// # Errors
    /// The location is damaged, the type has no size, or `read` fails.
    pub fn pieces<E: From<TypeError>>(
        &self,
        variable: &Static,
        slide: u64,
        read: &dyn Fn(VirtAddr, u64) -> Result<u64, E>,
    ) -> Result<Vec<Piece>, E> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).pieces(variable, slide, read),
            Source::Ctf(_) => Err(foreign().into()),
        }
    }

    /// What can be asked about code. `None` if its sections cannot be unpacked, or if the file has
    /// none: CTF says nothing of code.
    pub fn code(&self) -> Option<Code<'_>> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).code(),
            Source::Ctf(_) => None,
        }
    }

    /// Reads a type of this file.
    pub(super) fn read_type(&self, id: TypeId) -> Result<Type, TypeError> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).read(id),
            Source::Ctf(file) => file.read(id, self.budget()),
        }
    }

    /// The name of a type of this file, without reading its members.
    pub(super) fn name_in_file(&self, id: TypeId) -> Option<String> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).name_of(id),
            Source::Ctf(file) => file.name_of(id),
        }
    }

    pub(super) fn index_names(&self) -> NameIndex {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).index_names(),
            Source::Ctf(file) => file.index_names(),
        }
    }

    /// The type with that name in the unit that has a variable with this link address.
    pub(super) fn find_in_unit_at(&self, address: u64, class: Class, name: &str) -> Option<TypeId> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).named_at(address, class, name),
            Source::Ctf(_) => None,
        }
    }

    /// The type with that name in a unit of a source file.
    pub(super) fn find_in_source(&self, class: Class, name: &str, source: &str) -> Option<TypeId> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).named_in(class, name, source),
            Source::Ctf(_) => None,
        }
    }

    /// Do debuggers that are given this file know the names of its types? They read no CTF of
    /// FreeBSD's.
    pub fn is_for_debuggers(&self) -> bool {
        matches!(self.source, Source::Dwarf(_))
    }

    /// Is the type of a file without source files?
    pub(super) fn is_numbered(&self, id: TypeId) -> bool {
        let module = id.file().and_then(|file| self.module(file));
        matches!(module.unwrap_or(self).source, Source::Ctf(_))
    }

    /// The source file of a type, or else its number among the types with its name.
    pub(super) fn source_of(&self, id: TypeId, number: usize) -> Option<Box<str>> {
        match &self.source {
            Source::Dwarf(file) => self.dwarf(file).source_of(id),
            Source::Ctf(_) => Some(format!("#{number}").into()),
        }
    }

    fn dwarf<'a>(&'a self, file: &'a DwarfFile) -> Reader<'a> {
        Reader { types: self, file }
    }
}
