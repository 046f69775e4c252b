//! The files of a kernel: the one that was named, and the other half of it, which is
//! searched for. The log has what was tried; the result says what is missing.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::kernel::debug_file::{self, Role};
use crate::kernel::{ElfFile, Kernel, KernelError};
use crate::source::{Source, locate};
use crate::types::{Format, TypeError, Types};

/// The target of records about files of kernels.
pub(super) const LOG: &str = "vnetkvm::kernel";

/// Files found where a kernel's other half is expected, but of another build: which and why, a
/// sentence each. Empty if the other half was found.
pub type Refused = Vec<String>;

/// Opens a kernel alone, and finds its other half in `dirs` and the usual places. An
/// object file is accepted too: it has types, but no place in any memory.
///
/// Each file tried is logged, with the target `vnetkvm::kernel`.
///
/// # Errors
/// The file cannot be read, or is not an ELF file of an architecture that FreeBSD runs on.
pub fn open_kernel(path: &Path, dirs: &[PathBuf]) -> Result<(Kernel, Refused), Error> {
    let main = open_main(path, ElfFile::parse_module)?;
    log::info!(target: LOG, "kernel: {}", path.display());
    with_sibling(path, main, dirs)
}

/// Opens a kernel that goes with a dump.
///
/// # Errors
/// The file cannot be read, is not an ELF file, or was not linked.
pub(super) fn linked_kernel(path: &Path, dirs: &[PathBuf]) -> Result<(Kernel, Refused), Error> {
    let main = open_main(path, ElfFile::parse)?;
    log::info!(target: LOG, "kernel: {}", path.display());
    with_sibling(path, main, dirs)
}

/// The file of a kernel alone, which may be either half.
pub(super) fn open_main(
    path: &Path,
    parse: fn(Source) -> Result<ElfFile, KernelError>,
) -> Result<ElfFile, Error> {
    let failed = |source| Error::Kernel { path: path.to_owned(), source };
    parse(Source::open(path)?).map_err(failed)
}

/// The kernel whose file at `path` is `main`, with its other half if that is found.
pub(super) fn with_sibling(
    path: &Path,
    main: ElfFile,
    dirs: &[PathBuf],
) -> Result<(Kernel, Refused), Error> {
    let failed = |source| Error::Kernel { path: path.to_owned(), source };
    let mut refused = Refused::new();
    let sibling = find_sibling(path, &main, dirs, &mut refused);
    Ok((Kernel::join(main, sibling).map_err(failed)?, refused))
}

/// The warning for a file with nothing that identifies a kernel.
pub fn not_a_kernel(kernel: &Kernel) -> Option<String> {
    let path = kernel.main().source().path().display();
    (!kernel.has_kernel_symbols()).then(|| {
        format!(
            "{path} has none of the symbols that every kernel has (version, ostype, osrelease): \
             it may not be a kernel, or may be incomplete"
        )
    })
}

/// Reads the symbols and finds the types at the same time: both take
/// milliseconds, and nearly every question needs both.
pub(super) fn prepare(kernel: &Kernel, wanted: Option<Format>) -> Result<Types, TypeError> {
    let types = || Types::load_from(kernel, wanted).inspect(Types::prepare);
    rayon::join(|| kernel.symbols().prepare(), types).1
}

/// Why a kernel's types are unknown, and the file that would have them. Displayed with what
/// that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTypes {
    /// Why they could not be loaded.
    pub why: TypeError,
    /// The kernel's debug file, if it was not found and would have types; else `None`.
    pub debug_file: Option<DebugFile>,
}

/// The debug file of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugFile {
    /// Its name, without a directory.
    pub name: String,
    /// The build-id that it has in common with the kernel.
    pub build_id: Option<Vec<u8>>,
}

