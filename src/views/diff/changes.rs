//! What two kernels declare differently.

use rustc_hash::FxHashSet;

use crate::types::model::{Base, Encoding, Type};
use crate::types::{TypeId, Types};
use crate::views::diff::comparison::Comparison;
use crate::views::diff::finding::Change;
use crate::views::diff::shape::{Form, Shape};

/// A part that is declared differently.
pub struct Declared {
    /// What leads to it: `.member`, or nothing.
    pub step: String,
    /// The name of its type.
    pub type_name: String,
    pub change: Change,
}

/// A type of either side, and its shape.
pub type Typed<'s> = (TypeId, &'s Shape);

impl Comparison<'_> {
    /// Whether the differences of these types have not been told yet: those of a struct are told
    /// once, wherever it is used.
    pub(super) fn is_new(&self, (old_id, old): Typed<'_>, (new_id, new): Typed<'_>) -> bool {
        let (Form::Record(_), Form::Record(_)) = (&old.form, &new.form) else { return true };
        let names = self.names(old_id, new_id).unwrap_or_default();
        if names.0.contains("{...}") || names.1.contains("{...}") {
            return true;
        }
        self.told.borrow_mut().insert(format!("{} {}", names.0, names.1))
    }

    /// How two types differ, with the members that only one has.
    pub(super) fn changes(
        &self,
        (old_id, old): Typed<'_>,
        (new_id, new): Typed<'_>,
    ) -> Vec<Declared> {
        let (Some(old_types), Some(new_types)) = (self.old.types, self.new.types) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        let names = || (old_types.name(old_id), new_types.name(new_id));
        let change = if meaning(old_types, old_id, 0) != meaning(new_types, new_id, 0) {
            let (old, new) = names();
            Some(Change::Type { old: old.into(), new: new.into() })
        } else if old.size != new.size {
            Some(Change::Size { old: old.size, new: new.size })
        } else {
            None
        };
        let type_name = || new_types.name(new_id);
        let whole = |change| Declared { step: String::new(), type_name: type_name(), change };
        changes.extend(change.map(whole));
        if let (Form::Record(_), Form::Record(_)) = (&old.form, &new.form) {
            let of_old = old_types.member_names(old_id).unwrap_or_default();
            let of_new = new_types.member_names(new_id).unwrap_or_default();
            changes.extend(only((old_types, old_id, &of_old), &of_new, &Change::OnlyOld));
            changes.extend(only((new_types, new_id, &of_new), &of_old, &Change::OnlyNew));
        }
        changes
    }
}

/// The members that `others` does not have.
fn only<'m>(
    (types, id, members): (&'m Types, TypeId, &'m [String]),
    others: &'m [String],
    change: &'m Change,
) -> impl Iterator<Item = Declared> + 'm {
    let others: FxHashSet<&str> = others.iter().map(String::as_str).collect();
    let only = members.iter().filter(move |name| !others.contains(name.as_str()));
    only.map(move |name| {
        let field = types.member(id, name);
        let type_name = field.map(|field| types.name(field.type_id)).unwrap_or_default();
        Declared { step: format!(".{name}"), type_name, change: change.clone() }
    })
}

/// What a type is behind typedefs and qualifiers, the same for both kernels: one may say `u_int`
/// and the other `unsigned int`.
fn meaning(types: &Types, id: TypeId, depth: usize) -> String {
    /// Pointers to pointers and arrays of arrays end long before this.
    const DEEPEST: usize = 8;
    if depth > DEEPEST {
        return String::new();
    }
    let inner = |id| meaning(types, id, depth + 1);
    match types.strip(id).as_ref().map(|(_, found)| &**found) {
        Ok(Type::Base(base)) => number(base),
        Ok(Type::Pointer(pointer)) => format!("*{}", inner(pointer.target)),
        Ok(Type::Array(array)) => format!("{}{:?}", inner(array.element), array.counts),
        Ok(Type::Function(_)) => "()".to_owned(),
        Ok(Type::Record(record)) => format!("{:?} {:?}", record.kind, record.name),
        Ok(Type::Enum(found)) => format!("enum {:?}", found.name),
        Ok(_) => "void".to_owned(),
        Err(_) => String::new(),
    }
}

fn number(base: &Base) -> String {
    let kind = match base.encoding {
        Encoding::Signed | Encoding::SignedChar => "signed",
        Encoding::Unsigned | Encoding::UnsignedChar | Encoding::Utf => "unsigned",
        Encoding::Bool => "bool",
        Encoding::Float => "float",
        Encoding::Other => "other",
    };
    format!("{kind} {}", base.size)
}
