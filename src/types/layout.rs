//! Sizes of types, and the path from a type to one of its members.

use std::sync::{Arc, PoisonError};

use rustc_hash::FxHashSet;

use crate::budget;
use crate::types::model::*;
use crate::types::suggestions::sort_by_similarity;
use crate::types::{TypeError, Types, WantedKind};

/// A member found by name, at any depth of anonymous members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The member's type.
    pub type_id: TypeId,
    /// Its offset in bytes from the start of the outermost type.
    pub offset: u64,
    /// Its place within the bytes; `None` if it is not a bit-field.
    pub bits: Option<BitField>,
}

/// A member that was asked for, by the type and the path.
#[derive(Debug)]
pub(super) struct KnownField {
    id: TypeId,
    path: Box<str>,
    /// `None` if the type has no such member.
    field: Option<Field>,
}

/// The deepest chain of typedefs or nested structs. Real ones stay far below it, and a
/// cycle in a damaged file must end.
const DEEPEST: usize = 64;

/// A path down through anonymous members. A struct in a damaged file may contain itself,
/// so no record is entered twice: a member that is not in its first place is in no other.
#[derive(Default)]
struct Descent {
    entered: FxHashSet<TypeId>,
    depth: usize,
}

impl Field {
    /// The whole of a type.
    fn whole(type_id: TypeId) -> Self {
        Self { type_id, offset: 0, bits: None }
    }

    /// The member `inner` of this member.
    fn then(self, inner: Self) -> Self {
        Self { offset: self.offset.saturating_add(inner.offset), ..inner }
    }
}

impl Descent {
    /// Goes one level deeper, into the record `id`. Returns false if it was entered before.
    fn enter(&mut self, id: TypeId) -> Result<bool, TypeError> {
        budget::level("the nesting of anonymous members", self.depth, DEEPEST)?;
        let new = self.entered.insert(id);
        self.depth += usize::from(new);
        Ok(new)
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}

impl Types {
    /// The type behind typedefs and qualifiers. A declaration is replaced with the
    /// definition.
    ///
    /// # Errors
    /// An entry is damaged. A declaration without a definition is not an error;
    /// it is returned as it is.
    pub fn resolve(&self, id: TypeId) -> Result<(TypeId, Arc<Type>), TypeError> {
        let (id, found) = self.strip(id)?;
        match &*found {
            Type::Record(Record { declaration: true, .. })
            | Type::Enum(Enumeration { declaration: true, .. }) => {
                let complete = self.definition_of(id, &found);
                Ok((complete, self.get(complete)?))
            }
            _ => Ok((id, found)),
        }
    }

    /// The type behind typedefs and qualifiers; a declaration stays one. This is enough
    /// to find the kind of a type, and never reads other units.
    ///
    /// # Errors
    /// An entry is damaged.
    pub fn strip(&self, mut id: TypeId) -> Result<(TypeId, Arc<Type>), TypeError> {
        for _ in 0..DEEPEST {
            let found = self.get(id)?;
            match &*found {
                Type::Typedef(Typedef { target, .. })
                | Type::Qualified(Qualified { target, .. }) => id = *target,
                _ => return Ok((id, found)),
            }
        }
        Err(TypeError::Unreadable { why: format!("{} is defined by itself", self.name(id)) })
    }

    /// The size of a value of this type, in bytes.
    ///
    /// # Errors
    /// The type is incomplete, void or a function, or its entry is damaged.
    pub fn size_of(&self, id: TypeId) -> Result<u64, TypeError> {
        if let Some((_, size)) = self.sizes.get(id, |known| known.0 == id) {
            return Ok(*size);
        }
        let size = self.find_size(id)?;
        self.sizes.keep(id, (id, size));
        Ok(size)
    }

    fn find_size(&self, id: TypeId) -> Result<u64, TypeError> {
        let (mut innermost, mut elements) = (id, 1u64);
        for level in 0.. {
            budget::level("the array", level, DEEPEST)?;
            let (resolved, found) = self.resolve(innermost)?;
            let Type::Array(array) = &*found else {
                let size = self.size_of_one(resolved, &found)?;
                return size.checked_mul(elements).ok_or_else(|| self.too_large(id));
            };
            let mut counts = array.counts.iter().map(|count| count.unwrap_or(0));
            let product = counts.try_fold(elements, |product, count| product.checked_mul(count));
            elements = product.ok_or_else(|| self.too_large(id))?;
            innermost = array.element;
        }
        Err(self.too_large(id))
    }

    fn too_large(&self, id: TypeId) -> TypeError {
        let why = format!("the size of {} does not fit into 64 bits", self.name(id));
        TypeError::Unreadable { why }
    }

