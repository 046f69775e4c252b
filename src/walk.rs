//! What a walk found, and why it ended: the one result of every walk over lists,
//! trees and tables in kernel memory.
//!
//! A list that breaks off has the elements before the break, and says nothing of
//! those behind it. So the elements of a [`Walk`] are given away only together
//! with its problems: "none" and "no such" can be said of a whole walk alone, and
//! of a broken one the answer is the [`Problem`] that keeps it unknown.

use std::fmt;

use rustc_hash::FxHashSet;
use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::budget::{Budget, Exhausted};
use crate::target::ReadError;

/// Elements in the order in which they were found, and what kept others from being found.
#[must_use]
#[derive(Debug, Clone)]
pub struct Walk<T> {
    elements: Vec<T>,
    problems: Problems,
}

/// What could not be read, each thing once.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    /// How many more there are than are kept: a damaged table has thousands.
    more: usize,
}

/// One thing that could not be read, and that leaves something unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What could not be read, as a person calls it: `allprison`, `V_ifnet of vnet 2`.
    pub what: Box<str>,
    /// Where in kernel memory it went wrong, where that is one place.
    pub at: Option<VirtAddr>,
    pub why: Why,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The walk came back to an element that it had seen.
    Cycle,
    /// It would have cost more than the budget allows.
    Limit(Exhausted),
    /// The next pointer cannot be read, or leads to freed memory. `element` is what lies
    /// at the place: `prison`, `interface`.
    Unreadable { element: Box<str>, why: Box<ReadError> },
    /// One element cannot be read, which keeps nothing else from being known.
    Element { element: Box<str>, why: Box<ReadError> },
    /// In words.
    Other(Box<str>),
}

/// The way of a walk: what it has seen, and what it may still spend.
#[derive(Debug)]
pub struct Trail<'b> {
    budget: &'b Budget,
    seen: FxHashSet<VirtAddr>,
}

impl<'b> Trail<'b> {
    pub fn new(budget: &'b Budget) -> Self {
        Self { budget, seen: FxHashSet::default() }
    }

    /// Notes that the walk has come to `at`.
    ///
    /// # Errors
    /// It was there before, or the budget ends here.
    pub fn visit(&mut self, at: VirtAddr) -> Result<(), Why> {
        self.budget.work(1)?;
        if self.seen.insert(at) { Ok(()) } else { Err(Why::Cycle) }
    }

    /// Was it there?
    #[must_use]
    pub fn has_seen(&self, at: VirtAddr) -> bool {
        self.seen.contains(&at)
    }
}

impl From<Exhausted> for Why {
    fn from(why: Exhausted) -> Self {
        Self::Limit(why)
    }
}

impl<T> Walk<T> {
    /// The elements of a walk that came to its end.
    pub fn whole(elements: Vec<T>) -> Self {
        Self { elements, problems: Problems::default() }
    }

    /// The elements of a walk that may not have come to its end.
    pub fn new(elements: Vec<T>, problems: Problems) -> Self {
        Self { elements, problems }
    }

    /// A walk that found nothing, because of a problem.
    pub fn failed(problem: Problem) -> Self {
        Self { elements: Vec::new(), problems: problem.into() }
    }

    /// Did it come to its end?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// The elements; what is wrong with the walk goes to `problems`.
    pub fn take(self, problems: &mut Problems) -> Vec<T> {
        problems.extend(self.problems);
        self.elements
    }

    /// How many elements there are.
    ///
    /// # Errors
    /// What keeps their number unknown.
    pub fn count(&self) -> Result<usize, Problem> {
        self.problems.none().map(|()| self.elements.len())
    }

    /// The first element that fits; `None` where there is none.
    ///
    /// # Errors
    /// None of those that were found fits, and there may be others: why.
    pub fn find(&self, fits: impl FnMut(&&T) -> bool) -> Result<Option<&T>, Problem> {
        match self.elements.iter().find(fits) {
            Some(found) => Ok(Some(found)),
            None => self.problems.none().map(|()| None),
        }
    }

    /// The same walk over what each element is or leads to.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Walk<U> {
        Walk { elements: self.elements.into_iter().map(f).collect(), problems: self.problems }
    }

    /// The walks that begin at each element, as one.
    pub fn flat_map<U>(self, mut f: impl FnMut(T) -> Walk<U>) -> Walk<U> {
        let mut problems = self.problems;
        let mut elements = Vec::new();
        for element in self.elements {
            elements.extend(f(element).take(&mut problems));
        }
        Walk { elements, problems }
    }
}

