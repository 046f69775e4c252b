//! Answers that follow each other, for pipes and files.

use std::io::{self, Write};

use vnetkvm::render::changes;

use super::moment::Moment;
use crate::args::Format;
use crate::output;

/// Writes an answer, or that there is none. The first looks as if it were the only one.
pub fn write(
    format: &Format,
    before: Option<&str>,
    answer: Option<&str>,
    moment: &Moment,
) -> io::Result<()> {
    let mut out = Vec::new();
    match (format, before, answer) {
        (Format::Table | Format::Html | Format::Markdown, Some(before), answer) => {
            write_changes(&mut out, before, answer, moment)?;
        }
        (_, _, None) => {}
        (Format::Plain | Format::Template(_), Some(_), Some(answer)) => write!(out, "\n{answer}")?,
        (Format::Jsonl, _, Some(answer)) => {
            writeln!(out, "{{\"time\":\"{}\"}}", moment.stamp())?;
            out.write_all(answer.as_bytes())?;
        }
        (_, _, Some(answer)) => out.write_all(answer.as_bytes())?,
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(&out)?;
    stdout.flush()
}

/// A table with its time, and a mark before each line.
fn write_changes(
    out: &mut impl Write,
    before: &str,
    answer: Option<&str>,
    moment: &Moment,
) -> io::Result<()> {
    let Some(answer) = answer else {
        return writeln!(out, "\n{}: no answer", moment.local());
    };
    writeln!(out, "\n{}", moment.local())?;
    let color = output::has_color();
    changes::between(before, answer).iter().try_for_each(|line| {
        line.write(out, color)?;
        writeln!(out)
    })
}
