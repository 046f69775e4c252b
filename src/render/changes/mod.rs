//! What changed in an answer since the one before, line by line and word by word.
//!
//! Lines are compared by their words. How far apart these stand does not matter, because a column
//! that grows moves those behind it. A line that was inserted or removed changes no other.

mod pairs;
mod split;

use std::io::{self, Write};
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use pairs::pairs;
use split::Split;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has the same words as before.
    Same,
    /// It stands for a line of the answer before, and has other words.
    Changed,
    /// The answer before does not have it.
    New,
    /// Only the answer before has it.
    Gone,
}

/// A line of an answer, or one that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// What became of it.
    pub fate: Fate,
    /// The line as it was rendered, with its colours.
    pub text: &'a str,
    /// Which bytes of it are words that the answer before does not have.
    pub words: Vec<Range<usize>>,
}

/// The width of the mark before each line, in characters.
pub const GUTTER: usize = 2;

impl Line<'_> {
    /// The mark that stands before the line.
    pub fn mark(&self) -> &'static str {
        match self.fate {
            Fate::Same => "  ",
            Fate::Changed => "* ",
            Fate::New => "+ ",
            Fate::Gone => "- ",
        }
    }

    /// Writes the mark and the line, without a line break. With `color`, words that are new stand
    /// out in reverse.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write, color: bool) -> io::Result<()> {
        out.write_all(self.mark().as_bytes())?;
        let mut written = 0;
        for word in self.words.iter().filter(|_| color) {
            let before = self.text.get(written..word.start).unwrap_or_default();
            let word_itself = self.text.get(word.clone()).unwrap_or_default();
            write!(out, "{before}\x1b[7m{word_itself}\x1b[27m")?;
            written = word.end;
        }
        out.write_all(self.text.get(written..).unwrap_or_default().as_bytes())
    }
}

/// An answer that there is none before: nothing has changed.
pub fn unchanged(answer: &str) -> Vec<Line<'_>> {
    answer.lines().map(|text| line(Fate::Same, text)).collect()
}

/// After this time, what is left to compare is told apart less finely.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lines of an answer, and those of the answer before that are gone.
pub fn between<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<_>, Vec<_>) =
        (before.lines().map(Split::of).collect(), after.lines().map(Split::of).collect());
    let deadline = Instant::now() + PATIENCE;
    let mut lines = Vec::with_capacity(new.len());
    for operation in capture_diff_slices_deadline(Algorithm::Patience, &old, &new, Some(deadline)) {
        match operation {
            DiffOp::Equal { new_index, len, .. } => {
                let same = &new[new_index..new_index + len];
                lines.extend(same.iter().map(|split| line(Fate::Same, split.text)));
            }
            operation => {
                let (old, new) = (&old[operation.old_range()], &new[operation.new_range()]);
                replaced(old, new, deadline, &mut lines);
            }
        }
    }
    lines
}

fn line(fate: Fate, text: &str) -> Line<'_> {
    Line { fate, text, words: Vec::new() }
}

/// Lines in the place of others: which of them stand for which.
fn replaced<'a>(
    old: &[Split<'a>],
    new: &[Split<'a>],
    deadline: Instant,
    lines: &mut Vec<Line<'a>>,
) {
    let (mut old_done, mut new_done) = (0, 0);
    let end = (old.len(), new.len());
    for (old_at, new_at) in pairs(old, new, deadline).into_iter().chain([end]) {
        lines.extend(old[old_done..old_at].iter().map(|gone| line(Fate::Gone, gone.text)));
        lines.extend(new[new_done..new_at].iter().map(whole));
        if let (Some(old), Some(new)) = (old.get(old_at), new.get(new_at)) {
            lines.push(changed(old, new, deadline));
        }
        (old_done, new_done) = (old_at + 1, new_at + 1);
    }
}

/// A line that is new has only new words.
fn whole<'a>(new: &Split<'a>) -> Line<'a> {
    Line { fate: Fate::New, text: new.text, words: new.places.clone() }
}

