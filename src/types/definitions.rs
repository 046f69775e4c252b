//! Several types with one name. In C, a struct of one source file is invisible to all other
//! files, so a kernel may have many with one name: FreeBSD has a `struct elf_file` in each of
//! its two linkers.
//!
//! How: the index of names keeps, beside the first definition of a name, those with
//! another size or on another line of their source. Most of them are still the same
//! (a typedef repeated in two headers), so their declarations are compared.

use crate::types::load::Loader;
use crate::types::model::TypeId;
use crate::types::name_index::{Class, class_and_name};
use crate::types::place::Place;
use crate::types::source_path::{is_end_of_path, source_path};
use crate::types::{TypeError, Types};

/// One of the types with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The type.
    pub type_id: TypeId,
    /// The source file of the first unit that has it, below `sys/`: `kern/link_elf.c`;
    /// `None` if the unit does not say.
    pub file: Option<Box<str>>,
}

impl Types {
    /// The different types with that name, in the order of the debug information. Usually there is
    /// one. The first is what [`Types::find`] finds. Modules are searched if the kernel has none.
    ///
    /// # Errors
    /// As [`Types::find`].
    pub fn definitions(&self, name: &str) -> Result<Vec<Definition>, TypeError> {
        let first = self.find(name)?;
        let own = Place::of(first).and_then(|place| self.module(place.file));
        let here = own.unwrap_or(self);
        let (class, bare) = class_and_name(name);
        let others = here.name_index().others(class, &bare);
        let mut found = vec![here.definition(first)];
        if others.is_empty() {
            return Ok(found);
        }
        let mut known = vec![self.declaration(first)];
        for &(other, _) in others {
            self.budget().work(known.len() as u64)?;
            let declaration = self.declaration(other);
            if here.name_in_file(other).as_deref() == Some(&bare) && !known.contains(&declaration) {
                found.push(here.definition(other));
                known.push(declaration);
            }
        }
        Ok(found)
    }

    /// The type with that name in a unit of a source file, which is given by the end of its path.
    ///
    /// # Errors
    /// No such unit has one. The error lists those of other files.
    pub(super) fn find_in_file(&self, name: &str, file: &str) -> Result<TypeId, TypeError> {
        let (class, bare) = class_and_name(name);
        self.in_any_file(|types| types.find_in_units(class, &bare, file)).ok_or_else(|| {
            let elsewhere = match self.definitions(name) {
                Ok(elsewhere) => elsewhere,
                Err(why) => return why,
            };
            let elsewhere =
                elsewhere.into_iter().filter_map(|other| other.file).map(String::from).collect();
            let (what, file) = (class.named(), file.into());
            TypeError::NotInFile { what, name: bare.to_string(), file, elsewhere }
        })
    }

    fn find_in_units(&self, class: Class, bare: &str, file: &str) -> Option<TypeId> {
        self.units.as_slice().iter().find_map(|unit| {
            let root = unit.root(&self.dwarf).ok()?;
            let path = source_path(root.name.as_deref()?);
            let loader = Loader::of(self, unit).ok().filter(|_| is_end_of_path(&path, file))?;
            loader.find_named(class, bare)
        })
    }

    fn definition(&self, type_id: TypeId) -> Definition {
        let unit = Place::of(type_id)
            .and_then(|place| self.units.holding(place.section, place.offset))
            .and_then(|unit| unit.root(&self.dwarf).ok());
        let file = unit.and_then(|root| root.name.as_deref().map(source_path));
        Definition { type_id, file }
    }
}
