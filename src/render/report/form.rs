//! What HTML and Markdown must be able to write.

use crate::answers::report::{Picture, Section};
use crate::answers::{Column, Remark};

/// A form of a report. It is given text in which nothing can act on a terminal, and keeps what it
/// makes until that is taken.
pub(super) trait Form {
    /// What stands before the first section.
    fn front(&mut self, title: &str, about: &[String], sections: &[&'static Section]);

    /// Begins a section.
    fn section(&mut self, section: &'static Section);

    /// Ends a section.
    fn end_section(&mut self);

    /// Puts what was made since the last time into a part with this title; `open` unless it is
    /// folded.
    fn fold(&mut self, title: &str, open: bool);

    /// A title within a section, or within a part of one.
    fn title(&mut self, title: &str, in_part: bool);

    /// Begins or ends lines of text whose spaces matter.
    fn lines(&mut self, bound: Bound);

    /// One of these lines.
    fn line(&mut self, line: &str);

    /// Begins or ends keys and values.
    fn entries(&mut self, bound: Bound);

    /// One of these keys with its value.
    fn entry(&mut self, key: &str, value: &str);

    /// Begins a table.
    fn table(&mut self, columns: &[Column]);

    /// A row of it.
    fn row(&mut self, columns: &[Column], cells: &[String]);

    /// Ends it.
    fn end_table(&mut self);

    /// A sentence.
    fn say(&mut self, kind: Kind, text: &str);

    /// A picture, with what it shows in a sentence; at most `room` bytes of it.
    fn picture(&mut self, picture: &Picture<'_>, room: u64);

    /// Ends the document.
    fn end(&mut self);

    /// What was made since the last time.
    fn made(&self) -> &str;

    /// Forgets what was made, because it was taken.
    fn clear(&mut self);
}

/// An end of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Begin,
    End,
}

/// What a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something is wrong in the kernel's own state.
    Fault,
    /// Something could not be read.
    Problem,
    /// A warning about the answer.
    Warning,
    /// A remark about the answer.
    Note,
    /// There is nothing to show.
    Nothing,
    /// Something has no room.
    LeftOut,
}

impl Kind {
    /// The word before the sentence, if it needs one.
    pub fn label(self) -> Option<&'static str> {
        match self {
            Self::Fault => Some("fault"),
            Self::Problem => Some("unreadable"),
            Self::Warning => Some("warning"),
            Self::Note | Self::Nothing | Self::LeftOut => None,
        }
    }
}

impl From<&Remark> for Kind {
    fn from(remark: &Remark) -> Self {
        match remark {
            Remark::Note(_) => Self::Note,
            Remark::Warning(_) => Self::Warning,
        }
    }
}
