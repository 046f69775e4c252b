//! A rendered line as its words.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Range;

/// A line, and the places of its words. Two are equal if their words are.
pub(super) struct Split<'a> {
    pub text: &'a str,
    /// Byte ranges in the text.
    pub places: Vec<Range<usize>>,
}

impl<'a> Split<'a> {
    pub fn of(text: &'a str) -> Self {
        let mut places = Vec::new();
        let mut start = None;
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            if c != '\x1b' && !c.is_whitespace() {
                start.get_or_insert(at);
                continue;
            }
            places.extend(start.take().map(|start| start..at));
            // A colour is no part of a word; answers have no other sequences.
            if c == '\x1b' {
                chars.by_ref().find(|(_, c)| *c == 'm');
            }
        }
        places.extend(start.map(|start| start..text.len()));
        Self { text, places }
    }

    pub fn words(&self) -> impl ExactSizeIterator<Item = &'a str> + '_ {
        self.places.iter().map(|place| self.text.get(place.clone()).unwrap_or_default())
    }

    /// The first word, which names the row of most tables.
    pub fn key(&self) -> &'a str {
        self.words().next().unwrap_or_default()
    }
}

impl PartialEq for Split<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text || self.words().eq(other.words())
    }
}

impl Eq for Split<'_> {}

impl PartialOrd for Split<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Split<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(other.words())
    }
}

impl Hash for Split<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.words().for_each(|word| word.hash(state));
    }
}
