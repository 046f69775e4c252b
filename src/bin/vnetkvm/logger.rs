//! Writes the library's log records to standard error with -v, a line each.

use std::io::{self, IsTerminal, Write};

use log::{LevelFilter, Log, Metadata, Record};

use crate::say::note;

/// Starts to write the library's log records.
pub fn install() {
    // Nothing else sets a logger.
    if log::set_logger(&Lines).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

struct Lines;

impl Log for Lines {
    /// Records of other crates do not help to find a file.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("vnetkvm::")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Clear the progress bar, if there is one.
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r\x1b[K");
        }
        note(&record.args().to_string());
    }

    fn flush(&self) {}
}
