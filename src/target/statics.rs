//! Static variables that no symbol leads to, by their place in the debug information.

use super::Target;
use crate::target::ReadError;
use crate::types::{Kept, Piece, Static, Variable};

impl Target {
    /// The static variables of that name that have a place, those of files before those of
    /// functions; none without types.
    pub fn statics(&self, name: &str) -> Vec<Static> {
        self.types().map_or_else(|_| Vec::new(), |types| types.statics(name))
    }

    /// Where the bytes of a static variable are.
    ///
    /// # Errors
    /// Its location is damaged, or needs memory that cannot be read.
    pub fn pieces(&self, variable: &Static) -> Result<Vec<Piece>, ReadError> {
        let memory = self.memory();
        self.types()?.pieces(variable, &|at, size| Ok(memory.uint(at, size.min(8) as usize)?))
    }

    /// The variable of a file that has this name and lies in memory in one piece.
    pub(super) fn whole_static(&self, name: &str) -> Option<Variable> {
        let of_files = self.statics(name).into_iter().filter(|found| found.function.is_none());
        of_files.into_iter().find_map(|found| match self.pieces(&found).ok()?.as_slice() {
            [Piece { kept: Kept::At(address), .. }] => {
                let Static { name, type_id, file, .. } = found;
                Some(Variable { name, type_id, address: *address, file })
            }
            _ => None,
        })
    }
}
