//! `info --dmesg`: the kernel's message buffer.

use serde::Serialize;
use vnetkvm::session::Messages;

use super::subject::Subject;
use crate::args::{Cli, Format};
use crate::exit::{Failure, Outcome};
use crate::output::Output;
use crate::say::note;

pub fn write(cli: &Cli, subject: &Subject) -> anyhow::Result<Outcome> {
    let messages = match subject {
        Subject::Session(session) => session.messages(),
        Subject::Dump(core, ..) => Messages::saved(core),
    };
    let Some(messages) = messages else {
        let hint = match subject {
            Subject::Session(_) => "a kernel with debug information is needed to find it in memory",
            Subject::Dump(..) => "only a minidump has it without a kernel: use -N FILE",
        };
        return Err(Failure::new("the message buffer cannot be read").hint(hint).into());
    };
    if !messages.in_memory && matches!(subject, Subject::Session(_)) {
        note("note: from the minidump's copy, the message buffer in memory cannot be read");
    }
    let mut output = Output::new(&cli.output);
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                messages: Document<'a>,
            }
            #[derive(Serialize)]
            struct Document<'a> {
                in_memory: bool,
                lines: &'a [String],
            }
            let Messages { in_memory, lines } = &messages;
            output.document(Body { messages: Document { in_memory: *in_memory, lines } })?;
        }
        Format::Jsonl => {
            #[derive(Serialize)]
            struct Line<'a> {
                line: &'a str,
            }
            messages.lines.iter().try_for_each(|line| output.json_line(&Line { line }))?;
        }
        Format::Table | Format::Plain => {
            for line in &messages.lines {
                output.line(line)?;
            }
        }
    }
    output.finish(Outcome::Answered)
}
