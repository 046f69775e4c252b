//! Which debug file an entry is in, and where; packed into a [`TypeId`].

use crate::types::dwarf::UnitSection;
use crate::types::model::TypeId;

/// A debug file. The kernel's own is number 0, and those of modules follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileNumber(u16);

/// An offset in one of the two sections that hold units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub file: FileNumber,
    pub section: UnitSection,
    pub offset: u64,
}

/// Set in the id of a type that no entry describes.
const MADE: u64 = 1 << 63;
/// Set in the id of an entry of .debug_types.
const IN_TYPES: u64 = 1 << 62;
/// Where the file number is in an id. The offset is below it.
const FILE_SHIFT: u32 = 48;
const MOST_FILES: usize = 1 << 14;

impl TypeId {
    /// `void`. No entry has this id: a unit's header lies at offset 0.
    pub const VOID: Self = Self(0);

    /// The id of the `index`-th synthetic type.
    pub(super) fn synthetic(index: usize) -> Self {
        Self(MADE | index as u64)
    }

    /// The index that [`TypeId::synthetic`] was given.
    pub(super) fn synthetic_index(self) -> Option<usize> {
        (self.0 & MADE != 0).then_some((self.0 & !MADE) as usize)
    }
}

impl FileNumber {
    /// The number of the `count`-th module's file, from 1; `None` if an id has no room for
    /// it.
    pub fn of_module(count: usize) -> Option<Self> {
        u16::try_from(count).ok().filter(|_| count < MOST_FILES).map(Self)
    }

    /// The index among the modules' files, from 0; `None` for the kernel's own.
    pub fn module_index(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

impl Place {
    /// `None` if the offset is larger than any file.
    pub fn id(self) -> Option<TypeId> {
        let flag = match self.section {
            UnitSection::Info => 0,
            UnitSection::Types => IN_TYPES,
        };
        let file = u64::from(self.file.0) << FILE_SHIFT;
        (self.offset >> FILE_SHIFT == 0).then_some(TypeId(self.offset | file | flag))
    }

    /// The position of a type that was read; `None` for void and for synthetic types.
    pub fn of(id: TypeId) -> Option<Self> {
        if id == TypeId::VOID || id.synthetic_index().is_some() {
            return None;
        }
        let section = if id.0 & IN_TYPES != 0 { UnitSection::Types } else { UnitSection::Info };
        let file = FileNumber(((id.0 & !IN_TYPES) >> FILE_SHIFT) as u16);
        Some(Self { file, section, offset: id.0 & ((1 << FILE_SHIFT) - 1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_id() {
        let last = FileNumber::of_module(MOST_FILES - 1).unwrap();
        for file in [FileNumber::default(), FileNumber::of_module(1).unwrap(), last] {
            for section in [UnitSection::Info, UnitSection::Types] {
                let place = Place { file, section, offset: (1 << FILE_SHIFT) - 1 };
                assert_eq!(Place::of(place.id().unwrap()), Some(place));
                assert_eq!(Place { offset: 1 << FILE_SHIFT, ..place }.id(), None);
            }
        }
        assert_eq!(FileNumber::of_module(MOST_FILES), None);
        assert_eq!(Place::of(TypeId::synthetic(7)), None);
    }
}