/// A line that stands for another, with the words that this one does not have in that place.
fn changed<'a>(old: &Split<'a>, new: &Split<'a>, deadline: Instant) -> Line<'a> {
    let (before, after): (Vec<_>, Vec<_>) = (old.words().collect(), new.words().collect());
    let operations =
        capture_diff_slices_deadline(Algorithm::Myers, &before, &after, Some(deadline));
    let is_new = |operation: &DiffOp| !matches!(operation, DiffOp::Equal { .. });
    let places = operations.iter().filter(|operation| is_new(operation));
    let words = places.flat_map(|operation| new.places[operation.new_range()].iter().cloned());
    Line { fate: Fate::Changed, text: new.text, words: words.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines with their marks, and new words in brackets.
    fn marked(before: &str, after: &str) -> Vec<String> {
        let lines = between(before, after).into_iter();
        let text = |line: Line<'_>| {
            let mut out = Vec::new();
            line.write(&mut out, true).unwrap();
            let text = String::from_utf8(out).unwrap();
            text.replace("\x1b[7m", "[").replace("\x1b[27m", "]")
        };
        lines.map(text).collect()
    }

    #[test]
    fn a_value_that_changed_is_the_only_change() {
        let before = "NAME  VALUE\nttl      64\nid  7\n";
        let after = "NAME  VALUE\nttl      65\nid  7\n";
        assert_eq!(marked(before, after), ["  NAME  VALUE", "* ttl      [65]", "  id  7"]);
        assert_eq!(marked(before, before), ["  NAME  VALUE", "  ttl      64", "  id  7"]);
        assert_eq!(marked("64\n", "65\n"), ["* [65]"]);
    }

    #[test]
    fn a_column_that_grew_is_no_change() {
        let before = "NAME  ADDRESS\nlo0   127.0.0.1\n";
        let after = "NAME      ADDRESS\nlo0       127.0.0.1\nepair12b  10.0.0.1\n";
        let lines = ["  NAME      ADDRESS", "  lo0       127.0.0.1", "+ [epair12b]  [10.0.0.1]"];
        assert_eq!(marked(before, after), lines);
    }

    #[test]
    fn a_line_beside_one_that_changed_is_new_or_gone() {
        let before = "a  x 4 int 1\nb  y 4 int 2\nc  z 4 int 3\n";
        let more = "a  x 4 int 1\nnew  n 4 int 9\nb  y 4 int 5\nc  z 4 int 3\n";
        let lines =
            ["  a  x 4 int 1", "+ [new]  [n] [4] [int] [9]", "* b  y 4 int [5]", "  c  z 4 int 3"];
        assert_eq!(marked(before, more), lines);
        let lines = ["  a  x 4 int 1", "- new  n 4 int 9", "* b  y 4 int [2]", "  c  z 4 int 3"];
        assert_eq!(marked(more, before), lines);
    }

    /// All sockets begin with the protocol.
    #[test]
    fn rows_without_a_key_are_told_apart_by_their_words() {
        let before =
            "tcp4 10.0.0.1:80 10.0.0.2:1000 OPEN 0x10\ntcp4 10.0.0.1:80 10.0.0.3:2000 OPEN 0x20\n";
        let after = "tcp4 10.0.0.1:22 10.9.9.9:5555 NEW 0x30\ntcp4 10.0.0.1:80 10.0.0.2:1000 CLOSED 0x10\ntcp4 10.0.0.1:80 10.0.0.3:2000 OPEN 0x20\n";
        let lines = marked(before, after);
        assert!(lines[0].starts_with("+ [tcp4]"), "{lines:?}");
        assert_eq!(lines[1], "* tcp4 10.0.0.1:80 10.0.0.2:1000 [CLOSED] 0x10");
        assert_eq!(lines[2], "  tcp4 10.0.0.1:80 10.0.0.3:2000 OPEN 0x20");
    }

    #[test]
    fn colours_are_no_words() {
        let before = "\x1b[1mNAME  VALUE\x1b[0m\nttl  64\n";
        let after = "\x1b[1mNAME    VALUE\x1b[0m\nttl  64\n";
        assert_eq!(between(before, after)[0].fate, Fate::Same);
        let lines = marked(before, "\x1b[1mNAME  VALUES\x1b[0m\n");
        assert_eq!(lines, ["* \x1b[1mNAME  [VALUES]\x1b[0m", "- ttl  64"]);
    }

    #[test]
    fn long_answers_are_compared_by_the_first_words() {
        let answer = |from: usize, step: usize| {
            let lines = (from..2000).map(|n| format!("counter{n}  {}\n", n * step));
            lines.collect::<String>()
        };
        let (before, after) = (answer(1, 3), answer(0, 5));
        let lines = between(&before, &after);
        assert_eq!(lines.len(), 2000);
        assert_eq!(lines[0].fate, Fate::New);
        assert!(lines[1..].iter().all(|line| line.fate == Fate::Changed && line.words.len() == 1));
    }
}
