//! Ranges of addresses that may overlap, as a list in which one search finds what an address is in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::addr::VirtAddr;

/// A range of addresses, and what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval<T> {
    /// The first byte.
    pub start: VirtAddr,
    /// Bytes.
    pub size: u64,
    /// Of several that hold an address, the one with the lowest rank counts; of those, the
    /// largest; of those, the first.
    pub rank: u8,
    /// What is there.
    pub what: T,
}

/// Stretches of addresses that do not overlap, in ascending order.
#[derive(Debug)]
pub struct Intervals<T> {
    /// First and last address of each.
    stretches: Vec<(u64, u64, T)>,
}

impl<T> Default for Intervals<T> {
    fn default() -> Self {
        Self { stretches: Vec::new() }
    }
}

impl<T: Copy + PartialEq> Intervals<T> {
    /// Cuts the ranges into stretches.
    pub fn new(mut all: Vec<Interval<T>>) -> Self {
        all.retain(|one| one.size > 0);
        all.sort_by_key(|one| one.start);
        let mut cut = Self { stretches: Vec::with_capacity(all.len()) };
        // The ranges around the current address, the one that counts first.
        let mut around: BinaryHeap<Reverse<(u8, Reverse<u64>, usize)>> = BinaryHeap::new();
        let mut at = 0;
        for number in 0..=all.len() {
            let next = all.get(number).map(|one| one.start.get());
            while let Some(Reverse((.., top))) = around.peek() {
                let Some(one) = all.get(*top) else { break };
                let last = last_of(one);
                if last < at {
                    around.pop();
                    continue;
                }
                if next.is_some_and(|next| next <= at) {
                    break;
                }
                let end = next.map_or(last, |next| last.min(next - 1));
                cut.add(at, end, one.what);
                let Some(after) = end.checked_add(1) else { return cut };
                at = after;
            }
            if let (Some(next), Some(one)) = (next, all.get(number)) {
                at = at.max(next);
                around.push(Reverse((one.rank, Reverse(one.size), number)));
            }
        }
        cut
    }

    /// What is at an address; `None` if it is in no range.
    pub fn at(&self, address: VirtAddr) -> Option<T> {
        let address = address.get();
        let after = self.stretches.partition_point(|(start, ..)| *start <= address);
        let (_, last, what) = self.stretches.get(after.checked_sub(1)?)?;
        (address <= *last).then_some(*what)
    }

    fn add(&mut self, start: u64, last: u64, what: T) {
        match self.stretches.last_mut() {
            Some((_, end, before)) if *before == what && end.checked_add(1) == Some(start) => {
                *end = last;
            }
            _ => self.stretches.push((start, last, what)),
        }
    }
}

/// The last address of a range; those that would wrap end where addresses do.
fn last_of<T>(one: &Interval<T>) -> u64 {
    one.start.get().saturating_add(one.size - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn interval((start, size, rank): (u64, u64, u8), what: usize) -> Interval<usize> {
        Interval { start: VirtAddr::new(start), size, rank, what }
    }

    proptest! {
        #[test]
        fn they_find_what_a_look_at_each_range_finds(
            ranges in prop::collection::vec((0_u64..60, 0_u64..20, 0_u8..3), 0..14),
        ) {
            for base in [0, u64::MAX - 50] {
                let moved = ranges.iter().map(|(at, size, rank)| (base.saturating_add(*at), *size, *rank));
                let all: Vec<_> = moved.zip(0..).map(|(one, what)| interval(one, what)).collect();
                let intervals = Intervals::new(all.clone());
                for address in (0..90).map(|at| base.saturating_add(at)) {
                    let holds = |one: &&Interval<usize>| {
                        one.start.get() <= address && address - one.start.get() < one.size
                    };
                    let held = all.iter().filter(holds);
                    // The order of those that begin at different places decides nothing here.
                    let best = held.min_by_key(|one| (one.rank, Reverse(one.size), one.start, one.what));
                    let found = intervals.at(VirtAddr::new(address));
                    prop_assert_eq!(found, best.map(|best| best.what), "{}", address);
                }
            }
        }
    }
}
