//! Ctrl-C ends a watch as its user means it to end.

use std::io::{self, Write};
use std::process;
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

/// From now on, SIGINT ends the program with status 0, even while a question is being answered.
/// Then the terminal is as it should be, because a screen is drawn in one piece.
pub fn end_on_interrupt(screen: bool) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT])?;
    thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        if screen {
            // Whoever draws has the lock until the screen is whole. A pipe may never be read.
            let mut out = io::stdout().lock();
            let _ = out.write_all(b"\n").and_then(|()| out.flush());
        }
        process::exit(0);
    })?;
    Ok(())
}
