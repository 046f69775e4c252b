//! Buffered standard output. A short answer is written only when it is complete; of a long one,
//! only a little is kept in memory, unless all of it is to be kept. A pager may stand in place of
//! standard output.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::lost_files::require_intact_files;
use crate::run::Run;

/// How many bytes are held back. A command that fails before has written nothing.
const KEPT_BACK: usize = 64 << 10;

/// Once an answer has begun, this many bytes are collected and then written together.
const BLOCK: usize = 32 << 10;

/// Whether any of the answer was written.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Whether what was written ends with a line. Whoever writes has the lock.
static IS_AT_END_OF_LINE: Mutex<bool> = Mutex::new(true);

/// Standard output, with the bytes that are not yet written.
pub struct Stdout<'r> {
    kept: Vec<u8>,
    /// Where the answer goes instead, if a run keeps it.
    answer: Option<&'r RefCell<Vec<u8>>>,
    /// What shows the answer instead, if there is a pager.
    pager: Option<&'r RefCell<dyn Write>>,
}

impl<'r> Stdout<'r> {
    pub fn new(run: &'r Run) -> Self {
        Self { kept: Vec::with_capacity(KEPT_BACK), answer: run.answer(), pager: run.pager() }
    }

    /// How many bytes are collected before they are written.
    fn room(&self) -> usize {
        match self.answer {
            Some(_) => usize::MAX,
            None if has_started() => BLOCK,
            None => KEPT_BACK,
        }
    }

    /// Writes the bytes that were held back, and then these, or holds them back in turn.
    #[cold]
    fn overflow(&mut self, bytes: &[u8]) -> io::Result<()> {
        require_intact_files().map_err(io::Error::other)?;
        STARTED.store(true, Ordering::Relaxed);
        // A long answer comes in blocks that need no second copy.
        if bytes.len() >= BLOCK {
            self.flush()?;
            return self.pass_on(bytes);
        }
        // Whatever stops the program, whole lines were written.
        let len = memchr::memrchr(b'\n', &self.kept).map_or(self.kept.len(), |end| end + 1);
        self.pass_on(&self.kept[..len])?;
        self.kept.drain(..len);
        self.kept.extend_from_slice(bytes);
        Ok(())
    }

    fn pass_on(&self, bytes: &[u8]) -> io::Result<()> {
        match self.pager {
            Some(pager) => pager.borrow_mut().write_all(bytes),
            None => write_out(bytes),
        }
        .map_err(cannot_write)
    }

    /// Writes the rest.
    pub fn finish(mut self) -> anyhow::Result<()> {
        // The bytes held back may rest on a file that has since become unreadable.
        require_intact_files()?;
        if let Some(answer) = self.answer {
            answer.replace(self.kept);
            return Ok(());
        }
        Ok(self.flush()?)
    }
}

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    // Answers are written a few bytes at a time.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.kept.len() + bytes.len() > self.room() {
            return self.overflow(bytes);
        }
        self.kept.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.answer.is_some() {
            return Ok(());
        }
        if !self.kept.is_empty() {
            STARTED.store(true, Ordering::Relaxed);
            self.pass_on(&self.kept)?;
            self.kept.clear();
        }
        Ok(())
    }
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut is_at_end = IS_AT_END_OF_LINE.lock().unwrap_or_else(PoisonError::into_inner);
    *is_at_end = bytes.ends_with(b"\n");
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Waits until what was written ends with a line. Nobody writes more until the result is dropped.
/// A line that does not end soon, because nobody reads it or because it is long, is not waited for.
pub fn end_of_line() -> Option<MutexGuard<'static, bool>> {
    const PATIENCE: Duration = Duration::from_millis(50);
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match IS_AT_END_OF_LINE.try_lock() {
            Ok(is_at_end) if *is_at_end => return Some(is_at_end),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    None
}

/// The error of an answer that nobody wants to see any more, as if its reader were gone.
pub fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the answer was stopped")
}

/// Wraps an error so that it names standard output. Keeps its kind and its cause.
pub fn cannot_write(cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), CannotWrite(cause))
}

#[derive(Debug)]
struct CannotWrite(io::Error);

impl fmt::Display for CannotWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write to standard output")
    }
}

impl Error for CannotWrite {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Another answer begins, of which nothing is written yet.
#[cfg(any(feature = "gdb-server", feature = "shell"))]
pub fn begin_answer() {
    STARTED.store(false, Ordering::Relaxed);
}

/// Whether part of the answer was written. A later failure leaves it incomplete.
pub fn has_started() -> bool {
    STARTED.load(Ordering::Relaxed)
}
