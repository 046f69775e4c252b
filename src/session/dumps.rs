//! Dumps without their kernels.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use crate::dump::{self, Core};
use crate::error::Error;
use crate::source::unpack::Progress;
use crate::source::{self, Source, crash};

/// Opens a dump alone, which says a little without its kernel. `progress` is called while
/// a compressed dump is unpacked.
///
/// # Errors
/// The file cannot be read, or is no dump.
pub fn open_dump(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Core, Error> {
    let failed = |source| Error::Dump { path: path.to_owned(), source };
    dump::open_with(Source::open(path)?, progress).map_err(failed)
}

/// The files that are meant by these paths, each once: in place of a directory those in it and below
/// it that may be dumps.
///
/// # Errors
/// A directory cannot be read.
pub fn dump_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => files.extend(crash::possible_dumps(path)?),
            false => files.push(path.clone()),
        }
    }
    let mut seen = FxHashSet::default();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    Ok(files)
}

/// Why answers about the dump at `path` are wrong, if the file became unreadable while it was in
/// use.
pub fn lost_dump(path: &Path) -> Option<Error> {
    source::lost().filter(|lost| lost.path == path).map(Error::from)
}
