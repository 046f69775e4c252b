//! Text in SVG: escaped, and cut to the room that it has.

use std::fmt;

/// Text whose characters have no meaning in XML.
pub(super) struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // XML 1.0 has no other control characters, and no such code points.
            '\t' | '\n' => f.write_str(" "),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => f.write_str("\u{fffd}"),
            c => write!(f, "{c}"),
        })
    }
}

/// The text, or as much of it as has room in `width` pixels, in a monospaced font of that size.
pub(super) fn cut(text: &str, width: i64, size: i64) -> String {
    // A character is 0.602 times as wide as its font is high.
    let room = usize::try_from(width * 1000 / (size * 602)).unwrap_or(0);
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::{Escaped, cut};

    #[test]
    fn text_is_cut_and_escaped() {
        assert_eq!(cut("epair0a", 100, 10), "epair0a");
        assert_eq!(cut("a_rather_long_name", 60, 10), "a_rather…");
        assert_eq!(
            Escaped("<a b=\"c\">&'\u{1b}").to_string(),
            "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}"
        );
    }
}
