//! The Parquet files of one dump, which take their places when all are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;
use vnetkvm::export::{Origin, origin_of};

use crate::exit::Failure;
use crate::interrupt::Unfinished;
use crate::lost_files::require_intact_files;
use crate::output_file::temporary;

/// Files that are complete, with the paths that they will have.
#[derive(Default)]
pub struct Files(Vec<(Incomplete, PathBuf)>);

/// A file that has not taken its place.
pub struct Incomplete {
    out: BufWriter<NamedTempFile>,
    _unfinished: Unfinished,
}

impl Files {
    /// A file in the directory of all dumps, which is made if it does not exist. The directories below are made when
    /// the file takes its place: a run that fails leaves none.
    pub fn create(directory: &Path) -> io::Result<Incomplete> {
        fs::create_dir_all(directory)?;
        let file = temporary(directory)?;
        let unfinished = Unfinished::new(file.path());
        Ok(Incomplete { out: BufWriter::new(file), _unfinished: unfinished })
    }

    /// Adds a file that is complete.
    pub fn add(&mut self, mut file: Incomplete, path: PathBuf) -> io::Result<()> {
        file.flush()?;
        self.0.push((file, path));
        Ok(())
    }

    /// Puts all in the places of those that are there.
    pub fn replace(self) -> anyhow::Result<()> {
        // They may rest on a file that has since become unreadable.
        require_intact_files()?;
        for (Incomplete { out, _unfinished }, path) in self.0 {
            let failed = || format!("cannot write {}", path.display());
            fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(failed)?;
            let file = out.into_inner().map_err(io::Error::from).with_context(failed)?;
            file.persist(&path).with_context(failed)?;
        }
        Ok(())
    }
}

impl Write for Incomplete {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Refuses to replace a file about another dump than `origin`. What says nothing of
/// a dump is replaced.
pub fn refuse_other(path: &Path, origin: &Origin) -> anyhow::Result<()> {
    let told = File::open(path).and_then(origin_of).ok().flatten();
    match told.filter(|told| !told.may_be(origin)) {
        Some(other) => {
            let earlier = if other.path == origin.path { "an earlier one in " } else { "" };
            let what = format!("{} is about another dump: {earlier}{}", path.display(), other.path);
            Err(Failure::new(what).hint("give this dump another name with --name").into())
        }
        None => Ok(()),
    }
}
