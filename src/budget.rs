//! The cost limit of an answer: steps of work and bytes of memory. Every walk spends from it.
//!
//! A limit on depth does not limit work: a struct that contains itself twice doubles
//! the work with each level. So everything a file can multiply (types, lists, trees,
//! notes, segments, values, expressions) asks the budget before it goes on. What the
//! budget cuts off becomes an error of kind `limit` in its place.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The remaining work and memory. Threads may share it.
#[derive(Debug)]
pub struct Budget {
    work: Meter,
    bytes: Meter,
    /// The first request that could not be met.
    exhausted: Mutex<Option<Exhausted>>,
    /// Whoever asked wants no answer any more.
    stopped: AtomicBool,
}

/// How much may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Steps: one for each element of a list, member of a struct, or entry of a table.
    pub work: u64,
    /// Bytes of memory that may be allocated for data that a file describes.
    pub bytes: u64,
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// What ran out.
    pub resource: Resource,
    /// How much there was: steps, bytes, parts or levels, depending on the resource. Of patience,
    /// the steps that were done.
    pub limit: u64,
}

/// A resource that can run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Steps of work.
    Work,
    /// Bytes of memory.
    Bytes,
    /// The parts of one thing, which has its own limit, such as the parts of one value.
    Parts(&'static str),
    /// Levels of nesting, such as types within types. No kernel comes near the limit.
    Levels(&'static str),
    /// The patience of whoever asked, who called [`Budget::stop`].
    Patience,
}

impl Allowance {
    /// What files of `bytes` bytes in total justify. The minimum suits a small dump of a
    /// busy machine.
    pub fn for_files(bytes: u64) -> Self {
        const LEAST_WORK: u64 = 16 << 20;
        const LEAST_BYTES: u64 = 256 << 20;
        // A sparse dump of a large machine is long but holds little.
        let counted = bytes.min(1 << 34);
        Self { work: LEAST_WORK + counted / 64, bytes: LEAST_BYTES + counted / 4 }
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self::for_files(0)
    }
}

impl Budget {
    /// A budget of which nothing is spent yet.
    pub fn new(allowance: Allowance) -> Self {
        Self {
            work: Meter::new(Resource::Work, allowance.work),
            bytes: Meter::new(Resource::Bytes, allowance.bytes),
            exhausted: Mutex::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// What it started with.
    pub fn allowance(&self) -> Allowance {
        Allowance { work: self.work.limit(), bytes: self.bytes.limit() }
    }

    /// Starts again with another allowance.
    pub fn renew(&self, allowance: Allowance) {
        self.stopped.store(false, Ordering::Relaxed);
        self.work.renew(allowance.work);
        self.bytes.renew(allowance.bytes);
        *self.exhausted.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Begins another question within the same limits. A limit that was reached before stays
    /// noted.
    pub fn begin_question(&self) {
        let Allowance { work, bytes } = self.allowance();
        self.work.renew(work);
        self.bytes.renew(bytes);
    }

    /// Nothing more may be spent until the next [`Budget::renew`]. Another thread may call this to
    /// end the question that is being answered.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The first resource that ran out, if any. If one did, something is missing from the answer.
    pub fn exhausted(&self) -> Option<Exhausted> {
        *self.exhausted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Steps spent since the last allowance.
    pub fn work_done(&self) -> u64 {
        self.work.spent.load(Ordering::Relaxed)
    }

    /// Spends steps of work.
    ///
    /// # Errors
    /// Fewer steps are left.
    pub fn work(&self, steps: u64) -> Result<(), Exhausted> {
        self.noted(self.go_on().and_then(|()| self.work.spend(steps)))
    }

    /// Spends memory. It is never given back: the budget limits the total that one
    /// question allocates.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn bytes(&self, count: u64) -> Result<(), Exhausted> {
        self.noted(self.go_on().and_then(|()| self.bytes.spend(count)))
    }

    /// Spends nothing. Work that its own bounds limit, such as the pages of a dump, asks this.
    ///
    /// # Errors
    /// [`Budget::stop`] was called.
    pub fn go_on(&self) -> Result<(), Exhausted> {
        match self.stopped.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Exhausted { resource: Resource::Patience, limit: self.work_done() }),
        }
    }

    /// The same, and notes that something will be missing from the answer. Loops over all vnets ask
    /// this, whose parts may spend nothing.
    ///
    /// # Errors
    /// As [`Budget::go_on`].
    pub(crate) fn wanted(&self) -> Result<(), Exhausted> {
        self.noted(self.go_on())
    }

    /// The items, until nobody waits for the answer any more.
    pub(crate) fn while_wanted<I: IntoIterator>(&self, items: I) -> impl Iterator<Item = I::Item> {
        items.into_iter().take_while(|_| self.wanted().is_ok())
    }

    fn noted(&self, spent: Result<(), Exhausted>) -> Result<(), Exhausted> {
        spent.inspect_err(|why| {
            self.exhausted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(*why);
        })
    }

    /// Bytes spent since the last allowance.
    pub fn bytes_taken(&self) -> u64 {
        self.bytes.spent.load(Ordering::Relaxed)
    }

    /// A share of the work for one thing on one thread: at most `most` steps.
    /// `name` is what the error calls it.
    pub fn share(&self, name: &'static str, most: u64) -> Share<'_> {
        Share { budget: self, name, limit: most, left: Cell::new(most), drawn: Cell::new(0) }
    }
}

/// Checks that `name` is nested no deeper than `deepest` levels.
///
/// # Errors
/// `level`, counted from 0, is deeper.
pub fn level(name: &'static str, level: usize, deepest: usize) -> Result<(), Exhausted> {
    let limit = deepest as u64;
    match level < deepest {
        true => Ok(()),
        false => Err(Exhausted { resource: Resource::Levels(name), limit }),
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Allowance::default())
    }
}

/// A share of a [`Budget`]. It is spent without touching the shared counter at
/// each step.
#[derive(Debug)]
pub struct Share<'b> {
    budget: &'b Budget,
    name: &'static str,
    limit: u64,
    left: Cell<u64>,
    /// Steps already charged to the budget but not spent yet.
    drawn: Cell<u64>,
}

impl Share<'_> {
    /// Spends steps of work.
    ///
    /// # Errors
    /// The share is used up, or the whole budget is.
    pub fn work(&self, steps: u64) -> Result<(), Exhausted> {
        const DRAWN_AT_ONCE: u64 = 1024;
        let Some(left) = self.left.get().checked_sub(steps) else {
            self.left.set(0);
            return Err(Exhausted { resource: Resource::Parts(self.name), limit: self.limit });
        };
        if self.drawn.get() < steps {
            let more = steps.max(DRAWN_AT_ONCE.min(self.left.get()));
            self.budget.work(more)?;
            self.drawn.set(self.drawn.get() + more);
        }
        self.drawn.set(self.drawn.get() - steps);
        self.left.set(left);
        Ok(())
    }
}

