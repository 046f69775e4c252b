//! Several files in a directory: all are written, or none.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::interrupt::Unfinished;
use crate::lost_files::require_intact_files;

/// Calls `write` with a directory to write files into, and moves the files that it returns to `directory`, which is
/// made if it does not exist. Files that have their names are replaced. Returns where they are now.
pub fn write_files(
    directory: &Path,
    write: impl FnOnce(&Path) -> anyhow::Result<Vec<PathBuf>>,
) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(directory)?;
    let new = tempfile::Builder::new().prefix(".vnetkvm").tempdir_in(directory)?;
    let _unfinished = Unfinished::new(new.path());
    let written = write(new.path())?;
    // They may rest on a file that has since become unreadable.
    require_intact_files()?;
    let place = |from: PathBuf| {
        let to = directory.join(from.file_name().unwrap_or_default());
        fs::rename(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
        Ok(to)
    };
    written.into_iter().map(place).collect()
}
