//! Which variable is compared with which.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::answers::variables::{Described, described};
use crate::session::Session;
use crate::views::diff::Change;
use crate::vnet::SetVariable;

/// Variables of both sides, matched by name.
#[derive(Debug, Default)]
pub struct Matched {
    /// Those that both sides have: the old side's, and the new side's.
    pub both: Vec<(SetVariable, Arc<Described>)>,
    /// Those that only one side has.
    pub single: Vec<(Arc<Described>, Change)>,
}

impl Matched {
    /// The variables of a kernel, each compared with itself.
    pub fn alone(session: &Session, variables: Vec<SetVariable>) -> Self {
        let both = named(session, variables).into_iter();
        let both = both.map(|named| (named.variable.clone(), named)).collect();
        Self { both, single: Vec::new() }
    }

    /// The variables of a kernel with those of another one.
    pub fn with_other(
        (session, variables): (&Session, Vec<SetVariable>),
        (other, of_other): (&Session, Vec<SetVariable>),
    ) -> Self {
        let mut old = ByName::new(named(other, of_other));
        let new = named(session, variables);
        let mut found: Vec<_> = new.iter().map(|named| old.of_same_file(named)).collect();
        let mut left = FxHashMap::<Key<'_>, usize>::default();
        for (named, _) in new.iter().zip(&found).filter(|(_, found)| found.is_none()) {
            *left.entry(key(named)).or_default() += 1;
        }
        // A file may have been renamed.
        for (named, found) in new.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            if left.get(&key(named)) == Some(&1) {
                *found = old.only(named);
            }
        }
        let mut matched = Self::default();
        for (named, found) in new.iter().zip(found) {
            match found {
                Some(old) => matched.both.push((old.variable.clone(), Arc::clone(named))),
                None => matched.single.push((Arc::clone(named), Change::OnlyNew)),
            }
        }
        matched.single.extend(old.rest().into_iter().map(|old| (old, Change::OnlyOld)));
        matched
    }

    /// Whether no variable is compared.
    pub fn is_empty(&self) -> bool {
        self.both.is_empty() && self.single.is_empty()
    }
}

/// Name and module.
type Key<'a> = (&'a str, &'a str);

fn key(named: &Described) -> Key<'_> {
    (&named.variable.name, &named.variable.module)
}

fn named(session: &Session, mut variables: Vec<SetVariable>) -> Vec<Arc<Described>> {
    // Module space consists of the modules' variables, which are compared as such.
    variables.retain(|variable| !variable.is_module_space());
    described(session, variables)
}

/// Variables that have not found a counterpart, by name and module.
struct ByName(FxHashMap<OwnKey, Vec<Arc<Described>>>);

type OwnKey = (Box<str>, Box<str>);

impl ByName {
    fn new(variables: Vec<Arc<Described>>) -> Self {
        let mut all = FxHashMap::<_, Vec<_>>::default();
        for named in variables {
            let key = (named.variable.name.clone(), named.variable.module.clone());
            all.entry(key).or_default().push(named);
        }
        Self(all)
    }

    fn of_same_file(&mut self, named: &Described) -> Option<Arc<Described>> {
        let same = self.named(named)?;
        let is_of_file = |other: &Arc<Described>| other.variable.file == named.variable.file;
        let place = same.iter().position(is_of_file)?;
        Some(same.remove(place))
    }

    /// The counterpart, if there is only one.
    fn only(&mut self, named: &Described) -> Option<Arc<Described>> {
        let same = self.named(named)?;
        if same.len() == 1 { same.pop() } else { None }
    }

    fn named(&mut self, named: &Described) -> Option<&mut Vec<Arc<Described>>> {
        let SetVariable { name, module, .. } = &named.variable;
        self.0.get_mut(&(name.clone(), module.clone()))
    }

    fn rest(self) -> Vec<Arc<Described>> {
        let mut rest: Vec<Arc<Described>> = self.0.into_values().flatten().collect();
        rest.sort_by(|a, b| (&a.title, a.variable.master).cmp(&(&b.title, b.variable.master)));
        rest
    }
}
