//! Where pointers to functions lie in values of a type.

use crate::types::model::{Record, RecordKind, Type};
use crate::types::{TypeId, Types};

/// A pointer to a function in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The way to it, behind the name of the variable: `.pru_attach`; empty for the variable itself.
    pub path: String,
    /// Bytes from the start of the value.
    pub offset: u64,
}

/// Structs whose function is only called while something is pending, and stays there afterwards.
const PENDING: [&str; 4] = ["callout", "task", "timeout_task", "epoch_context"];

/// The most pointers of one variable, and elements of one array, that are looked at.
const MOST: usize = 256;

const MAX_DEPTH: usize = 8;

/// The pointers to functions in a value of this type. Unions are left out: nothing shows which
/// member holds.
pub(super) fn places(types: &Types, id: TypeId) -> Vec<Place> {
    let mut found = Vec::new();
    collect(types, id, &Place { path: String::new(), offset: 0 }, MAX_DEPTH, &mut found);
    found
}

fn collect(types: &Types, id: TypeId, at: &Place, depth: usize, found: &mut Vec<Place>) {
    let (Some(depth), Ok((id, resolved))) = (depth.checked_sub(1), types.resolve(id)) else {
        return;
    };
    if found.len() >= MOST {
        return;
    }
    match &*resolved {
        Type::Pointer(pointer) => {
            let to = types.resolve(pointer.target);
            if matches!(to.as_ref().map(|(_, to)| &**to), Ok(Type::Function(_))) {
                found.push(at.clone());
            }
        }
        Type::Array(array) => {
            let Ok(size) = types.size_of(array.element) else { return };
            let total = types.size_of(id).unwrap_or(0);
            let count = total.checked_div(size).unwrap_or(0).min(MOST as u64);
            for number in 0..count {
                let path = format!("{}[{number}]", at.path);
                let place = Place { path, offset: at.offset + number * size };
                let before = found.len();
                collect(types, array.element, &place, depth, found);
                if found.len() == before {
                    break;
                }
            }
        }
        Type::Record(Record { kind: RecordKind::Struct, name, members, .. }) => {
            if name.as_deref().is_some_and(|name| PENDING.contains(&name)) {
                return;
            }
            for member in members.iter().filter(|member| member.bits.is_none()) {
                let name = member.name.as_ref().map_or(String::new(), |name| format!(".{name}"));
                let path = format!("{}{name}", at.path);
                let place = Place { path, offset: at.offset.saturating_add(member.offset) };
                collect(types, member.type_id, &place, depth, found);
            }
        }
        _ => {}
    }
}
