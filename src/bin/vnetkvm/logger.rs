//! What the library logs, on standard error: with -v, a line for each record.

use std::io::{self, IsTerminal, Write};

use log::{LevelFilter, Log, Metadata, Record};

use crate::say::note;

/// Writes the library's records from now on.
pub fn install() {
    // Nobody else sets one.
    if log::set_logger(&Lines).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

struct Lines;

impl Log for Lines {
    /// What other crates have to say is of no use to those who look for a file.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("vnetkvm::")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // A progress bar may stand there.
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r\x1b[K");
        }
        note(&record.args().to_string());
    }

    fn flush(&self) {}
}
