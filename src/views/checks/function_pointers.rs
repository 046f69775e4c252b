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

/// The most members and elements of one variable that are looked at.
const MOST_PARTS: usize = 20_000;

const MAX_DEPTH: usize = 8;

/// The pointers to functions in a value of this type. Unions are left out: nothing shows which
/// member holds.
pub(super) fn places(types: &Types, id: TypeId) -> Vec<Place> {
    let mut search = Search { types, found: Vec::new(), parts: 0 };
    search.collect(id, &Place { path: String::new(), offset: 0 }, MAX_DEPTH);
    search.found
}

struct Search<'t> {
    types: &'t Types,
    found: Vec<Place>,
    /// How many parts were looked at.
    parts: usize,
}

impl Search<'_> {
    fn collect(&mut self, id: TypeId, at: &Place, depth: usize) {
        self.parts += 1;
        let (Some(depth), Ok((id, resolved))) = (depth.checked_sub(1), self.types.resolve(id))
        else {
            return;
        };
        if self.found.len() >= MOST || self.parts > MOST_PARTS {
            return;
        }
        match &*resolved {
            Type::Pointer(pointer) => {
                let to = self.types.resolve(pointer.target);
                if matches!(to.as_ref().map(|(_, to)| &**to), Ok(Type::Function(_))) {
                    self.found.push(at.clone());
                }
            }
            Type::Array(array) => self.array(id, array.element, at, depth),
            Type::Record(record) if record.kind == RecordKind::Struct => {
                self.members(record, at, depth);
            }
            _ => {}
        }
    }

    fn array(&mut self, id: TypeId, element: TypeId, at: &Place, depth: usize) {
        let Ok(size) = self.types.size_of(element) else { return };
        let total = self.types.size_of(id).unwrap_or(0);
        for number in 0..total.checked_div(size).unwrap_or(0).min(MOST as u64) {
            let path = format!("{}[{number}]", at.path);
            let place = Place { path, offset: at.offset.saturating_add(number * size) };
            let before = self.found.len();
            self.collect(element, &place, depth);
            if self.found.len() == before {
                return;
            }
        }
    }

    fn members(&mut self, record: &Record, at: &Place, depth: usize) {
        if record.name.as_deref().is_some_and(|name| PENDING.contains(&name)) {
            return;
        }
        for member in record.members.iter().filter(|member| member.bits.is_none()) {
            let name = member.name.as_ref().map_or(String::new(), |name| format!(".{name}"));
            let path = format!("{}{name}", at.path);
            let place = Place { path, offset: at.offset.saturating_add(member.offset) };
            self.collect(member.type_id, &place, depth);
        }
    }
}
