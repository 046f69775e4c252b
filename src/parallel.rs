//! Work on many things at once, whose results come in order.
//!
//! The threads are of their own and none of a pool's. The first question for a type may build an
//! index on the pool, and a thread of the pool that waited for it would wait for itself.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

/// How many things the machine works on at the same time.
pub(crate) fn processors() -> NonZeroUsize {
    // To learn it, files of the system are read.
    static KNOWN: OnceLock<NonZeroUsize> = OnceLock::new();
    *KNOWN.get_or_init(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// How many threads are worth starting for so many things, each of which takes some ten microseconds.
pub(crate) fn jobs_for(items: usize) -> NonZeroUsize {
    const WORTH_A_THREAD: usize = 32;
    let most = NonZeroUsize::new(items / WORTH_A_THREAD).unwrap_or(NonZeroUsize::MIN);
    processors().min(most)
}

/// Makes something of each item, of `jobs` items at the same time, and gives the results to `take`
/// in the order of the items, until that returns false. What is made is never far ahead of what is
/// taken, so that memory does not grow with the items.
pub(crate) fn for_each<I: Sync, T: Send>(
    items: &[I],
    jobs: NonZeroUsize,
    make: impl Fn(&I) -> T + Sync,
    mut take: impl FnMut(T) -> bool,
) {
    let jobs = jobs.get().min(items.len());
    if jobs <= 1 {
        let _ = items.iter().all(|item| take(make(item)));
        return;
    }
    let batches: Vec<&[I]> = items.chunks(batch(items.len(), jobs)).collect();
    let (next, pace) = (AtomicUsize::new(0), Pace::new(jobs * 4));
    let (sender, made) = mpsc::channel();
    let work = |sender: mpsc::Sender<(usize, Vec<T>)>| {
        let _stop = StopAtPanic(&pace);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = batches.get(number).filter(|_| pace.may_begin(number)) else { break };
            let results = batch.iter().take_while(|_| !pace.is_stopped()).map(&make).collect();
            if sender.send((number, results)).is_err() {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let _stop = StopAtPanic(&pace);
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        for (number, results) in made {
            waiting.insert(number, results);
            while let Some(results) = waiting.remove(&turn) {
                turn += 1;
                if !results.into_iter().all(&mut take) {
                    return pace.stop();
                }
                pace.took(turn);
            }
        }
    });
}

/// Does two things at the same time.
pub(crate) fn both<A: Send, B>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B,
) -> (A, B) {
    if processors() == NonZeroUsize::MIN {
        return (one(), other());
    }
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|why| panic::resume_unwind(why)), other)
    })
}

/// How many items a thread makes something of before it says so: fewer, where there are few.
fn batch(items: usize, jobs: usize) -> usize {
    const MOST: usize = 32;
    const BATCHES_OF_A_JOB: usize = 64;
    (items / (jobs * BATCHES_OF_A_JOB)).clamp(1, MOST)
}

/// Which batches may be worked on.
struct Pace {
    /// How many batches there may be between one that is begun and the next that is taken.
    lead: usize,
    taken: Mutex<usize>,
    has_moved: Condvar,
    stopped: AtomicBool,
}

impl Pace {
    fn new(lead: usize) -> Self {
        let (taken, has_moved) = (Mutex::default(), Condvar::new());
        Self { lead, taken, has_moved, stopped: AtomicBool::new(false) }
    }

    /// Waits until the batch may be begun; false if none is to be begun any more.
    fn may_begin(&self, number: usize) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |taken: &mut usize| !self.is_stopped() && number > *taken + self.lead;
        drop(self.has_moved.wait_while(taken, is_early));
        !self.is_stopped()
    }

    fn took(&self, taken: usize) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
        self.has_moved.notify_all();
    }

    fn stop(&self) {
        // Whoever is about to wait holds the lock.
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopped.store(true, Ordering::Relaxed);
        drop(taken);
        self.has_moved.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Ends the work of the others too, which may wait for this thread.
struct StopAtPanic<'a>(&'a Pace);

impl Drop for StopAtPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn jobs(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..40).collect();
        let mut taken = Vec::new();
        // Earlier items take longer.
        let make = |item: &u64| {
            thread::sleep(Duration::from_micros(40 - item));
            item * 2
        };
        for count in [1, 8] {
            taken.clear();
            for_each(&items, jobs(count), make, |result| {
                taken.push(result);
                true
            });
            assert_eq!(taken, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
        for_each(&[0_u64; 0], jobs(8), make, |_| panic!("there is nothing to take"));
    }

    #[test]
    fn two_things_are_done_at_once() {
        let (done, told) = mpsc::channel();
        let one = move || done.send(1).map(|()| "one");
        assert_eq!(both(one, || told.recv()), (Ok("one"), Ok(1)));
    }

    #[test]
    #[should_panic(expected = "as it was")]
    fn a_panic_is_passed_on() {
        both(|| panic!("as it was"), || ());
    }

    #[test]
    fn no_more_is_made_than_is_wanted() {
        let items: Vec<usize> = (0..1000).collect();
        let made = AtomicUsize::new(0);
        let mut taken = 0;
        let make = |item: &usize| {
            made.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(1));
            *item
        };
        for_each(&items, jobs(2), make, |_| {
            taken += 1;
            taken < 3
        });
        assert_eq!(taken, 3);
        assert!(made.load(Ordering::Relaxed) < 100, "{made:?} were made");
    }
}
