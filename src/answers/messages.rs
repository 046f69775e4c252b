//! `info --dmesg`: the kernel's message buffer.

use std::io;

use serde::Serialize;

use super::{Answer, Cell, Column, Elements, Medium, Page, Remark, Row};
use crate::dump::Core;
use crate::session::{Messages, Session};

/// The lines of the message buffer, oldest first.
#[derive(Debug, Clone, Serialize)]
pub struct MessageBuffer {
    /// The lines, and their origin.
    pub messages: Messages,
    /// Remarks about them.
    #[serde(skip)]
    pub remarks: Vec<Remark>,
}

/// The kernel's messages, from its memory or otherwise from a minidump's copy; `None` if neither
/// can be read.
pub fn messages(session: &Session) -> Option<MessageBuffer> {
    let messages = session.messages()?;
    let copy = "from the minidump's copy; the message buffer in memory cannot be read";
    let remarks = (!messages.in_memory).then(|| Remark::Note(copy.to_owned()));
    Some(MessageBuffer { messages, remarks: remarks.into_iter().collect() })
}

/// A minidump's copy, which needs no kernel; `None` in other dumps.
pub fn messages_of_dump(core: &Core) -> Option<MessageBuffer> {
    Some(MessageBuffer { messages: Messages::saved(core)?, remarks: Vec::new() })
}

impl Answer for MessageBuffer {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let lines = &self.messages.lines;
        if page.medium() == Medium::People {
            return lines.iter().try_for_each(|line| page.line(line));
        }
        let lines: Vec<Line<'_>> = lines.iter().map(|line| Line { line }).collect();
        page.table(&[Column::left("LINE")], &Elements::from(lines))
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }
}

/// A line of the buffer, as an element.
#[derive(Debug, Serialize)]
struct Line<'a> {
    line: &'a str,
}

impl Row for Line<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![vec![self.line.into()]]
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::answers::testing::{assert_keys, demo, json, laid_out};

    #[test]
    fn lines_are_lines_in_every_form() {
        let answer = messages(demo()).unwrap();
        let document = json(&answer);
        assert_keys(&document, &["messages"]);
        assert_keys(&document["messages"], &["in_memory", "lines"]);
        let lines = &answer.messages.lines;
        assert_eq!(document["messages"]["lines"].as_array().unwrap().len(), lines.len());

        let people = laid_out(&answer, Medium::People);
        assert_eq!(people.lines().count(), lines.len());
        assert_eq!(laid_out(&answer, Medium::Columns), people);
        let each = laid_out(&answer, Medium::Lines);
        assert_eq!(each.lines().count(), lines.len());
        assert!(each.starts_with(r#"{"line":""#), "{each}");
    }

    #[test]
    fn a_copy_is_not_taken_for_the_buffer() {
        let answer = messages_of_dump(demo().core());
        assert!(answer.is_none_or(|answer| !answer.messages.in_memory));
    }
}
