//! How the process ends: exit codes and error messages.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use vnetkvm::image::ImageError;
use vnetkvm::render::sanitize;

use crate::hints;
use crate::say::{self, HINT, WARNING, note};
use crate::stdout;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const CAUSE: Style = Style::new().bold();

/// The result of a command that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer was written.
    Answered,
    /// The answer was written, and it has what the command looks for: a fault, a difference.
    Found,
    /// The question was valid, but nothing matched; the text says why.
    NothingMatched(String),
    /// Commands were run one after the other, and this is the status of the last.
    #[cfg(feature = "shell")]
    Ended(Status),
}

/// An error that the binary itself detects, with one thing for the user to try.
#[derive(Debug)]
pub struct Failure {
    what: String,
    hint: Option<String>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause of the failure.
    pub fn because(self, cause: impl Error + Send + Sync + 'static) -> anyhow::Error {
        anyhow::Error::new(cause).context(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Failure {}

/// What to try next after an error, where the command line tells more than the error does.
#[derive(Debug)]
pub struct Advice(pub String);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// The exit code.
    pub code: u8,
    /// It said `error:`.
    pub failed: bool,
}

impl Status {
    /// An error was said, and nothing was answered.
    #[cfg(feature = "shell")]
    pub const FAILED: Self = Self { code: 2, failed: true };

    const fn of(code: u8) -> Self {
        Self { code, failed: false }
    }
}

/// Reports the result to the user and returns the exit code: 0 answered, 1 nothing matched, 2
/// failed. Of a command that `searches`, 1 is something found, and 2 nothing matched. A closed
/// pipe is not a failure: its reader has seen enough.
pub fn report(result: anyhow::Result<Outcome>, searches: bool) -> ExitCode {
    ExitCode::from(report_status(result, searches).code)
}

/// The same, with the exit code as a number.
pub fn report_status(result: anyhow::Result<Outcome>, searches: bool) -> Status {
    match result {
        Ok(Outcome::Answered) => Status::of(0),
        Ok(Outcome::Found) => Status::of(1),
        Ok(Outcome::NothingMatched(why)) => {
            note(&format!("note: {why}"));
            Status::of(1)
        }
        #[cfg(feature = "shell")]
        Ok(Outcome::Ended(status)) => status,
        Err(error) if is_broken_pipe(&error) => Status::of(0),
        Err(error) => {
            say::error(|out| write_message(out, "error:", ERROR, &error));
            let started = stdout::has_started();
            if started {
                note("note: the answer above is incomplete");
            }
            let nothing_matched = is_empty_answer(&error) && !started;
            Status { code: if nothing_matched && !searches { 1 } else { 2 }, failed: true }
        }
    }
}

/// Warns about each part of the question that has no answer. If nothing was `answered`, one of
/// them is the command's error instead: a failure if there is one, else a name without a match.
pub fn report_missed(mut missed: Vec<vnetkvm::Error>, answered: bool) -> anyhow::Result<()> {
    let failed = missed.iter().rposition(|why| !why.is_no_match());
    let own = match answered {
        true => None,
        false => failed.or(missed.len().checked_sub(1)).map(|place| missed.remove(place)),
    };
    missed.into_iter().for_each(warn_of);
    own.map_or(Ok(()), |why| Err(why.into()))
}

/// Prints an error as a warning, because other parts of the question were answered.
pub fn warn_of(error: vnetkvm::Error) {
    say::error(|out| write_message(out, "warning:", WARNING, &error.into()));
}

fn write_message(
    out: &mut dyn Write,
    label: &str,
    style: Style,
    error: &anyhow::Error,
) -> io::Result<()> {
    let advice = error.downcast_ref::<Advice>().map(ToString::to_string);
    for (number, cause) in error.chain().skip(usize::from(advice.is_some())).enumerate() {
        let text = text(cause);
        match number {
            0 => writeln!(out, "{style}{label}{style:#} {text}")?,
            _ => writeln!(out, "{CAUSE}caused by:{CAUSE:#} {text}")?,
        }
    }
    if let Some(caret) = caret(error) {
        caret.lines().try_for_each(|line| writeln!(out, "    {}", sanitize::line(line)))?;
    }
    let own = error.downcast_ref::<Failure>().and_then(|failure| failure.hint.clone());
    match own.or(advice).or_else(|| hints::of(error)) {
        Some(hint) => writeln!(out, "{HINT}hint:{HINT:#} {}", sanitize::line(&hint)),
        None => Ok(()),
    }
}

/// The expression with the mistake underlined.
fn caret(error: &anyhow::Error) -> Option<&str> {
    match error.downcast_ref()? {
        vnetkvm::Error::Expr { caret, .. } => caret.as_deref(),
        _ => None,
    }
}

/// An error on one line, so that no name in it can forge a line. The error of a scenario quotes
/// the file and takes several lines.
fn text(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    match error.downcast_ref() {
        Some(ImageError::Scenario(_)) => {
            text.lines().map(sanitize::line).collect::<Vec<_>>().join("\n")
        }
        _ => sanitize::line(&text).into_owned(),
    }
}

/// Whether the error says that a valid question has no match.
fn is_empty_answer(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(vnetkvm::Error::is_no_match)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
