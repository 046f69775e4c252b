//! An answer that is drawn in place, on a terminal.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use terminal_size::{Height, Width, terminal_size};
use unicode_width::UnicodeWidthChar;
use vnetkvm::render::changes::{self, Fate, Line};

use super::moment::Moment;
use super::title::Title;
use crate::output;

/// A terminal that answers are drawn on, one over the other.
pub struct Screen {
    /// What is watched, and how often.
    title: Title,
    drawn: bool,
}

/// Lines and characters.
#[derive(Debug, Clone, Copy)]
struct Size {
    lines: usize,
    width: usize,
}

impl Screen {
    pub fn new(title: Title) -> Self {
        Self { title, drawn: false }
    }

    /// Draws the answer, or only the messages if there is none.
    pub fn draw(
        &mut self,
        messages: &str,
        before: Option<&str>,
        answer: Option<&str>,
        moment: &Moment,
    ) -> io::Result<()> {
        let lines = match (before, answer) {
            (Some(before), Some(answer)) => changes::between(before, answer),
            (None, Some(answer)) => changes::unchanged(answer),
            (_, None) => Vec::new(),
        };
        let color = output::has_color();
        let messages = match color {
            true => messages.to_owned(),
            false => anstream::adapter::strip_str(messages).to_string(),
        };
        let size = size();
        // What stood on the screen moves up, out of sight.
        let mut drawing = if self.drawn { String::new() } else { "\n".repeat(size.lines) };
        self.drawn = true;
        let (title, time) = (&self.title, moment.local());
        drawing.push_str(&frame(
            &headline(title, &time, size.width),
            &messages,
            &lines,
            size,
            color,
        )?);
        let mut out = io::stdout().lock();
        out.write_all(drawing.as_bytes())?;
        out.flush()
    }
}

/// The terminal may have another size each time.
fn size() -> Size {
    let (Width(width), Height(lines)) = terminal_size().unwrap_or((Width(80), Height(24)));
    Size { lines: usize::from(lines.max(1)), width: usize::from(width.max(1)) }
}

/// The title, cut so that the time stands at the right edge.
fn headline(title: &Title, time: &str, width: usize) -> String {
    let room = width.saturating_sub(time.len() + 1);
    let title = title.for_width(room);
    let (title, _) = fit(&title, room);
    let used: usize = title.chars().filter_map(UnicodeWidthChar::width).sum();
    format!("{title}{}{time}", " ".repeat(width.saturating_sub(used + time.len())))
}

/// All that is written to draw a screen: from its first line on, each line in place of an old one,
/// and nothing below. The cursor is hidden meanwhile.
fn frame(
    headline: &str,
    messages: &str,
    lines: &[Line<'_>],
    size: Size,
    color: bool,
) -> io::Result<String> {
    let mut texts: Vec<String> = vec![headline.to_owned(), String::new()];
    texts.extend(messages.lines().flat_map(|line| wrap(line, size.width)));
    if !messages.is_empty() {
        texts.push(String::new());
    }
    // The last line of the terminal has the cursor. However small it is, the answer has a line.
    let height = size.lines - 1;
    if !lines.is_empty() {
        texts.truncate(height.saturating_sub(1));
    }
    let room = height - texts.len().min(height);
    let shown = if lines.len() > room { room.saturating_sub(1) } else { lines.len() };
    let (shown, hidden) = lines.split_at(shown);
    for line in shown {
        let mut text = Vec::new();
        line.write(&mut text, color)?;
        texts.push(String::from_utf8_lossy(&text).into_owned());
    }
    texts.extend(more(hidden));
    texts.truncate(height);
    let mut frame = String::from("\x1b[?25l\x1b[H");
    for text in texts {
        let (start, rest) = fit(&text, size.width);
        // A colour ends with its line.
        let end = if rest.is_empty() { "" } else { "\x1b[0m" };
        // Writing to a String cannot fail.
        let _ = writeln!(frame, "\x1b[K{start}{end}");
    }
    frame.push_str("\x1b[J\x1b[?25h");
    Ok(frame)
}

/// How many lines have no room.
fn more(hidden: &[Line<'_>]) -> Option<String> {
    let lines = match hidden.len() {
        0 => return None,
        1 => "1 more line".to_owned(),
        count => format!("{count} more lines"),
    };
    let changed = hidden.iter().filter(|line| line.fate != Fate::Same).count();
    Some(match changed {
        0 => format!("... {lines}"),
        _ => format!("... {lines}, {changed} with changes"),
    })
}

/// The start of a line that `width` columns have room for, and the rest. Colours take no room.
fn fit(line: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\x1b' {
            chars.by_ref().find(|(_, c)| *c == 'm');
            continue;
        }
        used += c.width().unwrap_or(0);
        if used > width {
            return line.split_at(at);
        }
    }
    (line, "")
}

/// The same on as many lines as it takes.
fn wrap(mut line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let (start, rest) = fit(line, width);
        lines.push(start.to_owned());
        if rest.is_empty() || start.is_empty() {
            return lines;
        }
        line = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::usage;

    fn drawn(messages: &str, lines: &[Line<'_>], size: (usize, usize)) -> String {
        let size = Size { lines: size.0, width: size.1 };
        let frame = frame("title", messages, lines, size, false).unwrap();
        frame.replace("\x1b[K", "").replace("\x1b[0m", "")
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let lines = changes::between("a 1\nb 2\nc 3\n", "a 1\nb 2\nc 4\n");
        let around = |text: &str| format!("\x1b[?25l\x1b[H{text}\x1b[J\x1b[?25h");
        let all = around("title\n\n  a 1\n  b 2\n* c 4\n");
        assert_eq!(drawn("", &lines, (6, 20)), all);
        let cut = around("title\n\n  a 1\n... 2 more lines, 1 with changes\n");
        assert_eq!(drawn("", &lines, (5, 40)), cut);
        let small = around("title\n... 3 more lines, 1 with changes\n");
        assert_eq!(drawn("", &lines, (3, 40)), small);
        assert_eq!(drawn("warning: long\n", &lines, (3, 40)), small);
        assert_eq!(drawn("", &lines, (2, 40)), around("... 3 more lines, 1 with changes\n"));
        assert_eq!(drawn("", &lines[..1], (2, 40)), around("  a 1\n"));
        assert_eq!(drawn("", &lines, (1, 40)), around(""));
    }

    #[test]
    fn lines_are_cut_and_messages_are_wrapped() {
        let lines = changes::unchanged("abcdefgh\n");
        assert!(drawn("", &lines, (9, 6)).contains("\n  abcd\n"));
        assert!(drawn("warning: long\n", &[], (9, 6)).contains("\nwarnin\ng: lon\ng\n"));
        assert_eq!(fit("\x1b[1mab\x1b[0mcd", 3), ("\x1b[1mab\x1b[0mc", "d"));
        assert_eq!(fit("日本", 3), ("日", "本"), "they are two columns wide");
        let title = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Title::new(Duration::from_secs(1), &words, &usage::command())
        };
        let long = title(&["v", "a", "long", "command"]);
        assert_eq!(headline(&long, "12:00:00", 20), "Every 1s: a 12:00:00");
        assert_eq!(headline(&title(&["v", "x"]), "12:00:00", 23), "Every 1s: v x  12:00:00");
    }
}
