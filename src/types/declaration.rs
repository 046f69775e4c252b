//! A type's declaration as plain data: what its members are called, and where they lie.

use std::borrow::Cow;
use std::sync::Arc;

use crate::budget::{self, Share};
use crate::types::c_name::UNNAMED;
use crate::types::model::*;
use crate::types::{TypeError, Types};

/// Unnamed records within unnamed records: real ones end long before this.
const DEEPEST: usize = 16;

/// Members of unnamed records in one declaration, which a damaged file can multiply.
const MOST_UNNAMED: u64 = 1 << 16;

/// Where in a declaration one is: the unnamed records around the place, of which none
/// is shown within itself.
struct Around<'b> {
    unnamed: Vec<TypeId>,
    share: Share<'b>,
}

/// A type as its declaration shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// As C spells it: `struct vnet`, `vnet_state_t`.
    pub name: String,
    /// The source file that it is from, where several have a type of that name.
    pub file: Option<Box<str>>,
    /// Bytes; `None` where the type is incomplete, is void, or is a function.
    pub size: Option<u64>,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Record {
        kind: RecordKind,
        members: Vec<DeclaredMember>,
        /// Declared here and nowhere defined.
        incomplete: bool,
    },
    Enum {
        enumerators: Vec<Enumerator>,
        incomplete: bool,
    },
    /// Another name for a type: the typedef's declaration, and the target's
    /// where it has no name of its own to ask for.
    Typedef {
        declaration: String,
        target: String,
        unnamed: Option<Box<Body>>,
    },
    /// Base types, pointers, arrays and functions, which their name tells in full.
    Plain,
}

/// One member of a struct or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredMember {
    /// `None` for an anonymous struct or union.
    pub name: Option<Box<str>>,
    pub type_name: String,
    /// The whole declaration in C, without what stands behind a colon: `char if_xname[16]`.
    pub declaration: String,
    /// Bytes from the start of the outermost declaration.
    pub offset: u64,
    /// `None` where the member's type is incomplete.
    pub size: Option<u64>,
    pub bits: Option<BitField>,
    /// The members of a struct or union without a name, which can be told only here.
    pub unnamed: Option<UnnamedRecord>,
}

/// A struct or union without a name, as it stands in a member's declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnnamedRecord {
    /// What stands before its brace: `struct`, `const union`.
    pub before: String,
    /// What stands behind its brace: nothing, `vnet_le`, `*slots[4]`.
    pub after: String,
    pub members: Vec<DeclaredMember>,
    /// Its own size, of which arrays hold several and pointers none.
    pub size: Option<u64>,
    /// The member holds a pointer to it, and its offsets start anew.
    pub behind_pointer: bool,
}

impl Declaration {
    /// The name that leads to this one among several: `struct elf_file@kern/link_elf.c`.
    pub fn full_name(&self) -> Cow<'_, str> {
        match &self.file {
            Some(file) => format!("{}@{file}", self.name).into(),
            None => Cow::Borrowed(&self.name),
        }
    }
}

impl Types {
    /// The declaration of a type; declarations elsewhere defined are completed.
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

    /// The unnamed struct or union that a member is, is an array of, or points to.
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

    /// The unnamed record behind arrays, pointers and qualifiers, and whether a pointer led there.
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
