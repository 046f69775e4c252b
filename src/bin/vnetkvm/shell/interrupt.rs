//! Ctrl-C, and `q` between two pages: what is being answered ends, and the shell goes on.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{interrupt, limits, say};

/// The terminal shows Ctrl-C where the cursor is.
static KEY_IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on, SIGINT stops the answer, not the program.
pub fn catch() {
    interrupt::react_by(|| {
        stop();
        KEY_IS_SHOWN.store(true, Ordering::Relaxed);
    });
}

/// Stops what is being answered. What it would have said is of no use any more.
pub fn stop() {
    say::silence();
    limits::stop();
}

/// What was stopped has ended, and so does the line that shows the key.
pub fn end() {
    if KEY_IS_SHOWN.swap(false, Ordering::Relaxed) {
        // If standard error is closed, nobody sees the key.
        let _ = io::stderr().write_all(b"\n");
    }
    limits::go_on();
}
