//! The result of every walk over lists, trees and tables in kernel memory: what it found,
//! and why it ended.
//!
//! A broken list has the elements before the break, and nothing is known of those after
//! it. So the elements of a [`Walk`] are returned only together with its problems. Only a
//! complete walk can answer "none" or "no such"; a broken one answers with the
//! [`Problem`] that leaves the question open.

use std::fmt;
use std::time::Duration;

use rustc_hash::FxHashSet;
use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::budget::{Budget, Exhausted};
use crate::target::ReadError;

/// The elements in the order in which they were found, and the problems that may hide others.
#[must_use]
#[derive(Debug, Clone)]
pub struct Walk<T> {
    elements: Vec<T>,
    problems: Problems,
}

/// The problems of one or several walks, each listed once.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    /// How many more problems there were than are kept. A damaged table has thousands.
    more: usize,
}

/// Something that could not be read and leaves an answer incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What could not be read, in words: `allprison`, `V_ifnet of vnet 2`.
    pub what: Box<str>,
    /// Where in kernel memory the problem is; `None` if it is not at one address.
    pub at: Option<VirtAddr>,
    /// Why it could not be read.
    pub why: Why,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The walk returned to an element that it had already visited.
    Cycle,
    /// The walk would cost more than the budget allows.
    Limit(Exhausted),
    /// The next pointer cannot be read or points to freed memory. The walk ends there.
    Unreadable {
        /// What the pointer should point to: `prison`, `interface`.
        element: Box<str>,
        /// The error of the read.
        why: Box<ReadError>,
    },
    /// One element cannot be read. The walk goes on with the next.
    Element {
        /// What kind of element it is: `prison`, `interface`.
        element: Box<str>,
        /// The error of the read.
        why: Box<ReadError>,
    },
    /// What was read contradicts itself, as no sound kernel does; in words.
    Contradiction(Box<str>),
    /// The machine is running, and the list broke off in another way each time it was read: this
    /// way at last.
    Torn(Box<Self>),
    /// Another reason, in words.
    Other(Box<str>),
}

/// The state of a walk: the addresses it has visited, and the budget it spends from.
#[derive(Debug)]
pub struct Trail<'b> {
    budget: &'b Budget,
    seen: FxHashSet<VirtAddr>,
    /// What other walks visited before this one, which may be repeated.
    before: Option<&'b Self>,
}

/// Walks memory of a running machine again, up to three times, if what was found is broken: a list
/// that is changed while it is read breaks off. What breaks off in the same way each time is
/// broken in memory, and is told as such; otherwise it is [`Why::Torn`]. A dump is walked once.
///
/// `same` compares elements by what they are, not by what they hold.
pub fn settle<T>(
    is_live: bool,
    trail: &mut Trail<'_>,
    same: impl Fn(&T, &T) -> bool,
    mut walk: impl FnMut(&mut Trail<'_>) -> Walk<T>,
) -> Walk<T> {
    /// The kernel is done with a change in less, unless it is interrupted.
    const PAUSE: Duration = Duration::from_millis(2);
    const REPEATS: usize = 3;
    let mut attempt = |trail: &mut Trail<'_>| {
        let mut own =
            Trail { budget: trail.budget, seen: FxHashSet::default(), before: Some(trail) };
        let found = walk(&mut own);
        (found, own.seen)
    };
    if !is_live {
        return walk(trail);
    }
    let (mut found, mut seen) = attempt(trail);
    let mut changed = false;
    for _ in 0..REPEATS {
        if found.is_whole() || !found.problems.may_be_torn() {
            trail.seen.extend(seen);
            return found;
        }
        std::thread::sleep(PAUSE);
        let (again, seen_again) = attempt(trail);
        let equal = |(a, b): (&T, &T)| same(a, b);
        let len = found.elements.len();
        changed |= found.problems != again.problems
            || len != again.elements.len()
            || !found.elements.iter().zip(&again.elements).all(equal);
        (found, seen) = (again, seen_again);
    }
    trail.seen.extend(seen);
    if changed && !found.is_whole() {
        found.problems.tear();
    }
    found
}