/// Returns what was drawn but not spent.
impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.work.give_back(self.drawn.get());
    }
}

#[derive(Debug)]
struct Meter {
    resource: Resource,
    limit: AtomicU64,
    spent: AtomicU64,
}

impl Meter {
    fn new(resource: Resource, limit: u64) -> Self {
        Self { resource, limit: AtomicU64::new(limit), spent: AtomicU64::new(0) }
    }

    fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    fn renew(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.spent.store(0, Ordering::Relaxed);
    }

    fn give_back(&self, amount: u64) {
        let less = |spent: u64| Some(spent.saturating_sub(amount));
        let _ = self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn spend(&self, amount: u64) -> Result<(), Exhausted> {
        let limit = self.limit();
        let add = |spent: u64| spent.checked_add(amount).filter(|&sum| sum <= limit);
        match self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(()),
            Err(_) => Err(Exhausted { resource: self.resource, limit }),
        }
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        match self.resource {
            Resource::Work => write!(f, "it takes more than {limit} steps, the work limit"),
            Resource::Bytes => write!(f, "it takes more than {limit} bytes, the memory limit"),
            Resource::Parts(name) => write!(f, "{name} has more than {limit} parts, the limit"),
            Resource::Levels(name) => write!(f, "{name} has more than {limit} levels, the limit"),
            Resource::Patience => write!(f, "it was stopped after {limit} steps"),
        }
    }
}

impl std::error::Error for Exhausted {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_gone_until_it_is_renewed() {
        let budget = Budget::new(Allowance { work: 10, bytes: 100 });
        assert_eq!(budget.work(7), Ok(()));
        let spent = Err(Exhausted { resource: Resource::Work, limit: 10 });
        assert_eq!(budget.work(4), spent);
        assert_eq!(budget.work(3), Ok(()));
        assert_eq!(budget.work(1), spent);
        assert_eq!(budget.bytes(u64::MAX).unwrap_err().resource, Resource::Bytes);
        assert_eq!(budget.bytes(100), Ok(()));
        assert_eq!(budget.exhausted().map(|why| why.resource), Some(Resource::Work));
        budget.begin_question();
        assert_eq!(budget.work(10), Ok(()));
        assert_eq!(budget.exhausted().map(|why| why.resource), Some(Resource::Work));
        budget.renew(Allowance { work: 1, bytes: 0 });
        assert_eq!(budget.exhausted(), None);
        assert_eq!(budget.work(1), Ok(()));
    }

    #[test]
    fn nothing_is_spent_after_a_stop_until_it_is_renewed() {
        let budget = Budget::new(Allowance { work: 10, bytes: 10 });
        assert_eq!(budget.work(3), Ok(()));
        assert_eq!(budget.wanted(), Ok(()));
        budget.stop();
        assert_eq!((budget.go_on().is_err(), budget.exhausted()), (true, None));
        assert!(budget.wanted().is_err());
        assert!(budget.exhausted().is_some());
        let why = budget.work(1).unwrap_err();
        assert_eq!(why.to_string(), "it was stopped after 3 steps");
        assert_eq!(budget.bytes(1), Err(why));
        assert_eq!(budget.exhausted(), Some(why));
        budget.begin_question();
        assert_eq!(budget.work(1).unwrap_err().resource, Resource::Patience);
        budget.renew(budget.allowance());
        assert_eq!((budget.work(1), budget.exhausted()), (Ok(()), None));
    }

    #[test]
    fn a_share_ends_with_its_own_steps_or_with_the_budget() {
        let budget = Budget::new(Allowance { work: 5000, bytes: 0 });
        let share = budget.share("the name", 3);
        assert!((0..3).all(|_| share.work(1).is_ok()));
        let why = share.work(1).unwrap_err();
        assert_eq!(why.to_string(), "the name has more than 3 parts, the limit");
        assert_eq!(budget.work_done(), 3);

        // What it did not spend is not charged.
        assert!(budget.share("the name", 100).work(1).is_ok());
        assert_eq!(budget.work_done(), 4);

        let share = budget.share("the value", u64::MAX);
        let done = (0..10_000).take_while(|_| share.work(1).is_ok()).count();
        assert!((4000..5000).contains(&done), "{done}");
        assert_eq!(share.work(1).unwrap_err().resource, Resource::Work);
    }
}
