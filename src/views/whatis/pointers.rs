//! Where a type has pointers to structs.

use crate::types::model::{RecordKind, Type};
use crate::types::{TypeError, TypeId, Types};

/// What is known of a type whose pointers are followed.
#[derive(Debug)]
pub struct Plan {
    /// The type.
    pub type_id: TypeId,
    /// Bytes of an object.
    pub size: u64,
    /// Its pointers to structs, in order.
    pub pointers: Vec<PointerField>,
}

/// A pointer to a struct.
#[derive(Debug)]
pub struct PointerField {
    /// Bytes from the start of the object.
    pub offset: u64,
    /// As C writes it after the name of the object: `.if_link.cstqe_next`, `[3]`.
    pub path: Box<str>,
    /// What it points to.
    pub target: TypeId,
    /// It leads to the next element of the same list or tree.
    pub is_link: bool,
}

/// More pointers of one type are not followed.
const MOST_POINTERS: usize = 4096;

/// Elements of one array that are looked at.
const MOST_ELEMENTS: u64 = 1024;

/// The deepest nesting of structs and arrays.
const MAX_DEPTH: usize = 12;

/// The links of `sys/sys/queue.h`, `ck_queue.h` and `sys/sys/tree.h` that lead on.
const LINKS: [&str; 9] = [
    "le_next",
    "sle_next",
    "stqe_next",
    "tqe_next",
    "cle_next",
    "csle_next",
    "cstqe_next",
    "rbe_left",
    "rbe_right",
];

impl Plan {
    /// The plan of a type.
    ///
    /// # Errors
    /// The type is incomplete, or its entry is damaged; the budget is exhausted.
    pub fn of(types: &Types, id: TypeId) -> Result<Self, TypeError> {
        let type_id = types.resolve(id)?.0;
        let mut plan = Self { type_id, size: types.size_of(type_id)?, pointers: Vec::new() };
        plan.collect(types, type_id, "", 0, MAX_DEPTH)?;
        Ok(plan)
    }

    /// Adds the pointers of a part. A part of a union may be another than the type says.
    fn collect(
        &mut self,
        types: &Types,
        id: TypeId,
        path: &str,
        offset: u64,
        depth: usize,
    ) -> Result<(), TypeError> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
        types.budget().work(1)?;
        match &*types.resolve(id)?.1 {
            Type::Pointer(pointer) => {
                let is_struct = matches!(&*types.strip(pointer.target)?.1, Type::Record(record)
                    if record.kind != RecordKind::Union);
                if is_struct && self.pointers.len() < MOST_POINTERS {
                    let last = path.rsplit('.').next().unwrap_or_default();
                    let is_link = path.contains('.') && LINKS.contains(&last);
                    let target = pointer.target;
                    self.pointers.push(PointerField { offset, path: path.into(), target, is_link });
                }
            }
            Type::Record(record) if record.kind != RecordKind::Union => {
                for member in record.members.iter().filter(|member| member.bits.is_none()) {
                    let name = member.name.as_deref();
                    let path = name.map_or(path.to_owned(), |name| format!("{path}.{name}"));
                    let offset = offset.saturating_add(member.offset);
                    // A damaged entry loses its own pointers only.
                    let _ = self.collect(types, member.type_id, &path, offset, depth);
                }
            }
            Type::Array(array) => {
                let [Some(count)] = array.counts[..] else { return Ok(()) };
                let (size, before) = (types.size_of(array.element)?, self.pointers.len());
                for index in 0..count.min(MOST_ELEMENTS) {
                    let (path, offset) = (
                        format!("{path}[{index}]"),
                        index.saturating_mul(size).saturating_add(offset),
                    );
                    self.collect(types, array.element, &path, offset, depth)?;
                    // All elements have the same as the first.
                    if self.pointers.len() == before {
                        break;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
