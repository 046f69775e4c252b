//! Types by name: an index of what a file defines.
//!
//! It is built at the first question that nothing else answers. It holds hashes and positions but
//! no strings, so each match is checked against the name in the file.

use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

use crate::addr::VirtAddr;
use crate::types::model::*;
use crate::types::suggestions::most_similar;
use crate::types::{NameKind, TypeError, Types, spelling};

/// What a name may refer to. C has one name space for tags and one for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Struct,
    Union,
    Enum,
    /// Typedefs and base types.
    Plain,
    /// Variables, with or without an address.
    Variable,
}

impl Class {
    /// What stands before the name of a type; `None` of a variable.
    fn keyword(self) -> Option<&'static str> {
        match self {
            Self::Struct => Some("struct "),
            Self::Union => Some("union "),
            Self::Enum => Some("enum "),
            Self::Plain => Some(""),
            Self::Variable => None,
        }
    }
}

/// What tells a definition from another one before either is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Outline {
    pub size: u32,
    /// Its line in the source; without lines, its number in the file.
    pub line: u32,
    /// Of the hash of its first member's name; 0 without. Two files may have a struct of one
    /// name and size on the same line.
    pub first: u32,
}

/// The first definition of every type name, and candidates for others.
#[derive(Debug, Default)]
pub struct NameIndex {
    places: FxHashMap<(Class, u64), (TypeId, Outline)>,
    /// Definitions after the first that differ from it and from each other.
    others: FxHashMap<(Class, u64), Vec<(TypeId, Outline)>>,
}

impl Types {
    /// The type with that name: `struct ifnet`, `ifnet_t`, `unsigned int`, or a
    /// pointer to one of these: `struct ifnet *`. If several types have the name, it is the first,
    /// or that of a given source file: `struct elf_file@link_elf.c`.
    ///
    /// # Errors
    /// No unit defines it. The error lists similar names.
    pub fn find(&self, name: &str) -> Result<TypeId, TypeError> {
        let base = name.trim_end_matches([' ', '*']);
        let stars = name[base.len()..].matches('*').count();
        let mut id = match base.split_once('@') {
            Some((base, file)) => self.find_in_file(base, file.trim())?,
            None => self.find_named(base.trim())?,
        };
        for _ in 0..stars {
            id = self.pointer_to(id);
        }
        Ok(id)
    }

    fn find_named(&self, name: &str) -> Result<TypeId, TypeError> {
        let (class, bare) = class_and_name(name);
        if (class, &*bare) == (Class::Plain, "void") {
            return Ok(TypeId::VOID);
        }
        self.in_any_file(|types| types.lookup_here(class, &bare))
            .ok_or_else(|| self.no_such_type(class, &bare))
    }

    /// The struct with that tag, for those to whom none is no error: similar names, which take long
    /// to find, are not looked for.
    pub(crate) fn struct_named(&self, tag: &str) -> Option<TypeId> {
        self.in_any_file(|types| types.lookup_here(Class::Struct, tag))
    }

    /// The type with that name in the unit that defines the variable with link address `address`.
    /// Several units may have different types with one name.
    pub fn find_beside(&self, address: VirtAddr, name: &str) -> Option<TypeId> {
        let (class, bare) = class_and_name(name);
        self.find_in_unit_at(address.get(), class, &bare)
    }

    /// Does a unit define a variable with that name? It may have no address,
    /// if it was optimised out.
    pub fn has_variable(&self, name: &str) -> bool {
        self.name_index().places.contains_key(&(Class::Variable, hash(name)))
    }

