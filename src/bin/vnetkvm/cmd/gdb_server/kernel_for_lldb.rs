//! The kernel's file that lldb opens, which is there as long as the server runs.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vnetkvm::session::Session;
use vnetkvm::threads::KernelCopy;

use crate::interrupt::Unfinished;
use crate::output_file::OutputFile;
use crate::say::warning;

/// A file for lldb.
pub struct KernelForLldb {
    path: PathBuf,
    /// It is removed when this is dropped.
    _directory: Option<(TempDir, Unfinished)>,
}

impl KernelForLldb {
    /// Writes a copy of the kernel with which lldb goes across trap frames. If there can be
    /// none, lldb uses the kernel itself.
    pub fn write(session: &Session) -> Self {
        match copy(session) {
            Ok(Some(directory)) => {
                let removed = Unfinished::new(directory.path());
                return Self { path: file_in(&directory), _directory: Some((directory, removed)) };
            }
            Ok(None) => {}
            Err(why) => {
                warning(&format!("no kernel for lldb, whose bt will stop at traps: {why:#}"));
            }
        }
        let kernel = session.kernel().linked();
        let path = kernel.debug_file().unwrap_or(kernel.main()).source().path();
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self { path, _directory: None }
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
