//! A file that is written as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;
use vnetkvm::kernel::Kernel;

use crate::exit::Failure;
use crate::interrupt::Unfinished;
use crate::lost_files::require_intact_files;

/// A file in place of standard output.
pub struct OutputFile;

impl OutputFile {
    /// Writes the file. What has its name before is replaced when the new one is complete; if it
    /// is no regular file, such as a pipe, it is written to.
    pub fn write<T>(
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> anyhow::Result<T> {
        let failed = || format!("cannot write {}", path.display());
        // What a link leads to is replaced, not the link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&target) {
            Ok(there) if there.is_dir() => {
                Err(io::Error::from(io::ErrorKind::IsADirectory)).with_context(failed)
            }
            Ok(there) if !there.is_file() => {
                let mut file =
                    fs::OpenOptions::new().write(true).open(&target).with_context(failed)?;
                let written = write(&mut file).with_context(failed)?;
                require_intact_files()?;
                Ok(written)
            }
            _ => replace(target, |out| Ok(write(out)?)).with_context(failed),
        }
    }

    /// The same for what is not written in order, which takes a regular file.
    pub fn write_seekable<T>(
        path: &Path,
        write: impl FnOnce(&mut Seekable<'_>) -> Result<T, vnetkvm::Error>,
    ) -> anyhow::Result<T> {
        let failed = || format!("cannot write {}", path.display());
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&target).is_ok_and(|there| !there.is_file()) {
            let why = "it is no regular file, and a dump has holes";
            return Err(io::Error::other(why)).with_context(failed);
        }
        replace(target, |out| Ok(write(out)?)).with_context(failed)
    }
}

/// The files that a kernel is read from.
pub fn kernel_files(kernel: &Kernel) -> impl Iterator<Item = &Path> {
    let files = [Some(kernel.main()), kernel.sibling()].into_iter().flatten();
    files.map(|file| file.source().path())
}

/// Refuses to write over a file that is read.
pub fn refuse_input(input: &Path, output: &Path, option: &str) -> anyhow::Result<()> {
    let same = fs::canonicalize(input).ok().zip(fs::canonicalize(output).ok());
    if same.is_some_and(|(input, output)| input == output) {
        let why = format!("{} is being read", output.display());
        return Err(Failure::new(why).hint(format!("name another file with {option}")).into());
    }
    Ok(())
}

/// In bytes: dumps are long.
const BUFFER: usize = 1 << 20;

/// A regular file that is not complete yet.
pub type Seekable<'a> = BufWriter<&'a mut File>;

fn replace<T>(
    target: PathBuf,
    write: impl FnOnce(&mut Seekable<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = temporary(directory.unwrap_or(Path::new(".")))?;
    let _unfinished = Unfinished::new(file.path());
    let mut out = BufWriter::with_capacity(BUFFER, file.as_file_mut());
    let written = write(&mut out)?;
    out.flush()?;
    drop(out);
    // It may rest on a file that has since become unreadable.
    require_intact_files()?;
    file.persist(&target)?;
    Ok(written)
}

/// A file without a name that anybody looks for. Once it has one, it has the permissions of a new
/// file.
pub fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".vnetkvm").tempfile_in(directory)
}
