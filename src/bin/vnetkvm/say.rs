//! Messages to the user, on standard error, each once.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Mutex;

use anstyle::{AnsiColor, Style};
use vnetkvm::render::sanitize;

pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// What has been said. Several parts of an answer may rest on the same broken list.
static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// A line as it is.
pub fn note(message: &str) {
    say(&sanitize::line(message));
}

/// What makes the answer smaller or less sure than it looks.
pub fn warning(message: &str) {
    say(&format!("{WARNING}warning:{WARNING:#} {}", sanitize::line(message)));
}

/// One thing to do about what was said before.
pub fn hint(message: &str) {
    say(&format!("{HINT}hint:{HINT:#} {}", sanitize::line(message)));
}

fn say(line: &str) {
    let mut said = SAID.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if said.get_or_insert_default().insert(line.to_owned()) {
        // With standard error gone, there is nobody left to tell.
        let _ = writeln!(anstream::stderr(), "{line}");
    }
}
