//! Ctrl-C, and `q` between two pages: what is being answered ends, and the shell goes on.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use crate::{limits, say};

static CAME: AtomicBool = AtomicBool::new(false);

/// The terminal shows Ctrl-C where the cursor is.
static KEY_IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on, SIGINT stops the answer, not the program.
pub fn catch() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT])?;
    let waiting = thread::Builder::new().name("interrupt".to_owned());
    waiting.spawn(move || {
        for _ in signals.forever() {
            stop();
            KEY_IS_SHOWN.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(())
}

/// Stops what is being answered. What it would have said is of no use any more.
pub fn stop() {
    CAME.store(true, Ordering::Relaxed);
    say::silence();
    limits::stop();
}

/// Whether the answer was stopped.
pub fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// What was stopped has ended, and so does the line that shows the key.
pub fn end() {
    if KEY_IS_SHOWN.swap(false, Ordering::Relaxed) {
        // If standard error is closed, nobody sees the key.
        let _ = io::stderr().write_all(b"\n");
    }
    CAME.store(false, Ordering::Relaxed);
}
