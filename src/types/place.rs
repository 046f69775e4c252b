//! Where in a debug file an entry lies, packed into a [`TypeId`].

use crate::types::dwarf::UnitSection;
use crate::types::model::TypeId;

/// An offset in one of the two sections that hold units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub section: UnitSection,
    pub offset: u64,
}

/// Set in the id of a type that no entry of a file describes.
const MADE: u64 = 1 << 63;
/// Set in the id of an entry of .debug_types.
const IN_TYPES: u64 = 1 << 62;

impl TypeId {
    /// `void`. No entry has this id: a unit's header lies at offset 0.
    pub const VOID: Self = Self(0);

    /// The id of the `index`-th type that was made, not read.
    pub(super) fn made(index: usize) -> Self {
        Self(MADE | index as u64)
    }

    /// The index that [`TypeId::made`] was given.
    pub(super) fn made_index(self) -> Option<usize> {
        (self.0 & MADE != 0).then_some((self.0 & !MADE) as usize)
    }
}

impl Place {
    pub fn info(offset: u64) -> Self {
        Self { section: UnitSection::Info, offset }
    }

    /// `None` for an offset larger than any file.
    pub fn id(self) -> Option<TypeId> {
        let flag = match self.section {
            UnitSection::Info => 0,
            UnitSection::Types => IN_TYPES,
        };
        (self.offset < IN_TYPES).then_some(TypeId(self.offset | flag))
    }

    /// The place of a type that was read; `None` for void and for made types.
    pub fn of(id: TypeId) -> Option<Self> {
        if id == TypeId::VOID || id.made_index().is_some() {
            return None;
        }
        let section = if id.0 & IN_TYPES != 0 { UnitSection::Types } else { UnitSection::Info };
        Some(Self { section, offset: id.0 & !IN_TYPES })
    }
}
