//! Text of a user's in messages, as far as they have room for it.

use std::borrow::Cow;

/// What somebody typed, as far as a message has room for it.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}
