//! Where an entry of the DWARF tree is, as a [`TypeId`] says it.

use crate::types::dwarf::sections::UnitSection;
use crate::types::ids::FileNumber;
use crate::types::model::TypeId;

/// An offset in one of the two sections that hold units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub file: FileNumber,
    pub section: UnitSection,
    pub offset: u64,
}

/// Set for an entry of .debug_types. The offset is below it.
const IN_TYPES: u64 = 1 << 48;

impl Place {
    /// `None` if the offset is larger than any file.
    pub fn id(self) -> Option<TypeId> {
        let flag = match self.section {
            UnitSection::Info => 0,
            UnitSection::Types => IN_TYPES,
        };
        let place = Some(self.offset).filter(|offset| *offset < IN_TYPES)? | flag;
        TypeId::in_file(self.file, place)
    }

    /// The position of a type that was read; `None` for void and for synthetic types.
    pub fn of(id: TypeId) -> Option<Self> {
        let (file, place) = id.place()?;
        let section = if place & IN_TYPES != 0 { UnitSection::Types } else { UnitSection::Info };
        Some(Self { file, section, offset: place & !IN_TYPES })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_id() {
        for file in [FileNumber::default(), FileNumber::of_module(1).unwrap()] {
            for section in [UnitSection::Info, UnitSection::Types] {
                let place = Place { file, section, offset: IN_TYPES - 1 };
                assert_eq!(Place::of(place.id().unwrap()), Some(place));
                assert_eq!(Place { offset: IN_TYPES, ..place }.id(), None);
            }
        }
        assert_eq!(Place::of(TypeId::synthetic(7)), None);
    }
}