impl MissingTypes {
    /// What `kernel` lacks, given that its types could not be loaded because of `why`.
    pub fn of(kernel: &Kernel, why: &TypeError) -> Self {
        let wanted = debug_file::wanted(kernel.main());
        let untyped = kernel.debug_file().is_none() && *why != TypeError::NoCtf;
        let wanted = wanted.filter(|_| untyped);
        let debug_file = wanted.map(|wanted| DebugFile {
            name: wanted.link_name.unwrap_or_else(|| "kernel.debug".to_owned()),
            build_id: wanted.build_id,
        });
        Self { why: why.clone(), debug_file }
    }
}

impl fmt::Display for MissingTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: types and jails are unknown, and values are shown as bytes", self.why)
    }
}

/// The first candidate that comes from the same link as `main` and has what it lacks.
fn find_sibling(
    path: &Path,
    main: &ElfFile,
    dirs: &[PathBuf],
    refused: &mut Refused,
) -> Option<ElfFile> {
    let wanted = debug_file::wanted(main)?;
    let what = match wanted.role {
        Role::DebugFile => "debug file",
        Role::Kernel => "the stripped kernel",
    };
    let build_id = wanted.build_id.as_deref();
    let names = sibling_names(path, wanted.role, wanted.link_name);
    let places = locate::Search { file: path, names, build_id, dirs };
    let there = locate::candidates(&places);
    for candidate in locate::places(&places) {
        let shown = candidate.display();
        if !there.contains(&candidate) {
            log::debug!(target: LOG, "{what}: {shown} is not there");
            continue;
        }
        match open_candidate(main, wanted.role, &candidate) {
            Ok(Some(elf)) => {
                log::info!(target: LOG, "{what}: {shown} belongs to it");
                refused.clear();
                return Some(elf);
            }
            Ok(None) => log::debug!(target: LOG, "{what}: {shown} has nothing more"),
            Err(why) => {
                log::debug!(target: LOG, "{what}: {shown} {why}");
                let role = match wanted.role {
                    Role::DebugFile => "the kernel's debug file",
                    Role::Kernel => "the kernel of this debug file",
                };
                refused.push(format!("{shown} is not {role}: it {why}"));
            }
        }
    }
    log::info!(target: LOG, "{what}: none found");
    None
}

/// The names that the other half may have, the likeliest first. A kernel's build leaves
/// `kernel`, `kernel.debug` and `kernel.full` (`sys/conf/kern.post.mk`, 12.1; up to 10
/// `kernel.symbols`).
fn sibling_names(path: &Path, role: Role, link_name: Option<String>) -> Vec<String> {
    const ENDINGS: [&str; 3] = [".debug", ".full", ".symbols"];
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut names: Vec<String> = link_name.into_iter().collect();
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    match role {
        Role::DebugFile => {
            for stem in [&*file_name, "kernel"] {
                ENDINGS.iter().for_each(|ending| add(format!("{stem}{ending}")));
            }
        }
        Role::Kernel => {
            let bare = ENDINGS.iter().find_map(|ending| file_name.strip_suffix(ending));
            let full = bare.map(|bare| format!("{bare}.full"));
            bare.map(String::from).into_iter().for_each(&mut add);
            ["kernel".to_owned()].into_iter().chain(full).for_each(&mut add);
        }
    }
    names
}

/// The file, if it comes from the same link and has what `main` lacks; `None` if it comes
/// from the same link and lacks it as well.
fn open_candidate(main: &ElfFile, role: Role, path: &Path) -> Result<Option<ElfFile>, String> {
    let source = Source::open(path).map_err(|why| format!("cannot be read: {}", why.cause))?;
    let parse = if main.is_relocatable() { ElfFile::parse_module } else { ElfFile::parse };
    let elf = parse(source).map_err(|why| format!("cannot be used: {why}"))?;
    if let Some(why) = debug_file::difference(main, &elf) {
        return Err(why);
    }
    let helps = match role {
        Role::DebugFile => elf.has_debug_info(),
        Role::Kernel => !elf.is_debug_only(),
    };
    Ok(helps.then_some(elf))
}
