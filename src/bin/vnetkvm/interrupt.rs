//! Signals that end the program: Ctrl-C (SIGINT), SIGTERM, and SIGHUP when the terminal is closed.
//!
//! The program ends by the signal, as programs do that know nothing of it: a shell sees the
//! status 130 or 143, and a loop of the shell ends too. But what was written ends with a whole
//! line, and no unfinished file stays behind. This is done by a thread of its own, so it makes no
//! difference what is being computed. A watch and a prompt have something else to do for SIGINT.
//! A signal that whoever started the program ignores, such as nohup(1), stays ignored.

use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::{say, stdout};

/// What is done for SIGINT in place of ending the program.
static OTHERWISE: Mutex<Option<fn()>> = Mutex::new(None);

/// What must not stay behind.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// From now on, signals end the program in good order.
pub fn catch() -> io::Result<()> {
    let ignored = ignored();
    let heeded =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(heeded)?;
    thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let otherwise = *lock(&OTHERWISE);
            match otherwise.filter(|_| signal == SIGINT) {
                Some(react) => react(),
                None => end(signal),
            }
        }
    })?;
    Ok(())
}

/// The signals that the program was started with as ignored, a bit for each, the lowest for signal 1.
/// None where proc(5) does not tell.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// From now on, SIGINT does this, on a thread of its own.
pub fn react_by(react: fn()) {
    *lock(&OTHERWISE) = Some(react);
}

fn end(signal: i32) {
    say::silence();
    // Nobody writes more, and nobody finishes a file, while these are held.
    let _lines = stdout::end_of_line();
    let mut unfinished = lock(&UNFINISHED);
    for path in mem::take(&mut *unfinished) {
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    let _ = emulate_default_handler(signal);
}

/// A file or directory that is removed if a signal ends the program before this is dropped.
pub struct Unfinished(PathBuf);

impl Unfinished {
    pub fn new(path: &Path) -> Self {
        lock(&UNFINISHED).push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        lock(&UNFINISHED).retain(|path| *path != self.0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
