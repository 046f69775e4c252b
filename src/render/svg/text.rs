//! Text in SVG, cut to the room that it has.

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
    use super::cut;

    #[test]
    fn text_is_cut() {
        assert_eq!(cut("epair0a", 100, 10), "epair0a");
        assert_eq!(cut("a_rather_long_name", 60, 10), "a_rather…");
    }
}
