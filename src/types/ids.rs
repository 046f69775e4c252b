//! Which file a type is in, and where there; packed into a [`TypeId`].

use crate::types::TypeError;
use crate::types::model::TypeId;

/// A file with types. The kernel's own is number 0, and those of modules follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileNumber(u16);

/// Set in the id of a type that no file describes.
const MADE: u64 = 1 << 63;
/// Where the file number is in an id. The place in the file is below it.
const FILE_SHIFT: u32 = 49;
const MOST_FILES: usize = 1 << 14;

impl TypeId {
    /// `void`. No file has a type at place 0.
    pub const VOID: Self = Self(0);

    /// The id of the `index`-th synthetic type.
    pub(super) fn synthetic(index: usize) -> Self {
        Self(MADE | index as u64)
    }

    /// The index that [`TypeId::synthetic`] was given.
    pub(super) fn synthetic_index(self) -> Option<usize> {
        (self.0 & MADE != 0).then_some((self.0 & !MADE) as usize)
    }

    /// The id of what is at a place of a file, in the terms of its format. `None` if the
    /// place has more than 49 bits.
    pub(super) fn in_file(file: FileNumber, place: u64) -> Option<Self> {
        (place >> FILE_SHIFT == 0).then_some(Self(place | u64::from(file.0) << FILE_SHIFT))
    }

    /// The file and the place that [`TypeId::in_file`] was given; `None` for void and for
    /// synthetic types.
    pub(super) fn place(self) -> Option<(FileNumber, u64)> {
        if self == Self::VOID || self.synthetic_index().is_some() {
            return None;
        }
        Some((FileNumber((self.0 >> FILE_SHIFT) as u16), self.0 & ((1 << FILE_SHIFT) - 1)))
    }

    /// The file of a type that was read.
    pub(super) fn file(self) -> Option<FileNumber> {
        self.place().map(|(file, _)| file)
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

/// The error for an id whose file is not among those at hand.
pub fn foreign() -> TypeError {
    TypeError::Unreadable { why: "a type id of another kernel".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_id() {
        let last = FileNumber::of_module(MOST_FILES - 1).unwrap();
        for file in [FileNumber::default(), FileNumber::of_module(1).unwrap(), last] {
            for place in [1, (1 << FILE_SHIFT) - 1] {
                let id = TypeId::in_file(file, place).unwrap();
                assert_eq!(id.place(), Some((file, place)));
            }
            assert_eq!(TypeId::in_file(file, 1 << FILE_SHIFT), None);
        }
        assert_eq!(FileNumber::of_module(MOST_FILES), None);
        assert_eq!(TypeId::synthetic(7).place(), None);
        assert_eq!(TypeId::VOID.place(), None);
    }
}
