//! Which line of an answer stands for which line of the answer before, among lines that differ.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Instant;

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::split::Split;

/// More pairs of lines than these are not weighed against each other.
const MOST_WEIGHED: usize = 1 << 14;

/// Which line of `new` stands for which line of `old`, in the order of both.
pub(super) fn pairs(
    old: &[Split<'_>],
    new: &[Split<'_>],
    deadline: Instant,
) -> Vec<(usize, usize)> {
    let are_many = old.len().saturating_mul(new.len()) > MOST_WEIGHED;
    if are_many || Instant::now() > deadline {
        return pairs_by_key(old, new, deadline);
    }
    let weights = weights(old, new);
    let best = best_sums(old.len(), new.len(), &weights);
    let width = new.len() + 1;
    let (mut at, mut to) = (0, 0);
    let mut pairs = Vec::new();
    while at < old.len() && to < new.len() {
        let here = best[at * width + to];
        if here == best[(at + 1) * width + to] {
            at += 1;
        } else if here == best[at * width + to + 1] {
            to += 1;
        } else {
            pairs.push((at, to));
            (at, to) = (at + 1, to + 1);
        }
    }
    pairs
}

/// The same for many lines: those with the same first word.
fn pairs_by_key(old: &[Split<'_>], new: &[Split<'_>], deadline: Instant) -> Vec<(usize, usize)> {
    let (old, new): (Vec<_>, Vec<_>) =
        (old.iter().map(Split::key).collect(), new.iter().map(Split::key).collect());
    let mut pairs = Vec::new();
    for operation in capture_diff_slices_deadline(Algorithm::Patience, &old, &new, Some(deadline)) {
        if let DiffOp::Equal { .. } = operation {
            pairs.extend(operation.old_range().zip(operation.new_range()));
        }
    }
    pairs
}

/// The greatest sum of weights that pairs can have, among the lines from each place on: a row of
/// `new + 1` places for each of `old + 1`.
fn best_sums(old: usize, new: usize, weights: &[u32]) -> Vec<u32> {
    let width = new + 1;
    let mut best = vec![0; (old + 1) * width];
    for at in (0..old).rev() {
        for to in (0..new).rev() {
            let paired = match weights[at * new + to] {
                0 => 0,
                weight => weight + best[(at + 1) * width + to + 1],
            };
            let unpaired = best[(at + 1) * width + to].max(best[at * width + to + 1]);
            best[at * width + to] = paired.max(unpaired);
        }
    }
    best
}

/// How much says that one line stands for another: a row of all new ones for each old one.
fn weights(old: &[Split<'_>], new: &[Split<'_>]) -> Vec<u32> {
    // How often each first word stands among the lines before, and among those after.
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    old.iter().for_each(|split| counts.entry(split.key()).or_default().0 += 1);
    new.iter().for_each(|split| counts.entry(split.key()).or_default().1 += 1);
    let is_key = |word: &str| counts.get(word) == Some(&(1, 1));
    let (old, new): (Vec<_>, Vec<_>) =
        (old.iter().map(Bag::of).collect(), new.iter().map(Bag::of).collect());
    let weight = |old: &Bag<'_>, new: &Bag<'_>| old.weight(new, is_key(old.key));
    old.iter().flat_map(|old| new.iter().map(move |new| weight(old, new))).collect()
}

/// The words of a line in alphabetical order.
struct Bag<'a> {
    key: &'a str,
    words: Vec<&'a str>,
}

/// The weight of lines that have all words in common; of those with the same key, it is added.
const ALIKE: u32 = 1000;

/// This many words of a line are looked at.
const MOST_WORDS: usize = 64;

impl<'a> Bag<'a> {
    fn of(split: &Split<'a>) -> Self {
        let mut words: Vec<_> = split.words().take(MOST_WORDS).collect();
        words.sort_unstable();
        Self { key: split.key(), words }
    }

    /// 0 if one does not stand for the other. A first word that only these two have is a key.
    /// Without one, half of the words must be the same, or both lines have nothing but a value.
    fn weight(&self, new: &Self, is_key: bool) -> u32 {
        let longest = self.words.len().max(new.words.len());
        if longest == 1 && self.words.len() == new.words.len() {
            return 1;
        }
        // There are no more than 64 words.
        let share = (self.in_common(new) * ALIKE as usize / longest.max(1)) as u32;
        match (is_key && self.key == new.key, share * 2 >= ALIKE) {
            (true, _) => ALIKE + share,
            (false, true) => share,
            (false, false) => 0,
        }
    }

    /// How many words both have.
    fn in_common(&self, other: &Self) -> usize {
        let (mut ours, mut theirs) = (self.words.iter().peekable(), other.words.iter().peekable());
        let mut common = 0;
        while let (Some(our), Some(their)) = (ours.peek(), theirs.peek()) {
            let order = our.cmp(their);
            common += usize::from(order == Ordering::Equal);
            if order != Ordering::Greater {
                ours.next();
            }
            if order != Ordering::Less {
                theirs.next();
            }
        }
        common
    }
}
