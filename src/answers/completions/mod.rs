//! What may stand at the end of an unfinished expression: names of variables and types, members
//! of structs, through pointers and lists.

mod members;
mod vocabulary;
mod wanted;

use crate::session::{Place, Session};

pub use vocabulary::{Vocabulary, interfaces, plain_jails};
use wanted::Wanted;

/// More than anybody would read.
const MOST: usize = 1000;

/// The ways in which an unfinished word may go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completions {
    /// Where the unfinished word begins: a byte of the text.
    pub start: usize,
    /// The whole words, sorted; at most a thousand.
    pub words: Vec<String>,
}

/// How an unfinished expression may go on. What is known of no word gives none.
///
/// Of memory, only jails are read.
pub fn completions(
    session: &Session,
    vocabulary: &Vocabulary,
    place: Place<'_>,
    text: &str,
) -> Completions {
    let (start, wanted) = wanted::wanted(text);
    let prefix = text.get(start..).unwrap_or_default();
    let mut words = match wanted {
        Wanted::Nothing => Vec::new(),
        Wanted::Name => vocabulary.names(session, prefix),
        Wanted::Type(keyword) => vocabulary.types(session, &format!("{keyword} "), prefix),
        Wanted::Jail => plain_jails(session, prefix),
        Wanted::Kept => vocabulary::kept(place.names, prefix),
        Wanted::Member(base) => members::of(session, place, base, prefix),
        Wanted::MemberOfElement(base) => members::of_element(session, place, base, prefix),
    };
    words.truncate(MOST);
    Completions { start, words }
}
