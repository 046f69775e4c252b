//! The part of a variable or object at an offset.

use super::model::{ObjectPart, PartPath};
use crate::addr::VirtAddr;
use crate::target::Target;
use crate::types::{TypeId, Types};

/// The part of a type at an offset; the offset alone where nothing tells.
pub fn path_at(types: Option<&Types>, type_id: Option<TypeId>, offset: u64) -> PartPath {
    match types.zip(type_id).map(|(types, id)| types.part_at(id, offset)) {
        Some(Ok(part)) => PartPath { path: part.path.into(), beyond: part.beyond },
        Some(Err(_)) | None => PartPath { path: "".into(), beyond: offset },
    }
}

/// The part at `address` of an object that begins at `start`.
pub fn object_part(
    target: &Target,
    type_name: &str,
    type_id: Option<TypeId>,
    start: VirtAddr,
    address: VirtAddr,
) -> ObjectPart {
    let offset = address.offset_from(start).unwrap_or(0);
    let part = path_at(target.types().ok(), type_id, offset);
    ObjectPart { type_name: type_name.into(), start, offset, part }
}