impl Problems {
    /// Adds a problem, unless it is there already.
    pub fn add(&mut self, problem: Problem) {
        const MOST: usize = 200;
        if self.list.contains(&problem) {
            return;
        }
        match self.list.len() < MOST {
            true => self.list.push(problem),
            false => self.more += 1,
        }
    }

    /// Adds those of another walk.
    pub fn extend(&mut self, others: Self) {
        self.more += others.more;
        others.list.into_iter().for_each(|problem| self.add(problem));
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.more
    }

    /// Those that are kept.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Is nothing unknown?
    ///
    /// # Errors
    /// The first problem.
    pub fn none(&self) -> Result<(), Problem> {
        match self.list.first() {
            Some(problem) => Err(problem.clone()),
            None => Ok(()),
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { list: vec![problem], more: 0 }
    }
}

impl Problem {
    /// A problem in words, which is not of one place.
    pub fn new(what: impl Into<Box<str>>, why: impl Into<Box<str>>) -> Self {
        Self { what: what.into(), at: None, why: Why::Other(why.into()) }
    }

    /// Something of which not even the beginning can be read.
    pub fn unreadable(what: impl Into<Box<str>>, why: ReadError) -> Self {
        let at = why.fault().map(|fault| fault.address);
        Self { what: what.into(), at, why: Why::Unreadable { element: "".into(), why: why.into() } }
    }
}

/// What is wrong, without what it is wrong with: `it breaks off at 0x…: …`.
struct Reason<'a>(&'a Problem);

impl Problem {
    /// Why it could not be read, as a clause without its subject.
    #[must_use]
    pub fn reason(&self) -> impl fmt::Display + '_ {
        Reason(self)
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.at.unwrap_or_default();
        match &self.0.why {
            Why::Cycle => write!(f, "the list comes back to {at}: it has a cycle"),
            Why::Limit(why) => write!(f, "the list is cut off at {at}: {why}"),
            Why::Unreadable { element, why } if element.is_empty() => {
                write!(f, "it cannot be read: {why}")
            }
            Why::Unreadable { element, why } | Why::Element { element, why } if why.is_freed() => {
                write!(f, "the {element} at {why}")
            }
            Why::Unreadable { why, .. } => {
                write!(f, "the list breaks off at {at}: {why}")
            }
            Why::Element { element, why } => {
                write!(f, "the {element} at {at} cannot be read: {why}")
            }
            Why::Other(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason())
    }
}

impl std::error::Error for Problem {}

/// `{"what": "allprison", "where": "0x…", "why": "…"}`
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            what: &'a str,
            r#where: Option<VirtAddr>,
            why: String,
        }
        Fields { what: &self.what, r#where: self.at, why: self.reason().to_string() }
            .serialize(serializer)
    }
}

/// Those that are kept.
impl Serialize for Problems {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Problem {
        Problem { what: "allprison".into(), at: Some(VirtAddr::new(0x10)), why: Why::Cycle }
    }

    #[test]
    fn a_broken_walk_never_says_none() {
        let whole = Walk::whole(vec![1, 2]);
        assert_eq!(whole.find(|n| **n == 2), Ok(Some(&2)));
        assert_eq!(whole.find(|n| **n == 3), Ok(None));
        assert_eq!(whole.count(), Ok(2));

        let part = Walk::new(vec![1, 2], broken().into());
        assert_eq!(part.find(|n| **n == 2), Ok(Some(&2)));
        assert_eq!(part.find(|n| **n == 3), Err(broken()));
        assert_eq!(part.count(), Err(broken()));
    }

    #[test]
    fn problems_travel_with_what_rests_on_them_and_are_told_once() {
        let outer = Walk::new(vec![1, 2], broken().into());
        let all = outer.flat_map(|n| Walk::new(vec![n, n], broken().into())).map(|n| n * 10);
        let mut problems = Problems::default();
        assert_eq!(all.take(&mut problems), [10, 10, 20, 20]);
        assert_eq!(problems.len(), 1);
        let told = problems.iter().next().map(ToString::to_string);
        assert_eq!(told.as_deref(), Some("allprison: the list comes back to 0x10: it has a cycle"));
    }
}
