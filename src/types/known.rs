//! What was found once, kept for all threads: tables that only grow, and are read without a lock.
//!
//! All processors ask for the same few members of the same few types, object by object. A lock
//! would be one place in memory that they take from each other at each question.
//!
//! An entry is in the first free one of a few neighbouring slots. If all are taken, it is in
//! those of the next table, which is larger. There are few tables, whatever a damaged file asks for: what
//! finds no slot is found anew each time.

use std::hash::{BuildHasher, Hash};
use std::sync::OnceLock;

use rustc_hash::FxBuildHasher;

/// Entries that are looked up by their key.
#[derive(Debug)]
pub(super) struct Known<E> {
    first: OnceLock<Box<Table<E>>>,
}

#[derive(Debug)]
struct Table<E> {
    slots: Box<[OnceLock<E>]>,
    larger: OnceLock<Box<Self>>,
}

/// The places of the first table, each a slot and its neighbours.
const FEWEST: usize = 1 << 8;
/// How many times as many the next one has.
const GROWTH: usize = 8;
/// Those of the last one.
const MOST: usize = FEWEST * GROWTH * GROWTH;

/// The slots that an entry may be in.
const NEIGHBOURS: usize = 8;

impl<E> Default for Known<E> {
    fn default() -> Self {
        Self { first: OnceLock::new() }
    }
}

impl<E> Known<E> {
    /// The entry with this key, by which `is` recognises it.
    pub(super) fn get(&self, key: impl Hash, is: impl Fn(&E) -> bool) -> Option<&E> {
        let hash = FxBuildHasher.hash_one(key);
        let mut next = self.first.get();
        while let Some(table) = next {
            for slot in table.neighbours(hash) {
                // An entry takes the first slot that is free.
                let entry = slot.get()?;
                if is(entry) {
                    return Some(entry);
                }
            }
            next = table.larger.get();
        }
        None
    }

    /// Keeps an entry, if there is a slot for it.
    pub(super) fn keep(&self, key: impl Hash, mut entry: E) {
        let hash = FxBuildHasher.hash_one(key);
        let (mut next, mut len) = (&self.first, FEWEST);
        while len <= MOST {
            let table = next.get_or_init(|| Box::new(Table::new(len)));
            for slot in table.neighbours(hash) {
                match slot.set(entry) {
                    Ok(()) => return,
                    Err(back) => entry = back,
                }
            }
            (next, len) = (&table.larger, len * GROWTH);
        }
    }
}

impl<E> Table<E> {
    fn new(len: usize) -> Self {
        // The last place has its neighbours too.
        let slots = std::iter::repeat_with(OnceLock::new).take(len + NEIGHBOURS - 1);
        Self { slots: slots.collect(), larger: OnceLock::new() }
    }

    fn neighbours(&self, hash: u64) -> impl Iterator<Item = &OnceLock<E>> {
        // The number of places is a power of two.
        let first = hash as usize & (self.slots.len() - NEIGHBOURS);
        self.slots.iter().skip(first).take(NEIGHBOURS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_by_its_key() {
        let known = Known::default();
        let get = |key: u64| known.get(key, |entry: &(u64, u64)| entry.0 == key);
        assert_eq!(get(1), None);
        for key in 0..2000 {
            known.keep(key, (key, key * 2));
        }
        assert!((0..2000).all(|key| get(key) == Some(&(key, key * 2))));
        assert_eq!(get(2000), None);
    }

    #[test]
    fn keys_that_collide_end_in_few_tables() {
        let known = Known::default();
        let collide = "all have this hash";
        (0..100_u64).for_each(|key| known.keep(collide, key));
        let found = (0..100).filter(|key| known.get(collide, |entry| entry == key).is_some());
        assert_eq!(found.count(), 3 * NEIGHBOURS);
        let last = known.first.get().and_then(|table| table.larger.get()?.larger.get());
        assert!(last.is_some_and(|last| last.larger.get().is_none()));
    }

    #[test]
    fn threads_share_it() {
        let known = Known::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500_u64).for_each(|key| known.keep(key, key)));
            }
        });
        assert!((0..500).all(|key| known.get(key, |entry| *entry == key).is_some()));
    }
}
