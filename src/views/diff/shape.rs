//! How values of a type are compared, worked out once for each type.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::types::model::{RecordKind, Type};
use crate::types::{Field, TypeError, TypeId, Types};
use crate::value::number::is_char;
use crate::value::queue;
use crate::views::diff::fold::{self, Kind};

/// How the values of one type are compared.
#[derive(Debug)]
pub struct Shape {
    /// Bytes; 0 if it is not known.
    pub size: u64,
    /// The kind by which all differences in it are left out.
    pub kind: Option<Kind>,
    pub form: Form,
}

#[derive(Debug)]
pub enum Form {
    /// A number, or something else that is compared as a whole.
    Whole,
    /// A `counter_u64_t`.
    Counter,
    /// A pointer to this type.
    Pointer(TypeId),
    Record(Members),
    Array(Elements),
    /// It has no values.
    Nothing(TypeError),
}

/// The members of a struct or union.
#[derive(Debug)]
pub struct Members {
    pub all: Vec<Member>,
    /// All are in the same place.
    pub union: bool,
    /// The pointers of the head of a list: to its first element, and to its end if it has that.
    pub head: Option<(Field, Option<Field>)>,
}

#[derive(Debug)]
pub struct Member {
    /// `None` for an anonymous struct or union.
    pub name: Option<Box<str>>,
    pub field: Field,
}

#[derive(Debug)]
pub struct Elements {
    pub element: TypeId,
    /// Bytes of one.
    pub size: u64,
    /// How many in each dimension, the outermost first.
    pub counts: Vec<u64>,
    /// They are characters.
    pub characters: bool,
}

/// The shapes of one kernel's types.
#[derive(Debug, Default)]
pub struct Shapes(RefCell<FxHashMap<TypeId, Rc<Shape>>>);

impl Shapes {
    pub fn of(&self, types: &Types, id: TypeId) -> Rc<Shape> {
        if let Some(known) = self.0.borrow().get(&id) {
            return Rc::clone(known);
        }
        let shape = Rc::new(Shape::of(types, id));
        self.0.borrow_mut().insert(id, Rc::clone(&shape));
        shape
    }
}

/// Structs that are an address and nothing else, or a socket address: their members mean nothing
/// on their own.
const ADDRESSES: [&str; 6] =
    ["in_addr", "in6_addr", "sockaddr_in", "sockaddr_in6", "sockaddr_dl", "sockaddr_storage"];

impl Shape {
    /// Of a type that cannot be looked up.
    pub fn unknown() -> Self {
        Self { size: 0, kind: None, form: Form::Nothing(TypeError::NoDebugInfo) }
    }

    fn of(types: &Types, id: TypeId) -> Self {
        let kind = fold::of_type(types, id);
        let (size, form) = match (types.size_of(id), kind) {
            (Err(why), _) => (0, Form::Nothing(why)),
            (Ok(size), Some(Kind::Counter)) => (size, Form::Counter),
            (Ok(size), _) => (size, Form::of(types, id)),
        };
        Self { size, kind, form }
    }
}

impl Form {
    fn of(types: &Types, id: TypeId) -> Self {
        let (id, found) = match types.resolve(id) {
            Ok(found) => found,
            Err(why) => return Self::Nothing(why),
        };
        match &*found {
            Type::Pointer(pointer) => Self::Pointer(pointer.target),
            Type::Record(record) => {
                if record.name.as_deref().is_some_and(|name| ADDRESSES.contains(&name)) {
                    return Self::Whole;
                }
                let members = record.members.iter();
                // Padding has neither a name nor a meaning.
                let members = members.filter(|m| m.name.is_some() || m.bits.is_none());
                let all: Vec<Member> = members
                    .map(|member| Member {
                        name: member.name.clone(),
                        field: Field {
                            type_id: member.type_id,
                            offset: member.offset,
                            bits: member.bits,
                        },
                    })
                    .collect();
                let union = record.kind == RecordKind::Union;
                Self::Record(Members { head: head(types, id, &all), all, union })
            }
            Type::Array(array) => {
                let size = types.size_of(array.element).unwrap_or(0);
                let characters = matches!(
                    types.resolve(array.element).as_ref().map(|(_, found)| &**found),
                    Ok(Type::Base(base)) if is_char(base)
                );
                let counts = array.counts.iter().map(|count| count.unwrap_or(0)).collect();
                Self::Array(Elements { element: array.element, size, counts, characters })
            }
            _ => Self::Whole,
        }
    }
}

/// The pointers of the head of a list, if it is one.
fn head(types: &Types, id: TypeId, members: &[Member]) -> Option<(Field, Option<Field>)> {
    let first = members.first()?;
    let last = queue::last_of(first.name.as_deref()?)?;
    Some((first.field, last.and_then(|last| types.member(id, last).ok())))
}
