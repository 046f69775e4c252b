//! Which types can be written in a debugger's expression.

use crate::budget::Share;
use crate::types::Types;
use crate::types::c_name::MOST_PARTS;
use crate::types::model::*;

/// The deepest nesting of types. Real code stays far below it.
const DEEPEST: usize = 32;

/// The words of C's own types. gdb cannot parse others, such as `__int128`.
const WORDS: [&str; 11] = [
    "char", "short", "int", "long", "signed", "unsigned", "float", "double", "_Bool", "bool",
    "void",
];

impl Types {
    /// Can this type be written in a debugger's expression?
    ///
    /// It cannot if a part of it has no name, or if it names a struct that its own
    /// unit only declares: there may be no definition, or several.
    pub fn can_be_written(&self, id: TypeId) -> bool {
        let parts = self.budget().share("the name of a type", MOST_PARTS);
        self.can_be_written_within(id, &parts, DEEPEST)
    }

    fn can_be_written_within(&self, id: TypeId, parts: &Share<'_>, depth: usize) -> bool {
        let (Some(depth), Ok(())) = (depth.checked_sub(1), parts.work(1)) else { return false };
        let Ok(found) = self.get(id) else { return false };
        let part = |id| self.can_be_written_within(id, parts, depth);
        match &*found {
            Type::Void | Type::Typedef(_) => true,
            Type::Base(base) => base.name.split(' ').all(|word| WORDS.contains(&word)),
            Type::Record(record) => record.name.is_some() && !record.declaration,
            Type::Enum(enumeration) => enumeration.name.is_some() && !enumeration.declaration,
            Type::Pointer(pointer) => part(pointer.target),
            Type::Qualified(qualified) => part(qualified.target),
            Type::Array(array) => part(array.element),
            Type::Function(function) => {
                !function.variadic
                    && part(function.returns)
                    && function.parameters.iter().all(|parameter| part(*parameter))
            }
        }
    }
}
