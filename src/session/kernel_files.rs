//! The files of a kernel: the one that was named, and the other half of it, which is
//! looked for. What was tried is told, and what is wanted where nothing was found.

use std::path::{Path, PathBuf};

use crate::error::{Error, KernelError, SourceError, TypeError};
use crate::kernel::debug_file::{self, Role};
use crate::kernel::{ElfFile, Kernel};
use crate::source::{Source, locate};
use crate::types::Types;

/// Opens a kernel alone, and finds its other half in `dirs` and the usual places.
/// What was looked at is added to `log`, a line each.
///
/// # Errors
/// The file cannot be read, or is no kernel.
pub fn open_kernel(path: &Path, dirs: &[PathBuf], log: &mut Vec<String>) -> Result<Kernel, Error> {
    let kernel = find_kernel(path, dirs, log)?;
    require_kernel(path, &kernel)?;
    Ok(kernel)
}

/// The same of any ELF file: its symbols have not been looked at.
pub(super) fn find_kernel(
    path: &Path,
    dirs: &[PathBuf],
    log: &mut Vec<String>,
) -> Result<Kernel, Error> {
    let failed = |source| Error::Kernel { path: path.to_owned(), source };
    let main = ElfFile::parse(Source::open(path)?).map_err(failed)?;
    log.push(format!("kernel: {}", path.display()));
    let sibling = find_sibling(path, &main, dirs, log);
    Kernel::join(main, sibling).map_err(failed)
}

/// Every FreeBSD kernel has these symbols, even one that is stripped of all else.
pub(super) fn require_kernel(path: &Path, kernel: &Kernel) -> Result<(), Error> {
    if ["version", "ostype", "osrelease"].iter().any(|name| kernel.symbol(name).is_some()) {
        return Ok(());
    }
    let source = KernelError::NotAKernel { what: "an ELF file without a kernel's symbols".into() };
    Err(Error::Kernel { path: path.to_owned(), source })
}

/// Reads the symbols and finds the types at the same time: both take
/// milliseconds, and nearly every question needs both.
pub(super) fn prepare(kernel: &Kernel) -> Result<Types, TypeError> {
    let types = || Types::load(kernel).inspect(Types::prepare);
    rayon::join(|| kernel.symbols().prepare(), types).1
}

/// What is wanted where a kernel's types are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTypes {
    /// Why they are not known, and what that means, as a sentence.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl MissingTypes {
    /// What `kernel` wants, whose types could not be loaded because of `why`.
    pub fn of(kernel: &Kernel, why: &TypeError) -> Self {
        const MEANING: &str = "types and jails are unknown, and values are shown as bytes";
        let hint = match debug_file::wanted(kernel.main())
            .filter(|_| *why == TypeError::NoDebugInfo)
        {
            Some(wanted) => {
                let name = wanted.link_name.unwrap_or_else(|| "kernel.debug".to_owned());
                let build_id = wanted.build_id.as_deref().map(hex);
                let build_id = build_id.map_or(String::new(), |id| format!(" with build-id {id}"));
                format!(
                    "its debug file, {name}{build_id}, is looked for beside the kernel, in the \
                     directories of --debug-dir and below /usr/lib/debug; -v tells the places"
                )
            }
            None => "copy the debug file again, or use another of the same build".to_owned(),
        };
        Self { what: format!("{why}: {MEANING}"), hint }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first candidate that comes from the same link as `main`.
fn find_sibling(
    path: &Path,
    main: &ElfFile,
    dirs: &[PathBuf],
    log: &mut Vec<String>,
) -> Option<ElfFile> {
    let wanted = debug_file::wanted(main)?;
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let what = match wanted.role {
        Role::DebugFile => "debug file",
        Role::Kernel => "the stripped kernel",
    };
    let mut names: Vec<String> = wanted.link_name.into_iter().collect();
    match wanted.role {
        Role::DebugFile => names.extend([format!("{file_name}.debug"), "kernel.debug".into()]),
        Role::Kernel => {
            let bare = file_name.strip_suffix(".debug").or(file_name.strip_suffix(".symbols"));
            names.extend(bare.map(String::from).into_iter().chain(["kernel".into()]));
        }
    }
    let build_id = wanted.build_id.as_deref();
    let search = locate::Search { file: path, names, build_id, dirs };
    let candidates = locate::candidates(&search);
    for candidate in locate::places(&search) {
        if !candidates.contains(&candidate) {
            log.push(format!("{what}: {} is not there", candidate.display()));
            continue;
        }
        let found = open_candidate(&candidate);
        let (verdict, elf) = match found {
            Ok(elf) if debug_file::belongs(main, &elf) => ("belongs to it".to_owned(), Some(elf)),
            Ok(_) => ("comes from another build".to_owned(), None),
            Err(why) => (why, None),
        };
        log.push(format!("{what}: {} {verdict}", candidate.display()));
        if elf.is_some() {
            return elf;
        }
    }
    log.push(format!("{what}: none found"));
    None
}

fn open_candidate(path: &Path) -> Result<ElfFile, String> {
    let source = Source::open(path).map_err(|why: SourceError| why.to_string())?;
    ElfFile::parse(source).map_err(|why| why.to_string())
}
