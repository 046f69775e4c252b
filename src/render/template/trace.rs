//! Whether a path led anywhere: a name that no element has was probably mistyped.

use std::collections::BTreeSet;

use super::parse::{Step, shown};

/// No element of an answer has what a path asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(path, *wanted))]
pub struct NotFound {
    /// The path as far as no element has it: `vnet.indx`.
    pub path: String,
    /// What its last step asks for.
    pub wanted: Wanted,
    /// The name of the member that no element has; empty if elements of an array are wanted.
    pub name: String,
    /// The names that there are in its place.
    pub names: Vec<String>,
}

/// What a step of a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A member of an object.
    Member,
    /// Elements of an array.
    Elements,
}

fn told(path: &str, wanted: Wanted) -> String {
    match wanted {
        Wanted::Member => format!("no element of the answer has a member {path}"),
        Wanted::Elements => format!("no element of the answer has an array at {path}"),
    }
}

/// What the walks along one path came to.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// One of them reached the end.
    arrived: bool,
    /// Where the one that came furthest ended, if nothing is there.
    lacking: Option<Lacking>,
}

#[derive(Debug)]
struct Lacking {
    /// The number of steps that were left.
    left: usize,
    /// The names of what is there instead.
    names: BTreeSet<String>,
}

impl Trace {
    /// A walk reached the end of its path.
    pub fn arrive(&mut self) {
        self.arrived = true;
        self.lacking = None;
    }

    /// Whether names are of interest that are met where `left` steps are left.
    pub fn wants_names(&self, left: usize) -> bool {
        !self.arrived && self.lacking.as_ref().is_none_or(|lacking| left <= lacking.left)
    }

    /// A walk met something that has not what the next step asks for, but perhaps `names`.
    pub fn lack(&mut self, left: usize, names: impl IntoIterator<Item = String>) {
        /// No struct has so many members, but keys could.
        const MOST_NAMES: usize = 4096;
        if !self.wants_names(left) {
            return;
        }
        let lacking = self.lacking.get_or_insert(Lacking { left, names: BTreeSet::new() });
        if left < lacking.left {
            *lacking = Lacking { left, names: BTreeSet::new() };
        }
        let room = MOST_NAMES.saturating_sub(lacking.names.len());
        lacking.names.extend(names.into_iter().take(room));
    }

    /// What no walk along the path has found, if none has found it and one could have.
    pub fn not_found(&self, path: &[Step]) -> Option<NotFound> {
        let Lacking { left, names } = self.lacking.as_ref()?;
        let (reached, rest) = path.split_at_checked(path.len().checked_sub(*left)?)?;
        let step = rest.first()?;
        let (name, wanted) = match step {
            Step::Member(name) => (name.to_string(), Wanted::Member),
            Step::Index(_) | Step::All => (String::new(), Wanted::Elements),
        };
        let path = match wanted {
            Wanted::Member => shown(&[reached, std::slice::from_ref(step)].concat()),
            Wanted::Elements => shown(reached),
        };
        Some(NotFound { path, wanted, name, names: names.iter().cloned().collect() })
    }
}
