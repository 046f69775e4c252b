//! What a comparison finds: differences, what is unknown, and what only one side has.

use crate::addr::VirtAddr;
use crate::value::model::{Value, ValueError};
use crate::views::diff::fold::{Folded, Kind};

/// Everything about one variable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// In the order of the variable's members.
    pub list: Vec<Finding>,
    /// The differences that were left out.
    pub folded: Folded,
}

/// Something about a variable or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The members and elements that lead to it from the variable: `ipi_count`,
    /// `[0..1023].head.tqh_first`. Empty for the variable itself.
    pub path: String,
    /// Its type on the new side, as C spells it; empty if it is not known.
    pub type_name: Box<str>,
    /// Where it lies on the new side, or the first of its elements; `None` if it lies nowhere.
    pub address: Option<VirtAddr>,
    /// What is found.
    pub what: What,
}

/// What is found about a part of a variable.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// It differs.
    Differs {
        /// The value that it is compared with.
        old: Value,
        /// Its own value.
        new: Value,
        /// The kind by which it is usually left out.
        folded: Option<Kind>,
    },
    /// It cannot be read, or not be compared.
    Unknown {
        /// The side that cannot be read; `None` if both can, but what they say cannot be compared.
        side: Option<Which>,
        /// Why.
        why: ValueError,
    },
    /// The sides have different types for it.
    Changed(Change),
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// What is compared with.
    Old,
    /// What is compared.
    New,
}

/// How the two sides declare something differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only the old side has it.
    OnlyOld,
    /// Only the new side has it.
    OnlyNew,
    /// Its type has another name, as C spells it.
    Type {
        /// On the old side.
        old: Box<str>,
        /// On the new side.
        new: Box<str>,
    },
    /// The type of that name has another size, in bytes.
    Size {
        /// On the old side.
        old: u64,
        /// On the new side.
        new: u64,
    },
}

impl Which {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }
}

impl Change {
    /// The name in JSON: `only-old`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OnlyOld => "only-old",
            Self::OnlyNew => "only-new",
            Self::Type { .. } => "type",
            Self::Size { .. } => "size",
        }
    }
}

impl What {
    /// Counters say the same if their sums do.
    fn says_the_same(&self, other: &Self) -> bool {
        let same = |one: &Value, other: &Value| match (one, other) {
            (Value::Counter { sum: one, .. }, Value::Counter { sum: other, .. }) => one == other,
            _ => one == other,
        };
        match (self, other) {
            (
                Self::Differs { old, new, folded },
                Self::Differs { old: other_old, new: other_new, folded: other_folded },
            ) => same(old, other_old) && same(new, other_new) && folded == other_folded,
            _ => self == other,
        }
    }
}

impl Finding {
    /// Whether it is a difference of values.
    #[must_use]
    pub fn is_difference(&self) -> bool {
        matches!(self.what, What::Differs { .. })
    }

    /// Whether it says the same as another one about another place.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.path == other.path && self.what.says_the_same(&other.what)
    }

    /// Puts a member or element in front of its path.
    pub(super) fn below(&mut self, step: &str) {
        self.path.insert_str(0, step);
    }

    /// Ends a path that was built from steps such as `.member` and `[3]`.
    pub(super) fn finish(&mut self) {
        if self.path.starts_with('.') {
            self.path.remove(0);
        }
    }
}
