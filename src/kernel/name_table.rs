//! An open hash table from names to places in a list: one pass over the names,
//! no copy of any. A kernel has 60,000 symbols, and every run looks up a dozen.

use std::hash::Hasher;

#[derive(Debug)]
pub struct NameTable {
    /// Place in the list plus one; 0 is a free slot. Never full.
    slots: Vec<u32>,
}

impl NameTable {
    /// Hashes the names; the n-th one gets the place n.
    pub fn build<'n>(names: impl ExactSizeIterator<Item = &'n [u8]>) -> Self {
        let mut table = Self { slots: vec![0; (names.len() * 2 + 1).next_power_of_two()] };
        for (at, name) in names.enumerate() {
            let mut slot = table.first_slot(name);
            while table.slots[slot] != 0 {
                slot = (slot + 1) & table.mask();
            }
            table.slots[slot] = at as u32 + 1;
        }
        table
    }

    /// Places whose names may be `name`, in the order of the list.
    pub fn candidates(&self, name: &[u8]) -> impl Iterator<Item = u32> {
        let slots = (self.first_slot(name)..).map(|slot| self.slots[slot & self.mask()]);
        slots.take_while(|&at| at != 0).map(|at| at - 1)
    }

    fn first_slot(&self, name: &[u8]) -> usize {
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
    fn an_empty_table_answers() {
        assert_eq!(NameTable::build([].into_iter()).candidates(b"x").next(), None);
    }
}
