//! The kernel's file that lldb opens, which is there as long as the server runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::TempDir;
use vnetkvm::session::Session;
use vnetkvm::threads::KernelCopy;

use crate::output_file::OutputFile;
use crate::say::warning;

/// A file for lldb.
pub struct KernelForLldb {
    path: PathBuf,
    /// It is removed when this is dropped.
    _directory: Option<TempDir>,
}

impl KernelForLldb {
    /// Writes a copy of the kernel with which lldb goes across trap frames. If there can be
    /// none, lldb uses the kernel itself.
    pub fn write(session: &Session) -> io::Result<Self> {
        match copy(session) {
            Ok(Some(directory)) => {
                remove_on_signals(directory.path().to_owned())?;
                return Ok(Self { path: file_in(&directory), _directory: Some(directory) });
            }
            Ok(None) => {}
            Err(why) => {
                warning(&format!("no kernel for lldb, whose bt will stop at traps: {why:#}"));
            }
        }
        let kernel = session.kernel().linked();
        let path = kernel.debug_file().unwrap_or(kernel.main()).source().path();
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, _directory: None })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn copy(session: &Session) -> anyhow::Result<Option<TempDir>> {
    let Some(copy) = KernelCopy::of(session.kernel().linked(), session.types()?)? else {
        return Ok(None);
    };
    let directory = tempfile::Builder::new().prefix("vnetkvm").tempdir()?;
    OutputFile::write(&file_in(&directory), |out| copy.write(out))?;
    Ok(Some(directory))
}

/// lldb shows this name before that of each function.
fn file_in(directory: &TempDir) -> PathBuf {
    directory.path().join("kernel")
}

/// From now on, a signal that ends the program removes the directory before.
fn remove_on_signals(directory: PathBuf) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let _ = fs::remove_dir_all(&directory);
            let _ = emulate_default_handler(signal);
        }
    })?;
    Ok(())
}