impl<'b> Trail<'b> {
    /// The start of a walk that spends one step for each visit.
    pub fn new(budget: &'b Budget) -> Self {
        Self { budget, seen: FxHashSet::default(), before: None }
    }

    /// Records that the walk has reached `at`.
    ///
    /// # Errors
    /// It was there before, or the budget is exhausted.
    pub fn visit(&mut self, at: VirtAddr) -> Result<(), Why> {
        self.budget.work(1)?;
        let is_new = !self.has_seen(at) && self.seen.insert(at);
        if is_new { Ok(()) } else { Err(Why::Cycle) }
    }

    /// Has the walk visited `at`?
    #[must_use]
    pub fn has_seen(&self, at: VirtAddr) -> bool {
        self.seen.contains(&at) || self.before.is_some_and(|before| before.has_seen(at))
    }
}

impl From<Exhausted> for Why {
    fn from(why: Exhausted) -> Self {
        Self::Limit(why)
    }
}

impl<T> Walk<T> {
    /// The elements of a walk that reached its end.
    pub fn whole(elements: Vec<T>) -> Self {
        Self { elements, problems: Problems::default() }
    }

    /// The elements of a walk that may not have reached its end.
    pub fn new(elements: Vec<T>, problems: Problems) -> Self {
        Self { elements, problems }
    }

    /// A walk that found nothing because of a problem.
    pub fn failed(problem: Problem) -> Self {
        Self { elements: Vec::new(), problems: problem.into() }
    }

    /// Did the walk reach its end?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    /// What kept the walk from its end, or kept elements from being read.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// The elements. The problems are added to `problems`.
    pub fn take(self, problems: &mut Problems) -> Vec<T> {
        problems.extend(self.problems);
        self.elements
    }

    /// The number of elements.
    ///
    /// # Errors
    /// The problem that leaves the number unknown.
    pub fn count(&self) -> Result<usize, Problem> {
        self.problems.none().map(|()| self.elements.len())
    }

    /// The first element that fits; `None` if there is none.
    ///
    /// # Errors
    /// No element that was found fits, but the walk is incomplete: the problem that says why.
    pub fn find(&self, fits: impl FnMut(&&T) -> bool) -> Result<Option<&T>, Problem> {
        match self.elements.iter().find(fits) {
            Some(found) => Ok(Some(found)),
            None => self.problems.none().map(|()| None),
        }
    }

    /// The same walk with `f` applied to each element.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Walk<U> {
        Walk { elements: self.elements.into_iter().map(f).collect(), problems: self.problems }
    }

    /// Joins the walks that start at each element into one.
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
    /// Adds a problem unless it is already there.
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

    /// Adds the problems of another walk.
    pub fn extend(&mut self, others: Self) {
        self.more += others.more;
        others.list.into_iter().for_each(|problem| self.add(problem));
    }

    /// Is everything known?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The number of problems, including those that were counted but not kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.more
    }

    /// May a change in progress be the reason of one of them? Not where types or work are missing.
    fn may_be_torn(&self) -> bool {
        self.list.iter().any(|problem| match &problem.why {
            Why::Cycle | Why::Contradiction(_) => true,
            Why::Unreadable { why, .. } | Why::Element { why, .. } => why.fault().is_some(),
            Why::Torn(_) | Why::Limit(_) | Why::Other(_) => false,
        })
    }

    /// Says of each that may come from a change that it does.
    fn tear(&mut self) {
        for problem in &mut self.list {
            if Self::from(problem.clone()).may_be_torn() {
                let why = std::mem::replace(&mut problem.why, Why::Cycle);
                problem.why = Why::Torn(Box::new(why));
            }
        }
    }

    /// The problems that are kept.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Checks that nothing is unknown.
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
    /// A problem in words, without an address.
    pub fn new(what: impl Into<Box<str>>, why: impl Into<Box<str>>) -> Self {
        Self { what: what.into(), at: None, why: Why::Other(why.into()) }
    }

    /// The same for what contradicts itself at `at`, as no sound kernel does.
    pub fn contradiction(
        what: impl Into<Box<str>>,
        at: VirtAddr,
        why: impl Into<Box<str>>,
    ) -> Self {
        Self { what: what.into(), at: Some(at), why: Why::Contradiction(why.into()) }
    }

    /// Something whose very beginning cannot be read.
    pub fn unreadable(what: impl Into<Box<str>>, why: ReadError) -> Self {
        let at = why.fault().map(|fault| fault.address);
        Self { what: what.into(), at, why: Why::Unreadable { element: "".into(), why: why.into() } }
    }
}

