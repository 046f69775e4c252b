//! A type's declaration as plain data: the names of its members, and where they are.

use std::borrow::Cow;
use std::sync::Arc;

use crate::budget::{self, Share};
use crate::types::c_name::UNNAMED;
use crate::types::model::*;
use crate::types::{TypeError, Types};

/// The deepest nesting of unnamed records. Real ones stay far below it.
const DEEPEST: usize = 16;

/// The most members of unnamed records in one declaration. A damaged file can multiply them.
const MOST_UNNAMED: u64 = 1 << 16;

/// A position in a declaration: the unnamed records around it. None of them
/// is shown within itself.
struct Around<'b> {
    unnamed: Vec<TypeId>,
    share: Share<'b>,
}

/// A type in the form of its declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its name in C: `struct vnet`, `vnet_state_t`.
    pub name: String,
    /// Its source file below `sys/`, if several files have a different type with that name.
    pub file: Option<Box<str>>,
    /// Its size in bytes; `None` if the type is incomplete, void, or a function.
    pub size: Option<u64>,
    /// What the declaration contains.
    pub body: Body,
}

/// The contents of a declaration, by the kind of type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A struct, union or class.
    Record {
        /// Which of the three.
        kind: RecordKind,
        /// The members in the order of the source, with nested unnamed records in place.
        members: Vec<DeclaredMember>,
        /// Is it declared but nowhere defined?
        incomplete: bool,
    },
    /// An enum.
    Enum {
        /// The enumerators in the order of the source.
        enumerators: Vec<Enumerator>,
        /// Is it declared but nowhere defined?
        incomplete: bool,
    },
    /// A typedef.
    Typedef {
        /// The whole typedef in C.
        declaration: String,
        /// The type that it names, in C.
        target: String,
        /// The contents of that type, if it has no name and can be shown only here.
        unnamed: Option<Box<Body>>,
    },
    /// A base type, pointer, array or function. Its name says everything.
    Plain,
}

/// A member of a struct or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredMember {
    /// `None` for an anonymous struct or union.
    pub name: Option<Box<str>>,
    /// Its type in C.
    pub type_name: String,
    /// The whole declaration in C, without the width of a bit-field: `char if_xname[16]`.
    pub declaration: String,
    /// Its offset in bytes from the start of the outermost declaration.
    pub offset: u64,
    /// Its size in bytes; `None` if its type is incomplete.
    pub size: Option<u64>,
    /// Its place within the bytes; `None` if it is not a bit-field.
    pub bits: Option<BitField>,
    /// The members of an unnamed struct or union, which can be shown only here.
    pub unnamed: Option<UnnamedRecord>,
}

/// An unnamed struct or union in the declaration of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnnamedRecord {
    /// What precedes its brace: `struct`, `const union`.
    pub before: String,
    /// What follows its brace: nothing, `vnet_le`, `*slots[4]`.
    pub after: String,
    /// Its members, in the order of the source.
    pub members: Vec<DeclaredMember>,
    /// Its own size in bytes, not that of the array or pointer; `None` if it is incomplete.
    pub size: Option<u64>,
    /// Is the member a pointer to it? Then its offsets start at 0.
    pub behind_pointer: bool,
}

impl Declaration {
    /// The name that identifies this type among several: `struct elf_file@kern/link_elf.c`.
    pub fn full_name(&self) -> Cow<'_, str> {
        match &self.file {
            Some(file) => format!("{}@{file}", self.name).into(),
            None => Cow::Borrowed(&self.name),
        }
    }
}

impl Types {
    /// The declaration of a type. A declaration alone is replaced with the definition.
    ///
    /// # Errors
    /// An entry is damaged.
    pub fn declaration(&self, id: TypeId) -> Result<Declaration, TypeError> {
        let found = self.get(id)?;
        let name = self.name(id);
        let size = self.size_of(id).ok();
        let body = match &*found {
            Type::Typedef(typedef) => {
                let target = self.get(typedef.target)?;
                let unnamed = match has_no_name(&target) {
                    true => Some(Box::new(self.body(typedef.target, &target)?)),
                    false => None,
                };
                Body::Typedef {
                    declaration: self.declare(typedef.target, &typedef.name),
                    target: self.name(typedef.target),
                    unnamed,
                }
            }
            Type::Record(_) | Type::Enum(_) => {
                let (id, found) = self.resolve(id)?;
                self.body(id, &found)?
            }
            _ => Body::Plain,
        };
        Ok(Declaration { name, file: None, size, body })
    }

