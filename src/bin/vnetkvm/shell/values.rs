//! The values that the shell keeps: `$1`, `$`, and those that `let` gave a name.

use std::rc::Rc;

use vnetkvm::expr::{Kept, KeptValue};

/// What later expressions may name.
#[derive(Default)]
pub struct Values(Rc<Kept>);

impl Values {
    /// For one line.
    pub fn share(&self) -> Rc<Kept> {
        Rc::clone(&self.0)
    }

    pub fn kept(&self) -> &Kept {
        &self.0
    }

    /// Adds the value of a line that has ended.
    pub fn push(&mut self, value: KeptValue) {
        if let Some(kept) = Rc::get_mut(&mut self.0) {
            kept.push(value);
        }
    }

    /// Gives a value a name.
    pub fn name(&mut self, name: &str, value: KeptValue) {
        if let Some(kept) = Rc::get_mut(&mut self.0) {
            kept.name(name, value);
        }
    }
}
