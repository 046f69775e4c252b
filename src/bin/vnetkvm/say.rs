//! Messages to the user on standard error; each is printed once.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Mutex;

use anstyle::{AnsiColor, Style};
use vnetkvm::render::sanitize;

pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// The messages printed so far. Several parts of an answer may rest on the same broken list.
static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// Prints a line without a label.
pub fn note(message: &str) {
    say(&sanitize::line(message));
}

/// Prints a warning: the answer is less complete or less certain than it looks.
pub fn warning(message: &str) {
    say(&format!("{WARNING}warning:{WARNING:#} {}", sanitize::line(message)));
}

/// Prints one thing to do about the message before.
pub fn hint(message: &str) {
    say(&format!("{HINT}hint:{HINT:#} {}", sanitize::line(message)));
}

fn say(line: &str) {
    let mut said = SAID.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if said.get_or_insert_default().insert(line.to_owned()) {
        // If standard error is closed, nobody reads messages.
        let _ = writeln!(anstream::stderr(), "{line}");
    }
}
