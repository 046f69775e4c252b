//! Values that are kept under a name: `$1`, `$`, `$ifp`.

use rustc_hash::FxHashMap;

use crate::expr::eval::{ExprError, Operand};

/// Values that expressions find under a name: those of earlier expressions by number, and those
/// that were given a name.
///
/// A value is kept as the place that it was read from, as in gdb. On a running machine it changes.
#[derive(Debug, Default)]
pub struct Kept {
    history: Vec<Operand>,
    named: FxHashMap<Box<str>, Operand>,
}

/// A value to keep, which an [`Evaluation`](crate::session::Evaluation) gives.
#[derive(Debug, Clone)]
pub struct KeptValue(Operand);

impl From<Operand> for KeptValue {
    fn from(operand: Operand) -> Self {
        Self(operand)
    }
}

impl Kept {
    /// Adds a value to the history. Returns its number, from 1.
    pub fn push(&mut self, KeptValue(operand): KeptValue) -> usize {
        self.history.push(operand);
        self.history.len()
    }

    /// Gives a value a name, which is taken from the value that had it.
    pub fn name(&mut self, name: &str, KeptValue(operand): KeptValue) {
        self.named.insert(name.into(), operand);
    }

    /// The names that were given, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.named.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    /// How many values the history has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.history.len()
    }

    /// Whether the history is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.history.is_empty()
    }

    /// What `$name` is. `$` and `$_` are the last value, `$$` the one before it, `$$3` the third
    /// before it, `$3` the third of all.
    ///
    /// # Errors
    /// Nothing has the name.
    pub(super) fn get(&self, name: &str) -> Result<Operand, ExprError> {
        let last = self.history.len();
        let before = |count: usize| last.checked_sub(1)?.checked_sub(count);
        let index = match name {
            "" | "_" => before(0),
            "$" => before(1),
            _ => match name.strip_prefix('$') {
                Some(count) => count.parse().ok().and_then(before),
                None => name.parse().ok().and_then(|number: usize| number.checked_sub(1)),
            },
        };
        let found = self.named.get(name).or_else(|| self.history.get(index?));
        found.cloned().ok_or_else(|| {
            let near = self.names().iter().map(|name| format!("${name}")).collect();
            ExprError::NothingKept { name: format!("${name}"), near }
        })
    }
}