    /// The size of a type other than an array, in bytes.
    fn size_of_one(&self, id: TypeId, found: &Type) -> Result<u64, TypeError> {
        let incomplete = || TypeError::Incomplete { type_name: self.name(id) };
        match found {
            Type::Base(base) => Ok(base.size),
            Type::Pointer(pointer) => Ok(pointer.size),
            Type::Enum(enumeration) if !enumeration.declaration => Ok(enumeration.size),
            Type::Record(record) if !record.declaration => record.size.ok_or_else(incomplete),
            Type::Void | Type::Function(_) => {
                let wanted = WantedKind::Sized;
                Err(TypeError::WrongKind { type_name: self.name(id), wanted })
            }
            _ => Err(incomplete()),
        }
    }

    /// The type that a pointer points to.
    ///
    /// # Errors
    /// The type is not a pointer, or its entry is damaged.
    pub fn pointee(&self, id: TypeId) -> Result<TypeId, TypeError> {
        self.target_of(id)?.ok_or_else(|| TypeError::WrongKind {
            type_name: self.name(id),
            wanted: WantedKind::Pointer,
        })
    }

    /// The same; `None` if the type is not a pointer.
    ///
    /// # Errors
    /// Its entry is damaged.
    pub fn target_of(&self, id: TypeId) -> Result<Option<TypeId>, TypeError> {
        if let Some((_, target)) = self.targets.get(id, |known| known.0 == id) {
            return Ok(*target);
        }
        let target = match &*self.strip(id)?.1 {
            Type::Pointer(pointer) => Some(pointer.target),
            _ => None,
        };
        self.targets.keep(id, (id, target));
        Ok(target)
    }

    /// The elements of an array, and their number in its first dimension as far as the type has
    /// it; `None` if it is no array.
    ///
    /// # Errors
    /// Its entry is damaged.
    pub fn elements(&self, id: TypeId) -> Result<Option<(TypeId, Option<u64>)>, TypeError> {
        Ok(match &*self.strip(id)?.1 {
            Type::Array(array) => Some((array.element, array.counts.first().copied().flatten())),
            _ => None,
        })
    }

    /// Is it a signed integer or enum?
    ///
    /// # Errors
    /// An entry is damaged.
    pub fn is_signed(&self, id: TypeId) -> Result<bool, TypeError> {
        Ok(match &*self.resolve(id)?.1 {
            Type::Base(base) => matches!(base.encoding, Encoding::Signed | Encoding::SignedChar),
            Type::Enum(enumeration) => enumeration.signed,
            _ => false,
        })
    }

    /// A member of a struct or union, or of an anonymous member in it.
    ///
    /// # Errors
    /// The type is not a record, is incomplete, or has no such member. In the last case the error
    /// lists its members.
    pub fn member(&self, id: TypeId, name: &str) -> Result<Field, TypeError> {
        if let Some(field) = self.find_member(id, name)? {
            return Ok(field);
        }
        Err(self.no_member(id, name)?)
    }

    /// The error for a member that the type has not. Kernels lack members that others have, and
    /// each object of a list is asked for them, so it is kept.
    fn no_member(&self, id: TypeId, name: &str) -> Result<TypeError, TypeError> {
        let missing = || self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = missing().get(&id).and_then(|known| known.get(name)) {
            return Ok(known.clone());
        }
        let mut candidates = self.member_names(id)?;
        sort_by_similarity(&mut candidates, name);
        let (type_name, member) = (self.name(id), name.to_owned());
        let why = TypeError::NoMember { type_name, member, candidates: candidates.into() };
        missing().entry(id).or_default().insert(name.into(), why.clone());
        Ok(why)
    }

    /// Does the struct or union have this member?
    pub fn has_member(&self, id: TypeId, name: &str) -> bool {
        matches!(self.find_member(id, name), Ok(Some(_)))
    }

    /// The same for a path of names.
    pub fn has_path(&self, id: TypeId, path: &str) -> bool {
        matches!(self.find_path(id, path), Ok(Some(_)))
    }

    /// The member at the end of a path of names: `vnet_le.le_next`.
    ///
    /// # Errors
    /// As [`Types::member`], for the first step that fails.
    pub fn path(&self, id: TypeId, path: &str) -> Result<Field, TypeError> {
        if let Ok(Some(field)) = self.find_path(id, path) {
            return Ok(field);
        }
        let mut step = |at: Field, name| Ok(at.then(self.member(at.type_id, name)?));
        path.split('.').try_fold(Field::whole(id), &mut step)
    }

    /// The names of a record's members, including those of anonymous members.
    ///
    /// # Errors
    /// The type is not a record, or is incomplete.
    pub fn member_names(&self, id: TypeId) -> Result<Vec<String>, TypeError> {
        let mut names = Vec::new();
        self.collect_names(id, &mut names, &mut Descent::default())?;
        Ok(names)
    }