    fn body(&self, id: TypeId, found: &Type) -> Result<Body, TypeError> {
        let share = self.budget().share("the declaration", MOST_UNNAMED);
        let mut around = Around { unnamed: vec![id], share };
        Ok(match found {
            Type::Record(record) => Body::Record {
                kind: record.kind,
                members: self.declared_members(record, 0, &mut around)?,
                incomplete: record.declaration,
            },
            Type::Enum(enumeration) => {
                let names = enumeration.enumerators.iter().map(|each| each.name.len() as u64);
                let each = size_of::<Enumerator>() as u64;
                self.budget().bytes(names.map(|name| each + name).sum())?;
                Body::Enum {
                    enumerators: enumeration.enumerators.clone(),
                    incomplete: enumeration.declaration,
                }
            }
            _ => Body::Plain,
        })
    }

    fn declared_members(
        &self,
        record: &Record,
        base: u64,
        around: &mut Around<'_>,
    ) -> Result<Vec<DeclaredMember>, TypeError> {
        let members = record.members.iter().map(|member| {
            let name = member.name.as_deref().unwrap_or("");
            let declaration = self.declare(member.type_id, name);
            let type_name = self.name(member.type_id);
            let text = name.len() + declaration.len() + type_name.len();
            self.budget().bytes((size_of::<DeclaredMember>() + text) as u64)?;
            let offset = base.saturating_add(member.offset);
            let unnamed = self.unnamed_record(member, &declaration, offset, around)?;
            Ok(DeclaredMember {
                name: member.name.clone(),
                type_name,
                declaration,
                offset,
                size: self.size_of(member.type_id).ok(),
                bits: member.bits,
                unnamed,
            })
        });
        members.collect()
    }

    /// The unnamed struct or union of a member, of its elements, or of what it points to.
    fn unnamed_record(
        &self,
        member: &Member,
        declaration: &str,
        offset: u64,
        around: &mut Around<'_>,
    ) -> Result<Option<UnnamedRecord>, TypeError> {
        let Some((id, found, behind_pointer)) = self.innermost(member.type_id)? else {
            return Ok(None);
        };
        let Type::Record(record) = &*found else { return Ok(None) };
        let Some((before, after)) = declaration.split_once(UNNAMED) else { return Ok(None) };
        if around.unnamed.contains(&id) {
            return Ok(None);
        }
        budget::level("the declaration", around.unnamed.len(), DEEPEST)?;
        around.share.work(record.members.len() as u64)?;
        around.unnamed.push(id);
        let base = if behind_pointer { 0 } else { offset };
        let members = self.declared_members(record, base, around)?;
        around.unnamed.pop();
        Ok(Some(UnnamedRecord {
            before: before.trim_end().to_owned(),
            after: after.trim_start().to_owned(),
            members,
            size: record.size,
            behind_pointer,
        }))
    }

    /// The unnamed record behind arrays, pointers and qualifiers, and whether there was a pointer.
    fn innermost(&self, mut id: TypeId) -> Result<Option<(TypeId, Arc<Type>, bool)>, TypeError> {
        let mut behind_pointer = false;
        for _ in 0..DEEPEST {
            let found = self.get(id)?;
            id = match &*found {
                Type::Array(array) => array.element,
                Type::Qualified(qualified) => qualified.target,
                Type::Pointer(pointer) => {
                    behind_pointer = true;
                    pointer.target
                }
                other if has_no_name(other) => return Ok(Some((id, found, behind_pointer))),
                _ => return Ok(None),
            };
        }
        Ok(None)
    }
}

fn has_no_name(found: &Type) -> bool {
    matches!(
        found,
        Type::Record(Record { name: None, .. }) | Type::Enum(Enumeration { name: None, .. })
    )
}
