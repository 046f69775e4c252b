//! Types by name.

use crate::types::ctf::CtfFile;
use crate::types::ctf::table::{Entry, Kind};
use crate::types::model::TypeId;
use crate::types::name_index::{Class, NameIndex, Named, Outline, hash};
use crate::types::spelling;

impl CtfFile {
    /// An index of all names.
    pub fn index_names(&self) -> NameIndex {
        let mut index = NameIndex::default();
        for id in self.table.ids() {
            if let Some(named) = self.named(id) {
                index.add(named);
            }
        }
        index
    }

    fn named(&self, id: u32) -> Option<Named> {
        let entry = self.table.entry(&self.container, id).ok()?;
        let class = self.class_of(&entry)?;
        let name = self.container.name(entry.name).ok()??;
        let name = match entry.kind {
            Kind::Integer | Kind::Float => hash(&spelling::canonical(name)),
            _ => hash(name),
        };
        // There are no lines. Numbers keep types of the same name and size apart.
        let outline = Outline { size: entry.size as u32, line: id, first: 0 };
        Some(Named { key: (class, name), id: self.id(id)?, outline })
    }

    /// The name of a type.
    pub fn name_of(&self, id: TypeId) -> Option<String> {
        let (_, place) = id.place()?;
        let entry = self.entry(u32::try_from(place).ok()?).ok()?;
        let name = self.container.name(entry.name).ok()??;
        Some(match entry.kind {
            Kind::Integer | Kind::Float => spelling::canonical(name),
            _ => name.to_owned(),
        })
    }

    fn class_of(&self, entry: &Entry) -> Option<Class> {
        match entry.kind {
            // The types of bit-fields have the names of whole ones.
            Kind::Integer if self.narrow_bits(entry).is_some() => None,
            Kind::Integer | Kind::Float | Kind::Typedef => Some(Class::Plain),
            Kind::Struct => Some(Class::Struct),
            Kind::Union => Some(Class::Union),
            Kind::Enum => Some(Class::Enum),
            _ => None,
        }
    }
}
