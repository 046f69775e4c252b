//! Messages to the user on standard error; each is printed once. A program that draws on the
//! terminal keeps them, and says them in a place of its own.

use std::collections::HashSet;
use std::io::{self, Write};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};
use vnetkvm::render::sanitize;

pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();

static MESSAGES: Mutex<Messages> =
    Mutex::new(Messages { said: None, facts: None, kept: None, is_silent: false });

struct Messages {
    /// What was said so far. Several parts of an answer may rest on the same broken list.
    said: Option<HashSet<String>>,
    /// The facts among it that stay true for the commands that follow.
    facts: Option<HashSet<String>>,
    /// What is kept, if messages do not go to standard error.
    kept: Option<Vec<u8>>,
    /// Nobody wants to read more.
    is_silent: bool,
}

/// Prints a line without a label.
pub fn note(message: &str) {
    say(&sanitize::line(message));
}

/// Prints a line without a label, which is not said again to who asks several commands.
pub fn fact(message: &str) {
    let line = sanitize::line(message).into_owned();
    if messages().facts.get_or_insert_default().insert(line.clone()) {
        say(&line);
    }
}

/// Prints a line without a label to standard error, as often as it is said, even while messages are
/// kept: it has nothing to do with what they are about.
#[cfg(feature = "gdb-server")]
pub fn aside(message: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", sanitize::line(message));
}

/// Prints a warning: the answer is less complete or less certain than it looks.
pub fn warning(message: &str) {
    say(&format!("{WARNING}warning:{WARNING:#} {}", sanitize::line(message)));
}

/// Prints one thing to do about the message before.
pub fn hint(message: &str) {
    say(&format!("{HINT}hint:{HINT:#} {}", sanitize::line(message)));
}

/// Prints a message of several lines, as often as it is said.
pub fn error(message: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    messages().print(message);
}

/// Keeps what is said from now on, until [`take`].
pub fn keep() {
    messages().kept = Some(Vec::new());
}

/// What was said since [`keep`]. From now on, messages are printed, and may be said again.
pub fn take() -> String {
    let mut messages = messages();
    (messages.said, messages.facts) = (None, None);
    String::from_utf8_lossy(&mem::take(&mut messages.kept).unwrap_or_default()).into_owned()
}

/// Forgets what was said but facts, so that the next command may say it again.
#[cfg(feature = "shell")]
pub fn forget() {
    let mut messages = messages();
    messages.said = None;
    messages.is_silent = false;
}

/// From now on, says nothing; in a shell until the next command.
pub fn silence() {
    messages().is_silent = true;
}

fn say(line: &str) {
    let mut messages = messages();
    if messages.said.get_or_insert_default().insert(line.to_owned()) {
        messages.print(|out| writeln!(out, "{line}"));
    }
}

fn messages() -> MutexGuard<'static, Messages> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Messages {
    fn print(&mut self, message: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        // If standard error is closed, nobody reads messages.
        let _ = match &mut self.kept {
            _ if self.is_silent => Ok(()),
            Some(kept) => message(kept),
            None => message(&mut anstream::stderr().lock()),
        };
    }
}