    /// The structs whose names satisfy `wanted`, sorted by name. This examines every struct of the
    /// kernel and is slow.
    pub fn structs_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<TypeId> {
        let places = self.name_index().places.iter();
        let structs = places.filter(|((class, _), _)| *class == Class::Struct);
        let named = structs.filter_map(|(_, &(id, _))| Some((self.name_in_file(id)?, id)));
        let mut found: Vec<_> = named.filter(|(name, _)| wanted(name)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// The enum that has an enumerator of this name, and its value. All enums are searched.
    pub fn enumerator(&self, name: &str) -> Option<(TypeId, i128)> {
        self.in_any_file(|types| {
            let places = types.name_index().places.iter();
            let enums = places.filter(|((class, _), _)| *class == Class::Enum);
            let mut enums: Vec<TypeId> = enums.map(|(_, &(id, _))| id).collect();
            enums.sort_unstable();
            enums.into_iter().find_map(|id| {
                types.budget.work(1).ok()?;
                let found = types.get(id).ok()?;
                let Type::Enum(Enumeration { enumerators, .. }) = &*found else { return None };
                let found = enumerators.iter().find(|enumerator| *enumerator.name == *name)?;
                Some((id, found.value))
            })
        })
    }

    /// The names of all types, as C spells them: `struct ifnet`, `u_int`. They are sorted, and each
    /// is there once. This reads the name of every type and is slow.
    pub fn all_names(&self) -> Vec<String> {
        let files = std::iter::once(self).chain(self.modules.iter().map(AsRef::as_ref));
        let mut names: Vec<String> = files.flat_map(Self::names_here).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn names_here(&self) -> Vec<String> {
        let places = self.name_index().places.iter();
        let spelled = places.filter_map(|((class, _), &(id, _))| {
            let keyword = class.keyword()?;
            Some(format!("{keyword}{}", self.name_in_file(id)?))
        });
        spelled.collect()
    }

    /// Does a debugger that knows only this file, and no module, know a type by its
    /// name, after pointers and array dimensions are removed?
    pub fn is_of_kernel(&self, id: TypeId) -> bool {
        let mut id = id;
        for _ in 0..MOST_POINTERS {
            if id.file() == Some(self.file) && self.is_for_debuggers() {
                return true;
            }
            let Ok(found) = self.get(id) else { return false };
            let is_named = matches!(*found, Type::Typedef(_) | Type::Record(_) | Type::Enum(_));
            if is_named && !self.is_for_debuggers() {
                return false;
            }
            id = match &*found {
                Type::Void | Type::Base(_) => return true,
                Type::Pointer(pointer) => pointer.target,
                Type::Qualified(qualified) => qualified.target,
                Type::Array(array) => array.element,
                Type::Typedef(typedef) => {
                    return self.lookup_here(Class::Plain, &typedef.name).is_some();
                }
                Type::Record(Record { kind, name: Some(name), .. }) => {
                    return self.defined_record(*kind, name).is_some();
                }
                Type::Enum(Enumeration { name: Some(name), .. }) => {
                    return self.defined_enum(name).is_some();
                }
                Type::Record(_) | Type::Enum(_) | Type::Function(_) => return false,
            };
        }
        false
    }

    /// The definition of a struct or union that some unit declares.
    pub(super) fn defined_record(&self, kind: RecordKind, name: &str) -> Option<TypeId> {
        let class = match kind {
            RecordKind::Union => Class::Union,
            _ => Class::Struct,
        };
        self.lookup_here(class, name)
    }

    /// The definition of an enum that a unit declares.
    pub(super) fn defined_enum(&self, name: &str) -> Option<TypeId> {
        self.lookup_here(Class::Enum, name)
    }

    fn lookup_here(&self, class: Class, name: &str) -> Option<TypeId> {
        let (found, _) = *self.name_index().places.get(&(class, hash(name)))?;
        (self.name_in_file(found)? == name).then_some(found)
    }

    fn no_such_type(&self, class: Class, name: &str) -> TypeError {
        let places = &self.name_index().places;
        let others = [Class::Struct, Class::Union, Class::Enum, Class::Plain];
        let same = others.into_iter().filter(|&other| other != class);
        let mut near: Vec<String> = same
            .filter_map(|other| places.get(&(other, hash(name))))
            .map(|&(id, _)| self.name(id))
            .collect();
        if near.is_empty() {
            // A bare name may be a tag without its keyword.
            let meant = |other| match class {
                Class::Plain => other != Class::Variable,
                _ => other == class,
            };
            let ids = places.iter().filter(|((other, _), _)| meant(*other)).map(|(_, &(id, _))| id);
            let mut named: Vec<(String, TypeId)> =
                ids.filter_map(|id| Some((self.name_in_file(id)?, id))).collect();
            named.sort_unstable();
            let named = most_similar(named, |(known, _)| known, name).into_iter();
            near = match class {
                Class::Plain => named.map(|(_, id)| self.name(id)).collect(),
                _ => named.map(|(known, _)| known).collect(),
            };
        }
        TypeError::NotFound { what: class.named(), name: name.to_owned(), near }
    }

    pub(super) fn name_index(&self) -> &NameIndex {
        self.names.get_or_init(|| self.index_names())
    }
}

/// A definition that others than its own function can name.
pub(super) struct Named {
    /// What it is, and the hash of its name.
    pub key: (Class, u64),
    pub id: TypeId,
    pub outline: Outline,
}

impl NameIndex {
    /// The first definition in the file's order is used, so that every run
    /// gives the same answer.
    pub(super) fn add(&mut self, Named { key, id, outline }: Named) {
        let &mut (first, known) = self.places.entry(key).or_insert((id, outline));
        if first == id || known == outline || key.0 == Class::Variable {
            return;
        }
        let others = self.others.entry(key).or_default();
        if others.len() < MOST_OTHERS && others.iter().all(|(_, other)| *other != outline) {
            others.push((id, outline));
        }
    }

    /// Candidates for other definitions with that name, in the file's order.
    pub(super) fn others(&self, class: Class, name: &str) -> &[(TypeId, Outline)] {
        self.others.get(&(class, hash(name))).map_or(&[], Vec::as_slice)
    }
}

impl Class {
    /// Its name in errors.
    pub(super) fn named(self) -> NameKind {
        match self {
            Self::Struct => NameKind::Struct,
            Self::Union => NameKind::Union,
            Self::Enum => NameKind::Enum,
            Self::Plain | Self::Variable => NameKind::Type,
        }
    }
}

/// The most different types with one name. A damaged file may have more.
const MOST_OTHERS: usize = 64;

/// The most levels of pointers and arrays.
const MOST_POINTERS: usize = 32;

/// The kind of type that a name refers to, and the name without the keyword.
pub(super) fn class_and_name(name: &str) -> (Class, String) {
    let words: Vec<&str> =
        name.split_whitespace().filter(|word| !["const", "volatile"].contains(word)).collect();
    match words[..] {
        ["struct" | "class", bare] => (Class::Struct, bare.to_owned()),
        ["union", bare] => (Class::Union, bare.to_owned()),
        ["enum", bare] => (Class::Enum, bare.to_owned()),
        _ => (Class::Plain, spelling::canonical(&words.join(" "))),
    }
}

/// The hash of a name in the indexes.
pub(super) fn hash(name: &str) -> u64 {
    hash_bytes(name.as_bytes())
}

/// The same of a name that need not be text.
pub(super) fn hash_bytes(name: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name);
    hasher.finish()
}
