//! A hash table from names to indices in a list. It takes one pass over the names and copies none.
//! A kernel has 60,000 symbols, and every run looks up a dozen.
//!
//! The names in one slot form a chain, so a file in which all names are equal costs no
//! more to hash than another.

use std::hash::Hasher;

#[derive(Debug)]
pub struct NameTable {
    /// For each slot, the index of its first name in the list plus one; 0 is a free slot.
    slots: Vec<u32>,
    /// For each index, the next one in its slot, plus one; 0 at the end.
    next: Vec<u32>,
}

impl NameTable {
    /// Hashes the names. The n-th one gets the index n.
    pub fn build<'n>(names: impl ExactSizeIterator<Item = &'n [u8]> + DoubleEndedIterator) -> Self {
        let count = names.len();
        let mut table =
            Self { slots: vec![0; (count * 2 + 1).next_power_of_two()], next: vec![0; count] };
        // Starting with the last, so that each chain is in the order of the list.
        for (at, name) in names.enumerate().rev() {
            let slot = table.slot(name);
            table.next[at] = table.slots[slot];
            table.slots[slot] = at as u32 + 1;
        }
        table
    }

    /// The indices of names that may be `name`, in the order of the list.
    pub fn candidates(&self, name: &[u8]) -> impl Iterator<Item = u32> {
        let place = |link: u32| link.checked_sub(1);
        let first = place(self.slots[self.slot(name)]);
        std::iter::successors(first, move |at| place(*self.next.get(*at as usize)?))
    }

    fn slot(&self, name: &[u8]) -> usize {
        let mut hasher = rustc_hash::FxHasher::default();
        hasher.write(name);
        hasher.finish() as usize & self.mask()
    }

    fn mask(&self) -> usize {
        self.slots.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_among_its_candidates() {
        let names: Vec<String> = (0..1000).map(|n| format!("vnet_entry_v{}", n % 700)).collect();
        let table = NameTable::build(names.iter().map(|name| name.as_bytes()));
        for (at, name) in names.iter().enumerate() {
            assert!(table.candidates(name.as_bytes()).any(|found| found == at as u32), "{name}");
        }
        let none = table.candidates(b"absent").find(|&at| names[at as usize] == "absent");
        assert_eq!(none, None);
    }

    #[test]
    fn names_that_are_all_alike_are_each_found_once() {
        let names = vec![&b"x"[..]; 100_000];
        let table = NameTable::build(names.iter().copied());
        assert!(table.candidates(b"x").eq(0..100_000));
        assert_eq!(table.candidates(b"y").count(), 0);
    }

    #[test]
    fn an_empty_table_answers() {
        assert_eq!(NameTable::build([].into_iter()).candidates(b"x").next(), None);
    }
}
