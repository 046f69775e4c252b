//! Work on many things at once, whose results come in order.
//!
//! The threads are of their own and none of a pool's. The first question for a type may build an
//! index on the pool, and a thread of the pool that waited for it would wait for itself.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// How many things the machine works on at the same time.
pub(crate) fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Makes something of each item, of `jobs` items at the same time, and gives the results to `take`
/// in the order of the items, until that returns false.
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
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, made) = mpsc::channel();
    let work = |sender: mpsc::Sender<(usize, T)>| {
        while !stopped.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { break };
            if sender.send((number, make(item))).is_err() {
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
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        for (number, result) in made {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&turn) {
                turn += 1;
                if !take(result) {
                    stopped.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    });
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
