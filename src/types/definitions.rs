//! Several types with one name. In C, a struct of one source file is invisible to all other
//! files, so a kernel may have many with one name: FreeBSD has a `struct elf_file` in each of
//! its two linkers.
//!
//! How: the index of names keeps, beside the first definition of a name, those with
//! another size or on another line of their source. Most of them are still the same
//! (a typedef repeated in two headers), so their declarations are compared.
//!
//! Where a file with types does not say which source a type is of, the types of one name
//! are numbered in the order of that file.

use crate::types::model::TypeId;
use crate::types::name_index::class_and_name;
use crate::types::{TypeError, Types};

/// One of the types with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The type.
    pub type_id: TypeId,
    /// The source file of the first unit that has it, below `sys/`: `kern/link_elf.c`;
    /// `None` if the unit does not say. In CTF, which has no source files, its number among the
    /// types with its name, from 1.
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
        let own = first.file().and_then(|file| self.module(file));
        let here = own.unwrap_or(self);
        let (class, bare) = class_and_name(name);
        let others = here.name_index().others(class, &bare);
        let number =
            name.split_once('@').and_then(|(_, file)| file.trim().strip_prefix('#')?.parse().ok());
        let mut found = vec![here.definition(first, number.unwrap_or(1))];
        if others.is_empty() {
            return Ok(found);
        }
        let mut known = vec![self.declaration(first)];
        for &(other, _) in others {
            self.budget().work(known.len() as u64)?;
            let declaration = self.declaration(other);
            if here.name_in_file(other).as_deref() == Some(&bare) && !known.contains(&declaration) {
                found.push(here.definition(other, found.len() + 1));
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
        let found = self.in_any_file(|types| types.find_in_source(class, &bare, file));
        if let Some(found) = found {
            return Ok(found);
        }
        let definitions = self.definitions(name)?;
        if let Some(numbered) = definitions.iter().find(|one| one.file.as_deref() == Some(file)) {
            return Ok(numbered.type_id);
        }
        let (what, name, file) = (class.named(), bare, file.into());
        if definitions.first().is_some_and(|first| self.is_numbered(first.type_id)) {
            return Err(TypeError::Numbered { what, name, file, count: definitions.len() });
        }
        let elsewhere = definitions.into_iter().filter_map(|other| other.file);
        let elsewhere = elsewhere.map(String::from).collect();
        Err(TypeError::NotInFile { what, name, file, elsewhere })
    }

    fn definition(&self, type_id: TypeId, number: usize) -> Definition {
        Definition { type_id, file: self.source_of(type_id, number) }
    }
}
