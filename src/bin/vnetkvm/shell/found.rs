//! The ways in which the end of a line may go on.

/// Words that may take the place of an unfinished one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where that word begins.
    pub start: usize,
    pub words: Vec<String>,
    /// Nothing else belongs to them: a space follows.
    pub are_whole: bool,
}

/// Words that may go on.
pub fn found(start: usize, words: Vec<String>) -> Found {
    Found { start, words, are_whole: false }
}

/// Words that a space follows.
pub fn whole(start: usize, words: Vec<String>) -> Found {
    Found { start, words, are_whole: true }
}