    fn collect_names(
        &self,
        id: TypeId,
        names: &mut Vec<String>,
        descent: &mut Descent,
    ) -> Result<(), TypeError> {
        let (id, found) = self.record(id)?;
        let Type::Record(record) = &*found else { return Ok(()) };
        if !descent.enter(id)? {
            return Ok(());
        }
        self.budget().work(record.members.len() as u64)?;
        for member in &record.members {
            match &member.name {
                Some(name) => {
                    self.budget().bytes(name.len() as u64)?;
                    names.push(name.to_string());
                }
                None if self.record(member.type_id).is_ok() => {
                    self.collect_names(member.type_id, names, descent)?;
                }
                None => {}
            }
        }
        descent.leave();
        Ok(())
    }

    /// The member at the end of a path; `None` if a step of it leads to none.
    fn find_path(&self, id: TypeId, path: &str) -> Result<Option<Field>, TypeError> {
        self.kept(id, path, |types| {
            let mut names = path.split('.');
            let start = Some(Field::whole(id));
            names.try_fold(start, |at, name| {
                let Some(at) = at else { return Ok(None) };
                Ok(types.find_member(at.type_id, name)?.map(|field| at.then(field)))
            })
        })
    }

    fn find_member(&self, id: TypeId, name: &str) -> Result<Option<Field>, TypeError> {
        self.kept(id, name, |types| types.member_within(id, name, &mut Descent::default()))
    }

    /// Of every object of a list the same members are asked for, so what was found is kept.
    fn kept(
        &self,
        id: TypeId,
        path: &str,
        find: impl FnOnce(&Self) -> Result<Option<Field>, TypeError>,
    ) -> Result<Option<Field>, TypeError> {
        let is_meant = |known: &KnownField| known.id == id && *known.path == *path;
        if let Some(known) = self.fields.get((id, path), is_meant) {
            return Ok(known.field);
        }
        let field = find(self)?;
        // A path of one name is the member itself, which is kept by now.
        if self.fields.get((id, path), is_meant).is_none() {
            self.fields.keep((id, path), KnownField { id, path: path.into(), field });
        }
        Ok(field)
    }

    fn member_within(
        &self,
        id: TypeId,
        name: &str,
        descent: &mut Descent,
    ) -> Result<Option<Field>, TypeError> {
        let (id, found) = self.record(id)?;
        let Type::Record(record) = &*found else { return Ok(None) };
        self.budget().work(record.members.len() as u64 / MEMBERS_A_STEP)?;
        if let Some(member) = record.members.iter().find(|m| m.name.as_deref() == Some(name)) {
            let Member { type_id, offset, bits, .. } = *member;
            return Ok(Some(Field { type_id, offset, bits }));
        }
        let anonymous = |m: &&Member| m.name.is_none() && m.bits.is_none();
        if !record.members.iter().any(|member| anonymous(&member)) || !descent.enter(id)? {
            return Ok(None);
        }
        for member in record.members.iter().filter(anonymous) {
            if self.record(member.type_id).is_err() {
                continue;
            }
            if let Some(field) = self.member_within(member.type_id, name, descent)? {
                let offset = member.offset.saturating_add(field.offset);
                return Ok(Some(Field { offset, ..field }));
            }
        }
        descent.leave();
        Ok(None)
    }

    /// The complete struct or union behind an id.
    fn record(&self, id: TypeId) -> Result<(TypeId, Arc<Type>), TypeError> {
        let (id, found) = self.resolve(id)?;
        match &*found {
            Type::Record(record) if record.declaration => {
                Err(TypeError::Incomplete { type_name: self.name(id) })
            }
            Type::Record(_) => Ok((id, found)),
            _ => Err(TypeError::WrongKind { type_name: self.name(id), wanted: WantedKind::Record }),
        }
    }

    /// The definition of a declared type, or the declaration if there is no definition.
    fn definition_of(&self, id: TypeId, declared: &Type) -> TypeId {
        if let Some(&known) = self.completed.lock().unwrap_or_else(PoisonError::into_inner).get(&id)
        {
            return known;
        }
        let find = |types: &Self| match declared {
            // CTF declares unions as it declares structs.
            Type::Record(Record { kind, name: Some(name), .. }) => types
                .defined_record(*kind, name)
                .or_else(|| types.defined_record(RecordKind::Union, name)),
            Type::Enum(Enumeration { name: Some(name), .. }) => types.defined_enum(name),
            _ => None,
        };
        // A module may itself define, in another unit, what it declares.
        let own = id.file().and_then(|file| self.module(file));
        let found = own.and_then(find).or_else(|| self.in_any_file(find));
        let complete = found.unwrap_or(id);
        self.completed.lock().unwrap_or_else(PoisonError::into_inner).insert(id, complete);
        complete
    }
}

/// How many member names are compared in one step of work.
const MEMBERS_A_STEP: u64 = 64;
