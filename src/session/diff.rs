//! The sides of comparisons.

use super::Session;
use crate::error::Error;
use crate::value::Limits;
use crate::views::diff::{InitialValues, Side};
use crate::vnet::Stack;

impl Session {
    /// The values that a new network stack starts with.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn initial_values(&self) -> Result<InitialValues<'_>, Error> {
        let target = self.matching_target()?;
        Ok(InitialValues::find(target, &self.loaded().modules, |module| self.file_set(module)))
    }

    /// The initial values, as a side of a comparison.
    pub fn initial_side<'s>(&'s self, values: &'s InitialValues<'s>) -> Side<'s> {
        Side::initial(self.reader(&whole()), self.all_variables().ok(), values)
    }

    /// The copies of a network stack, as a side of a comparison.
    pub fn side<'s>(&'s self, stack: Stack<'s>) -> Side<'s> {
        Side::stack(self.reader(&whole()), self.all_variables().ok(), stack)
    }
}

/// Nothing of a value is left out.
fn whole() -> Limits {
    Limits::unlimited()
}