/// The reason alone, without its subject: `the list breaks off at 0x…: …`.
struct Reason<'a>(&'a Problem);

impl Problem {
    /// Why it could not be read, as a clause that follows its subject and a colon.
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
            Why::Contradiction(why) | Why::Other(why) => f.write_str(why),
            Why::Torn(why) => {
                let last = Problem { why: Why::clone(why), ..self.0.clone() };
                write!(
                    f,
                    "the list changed each time it was read; the last time, {}",
                    Reason(&last)
                )
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Unreadable { element, why } if element.is_empty() => {
                write!(f, "{} cannot be read: {why}", self.what)
            }
            _ => write!(f, "{}: {}", self.what, self.reason()),
        }
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

/// The problems that are kept.
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

    /// Walks memory that holds one of these lists after the other; how often it was walked.
    fn settled(is_live: bool, lists: &[(&[u64], Option<Why>)]) -> (Walk<VirtAddr>, usize) {
        let budget = Budget::default();
        let mut trail = Trail::new(&budget);
        trail.visit(VirtAddr::new(0x1000)).unwrap();
        let mut times = 0;
        let walk = settle(is_live, &mut trail, PartialEq::eq, |trail| {
            let (list, why) = lists[times].clone();
            times += 1;
            let list: Vec<_> = list.iter().copied().map(VirtAddr::new).collect();
            list.iter().for_each(|at| trail.visit(*at).unwrap());
            match why {
                Some(why) => Walk::new(list, Problem { why, ..broken() }.into()),
                None => Walk::whole(list),
            }
        });
        assert!(trail.has_seen(VirtAddr::new(0x1000)));
        assert!(walk.elements.iter().all(|at| trail.has_seen(*at)));
        assert!(!trail.has_seen(VirtAddr::new(9)), "an attempt that is given up leaves no trail");
        (walk, times)
    }

    #[test]
    fn a_list_that_changes_is_read_again_until_it_is_whole() {
        let torn = [(&[1, 9][..], Some(Why::Cycle)), (&[1], Some(Why::Cycle)), (&[1, 2], None)];
        let (walk, times) = settled(true, &torn);
        assert_eq!((walk.count(), times), (Ok(2), 3));
        let (walk, times) = settled(false, &[(&[1], Some(Why::Cycle))]);
        assert_eq!((walk.count(), times), (Err(broken()), 1), "a dump does not change");
    }

    #[test]
    fn a_list_that_is_never_whole_is_torn_unless_it_stays_the_same() {
        let odd = || Some(Why::Contradiction("odd".into()));
        let lists = [(&[9][..], Some(Why::Cycle)), (&[1], odd()), (&[1], odd()), (&[1, 2], odd())];
        let (walk, times) = settled(true, &lists);
        assert_eq!((walk.elements.len(), times), (2, 4));
        let why = walk.count().unwrap_err().to_string();
        assert_eq!(why, "allprison: the list changed each time it was read; the last time, odd");
        let damaged = vec![(&[1, 2][..], Some(Why::Cycle)); 4];
        assert_eq!(settled(true, &damaged).0.count(), Err(broken()));
        let untyped = Some(Why::Other("no types".into()));
        assert_eq!(settled(true, &[(&[], untyped)]).1, 1, "no change is to be awaited");
    }

    #[test]
    fn what_cannot_be_read_at_all_is_the_subject() {
        let why = ReadError::NoSymbol { name: "vnet_head".into() };
        let problem = Problem::unreadable("vnet_head", why.clone());
        assert_eq!(problem.to_string(), format!("vnet_head cannot be read: {why}"));
        assert_eq!(problem.reason().to_string(), format!("it cannot be read: {why}"));
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
