//! Messages to the user, on standard error.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use vnetkvm::render::sanitize;

pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// A line as it is.
pub fn note(message: &str) {
    // With standard error gone, there is nobody left to tell.
    let _ = writeln!(anstream::stderr(), "{}", sanitize::line(message));
}

/// What makes the answer smaller or less sure than it looks.
pub fn warning(message: &str) {
    let message = sanitize::line(message);
    let _ = writeln!(anstream::stderr(), "{WARNING}warning:{WARNING:#} {message}");
}

/// One thing to do about what was said before.
pub fn hint(message: &str) {
    let message = sanitize::line(message);
    let _ = writeln!(anstream::stderr(), "{HINT}hint:{HINT:#} {message}");
}
