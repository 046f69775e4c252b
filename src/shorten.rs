//! A user's text in messages, shortened to a reasonable length, with a mistake in it underlined.

use std::borrow::Cow;
use std::ops::Range;

/// What the user typed, shortened to fit a message.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

/// A text with a part of it underlined, on two lines; of a long text only what is around the part.
pub(crate) fn caret(text: &str, span: &Range<usize>) -> String {
    const LONGEST: usize = 60;
    const BEFORE: usize = 40;
    let width = |range: Range<usize>| text.get(range).map_or(0, |s| s.chars().count());
    let (at, total) = (width(0..span.start), width(0..text.len()));
    let skipped = if total > LONGEST { at.saturating_sub(BEFORE) } else { 0 };
    let shown: String = text.chars().skip(skipped).take(LONGEST).collect();
    let before = if skipped > 0 { "…" } else { "" };
    let behind = if total - skipped > LONGEST { "…" } else { "" };
    let indent = " ".repeat(at - skipped + before.chars().count());
    let room = (LONGEST + skipped).saturating_sub(at).max(1);
    let marks = "^".repeat(width(span.clone()).clamp(1, room));
    format!("{before}{shown}{behind}\n{indent}{marks}")
}
