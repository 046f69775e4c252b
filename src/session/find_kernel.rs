//! Finds the kernel that wrote a dump: every kernel in the usual places is
//! compared with the dump's memory, until one has the same bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kernel_files::{LOG, Refused, open_main, with_sibling};
use super::{Options, Session, prepare};
use crate::dump::Core;
use crate::error::Error;
use crate::kernel::{ElfFile, Kernel, debug_file};
use crate::source::Source;
use crate::source::crash::{self, KernelPlace};
use crate::target::{KernelMatch, Target};
use crate::types::Format;

impl Session {
    /// Opens the kernel that wrote `core`. It is searched for beside the dump, in the
    /// debug directories, and where FreeBSD installs kernels. `options` name the
    /// dump's file; a kernel in them is not looked at.
    ///
    /// # Errors
    /// There is no such kernel; the log has the files that were tried. Or as [`Session::open`].
    pub fn of_dump(core: Arc<Core>, options: &Options) -> Result<Self, Error> {
        let places = crash::kernel_places(&options.core, &options.debug_dirs);
        let places: Vec<String> = places.iter().map(place_pattern).collect();
        let names = crash::KERNELS.join(", ");
        log::info!(target: LOG, "kernel: looked for {names} in {}", places.join(", "));
        let (mut untyped, mut refused) = (None, 0);
        for path in crash::kernels(&options.core, &options.debug_dirs) {
            let shown = path.display();
            match open_if_matching(&path, &core, options) {
                Ok((kernel, siblings, why)) => {
                    log::info!(target: LOG, "kernel: {shown} wrote this dump: {why}");
                    log::info!(target: LOG, "kernel: {shown}");
                    let found = (path, kernel, siblings);
                    if options.types.unwrap_or(Format::Dwarf).file_of(&found.1).is_some() {
                        return Self::found(with_contents(found, untyped), core, options);
                    }
                    // Another file of the same kernel may tell its types.
                    untyped = untyped.or(Some(found));
                }
                Err(why) => {
                    refused += 1;
                    log::info!(target: LOG, "kernel: {shown} did not write this dump: {why}");
                }
            }
        }
        match untyped {
            Some(found) => Self::found(found, core, options),
            None => Err(Error::NoKernel { refused, cut_off: core.facts.pages_cut_off }),
        }
    }

    /// Opens the memory device in `options` with the kernel that runs, of those in the usual
    /// places. Each must be found in memory by its own bytes.
    pub(super) fn of_machine(options: &Options) -> Result<Self, Error> {
        let mut refused = 0;
        for path in crash::kernels(&options.core, &options.debug_dirs) {
            let shown = path.display();
            let with_kernel = Options { kernel: Some(path.clone()), ..options.clone() };
            match Self::open(&with_kernel) {
                Ok(session) => match session.alone.kernel_match() {
                    KernelMatch::Same(why) => {
                        log::info!(target: LOG, "kernel: {shown} is running: {why}");
                        return Ok(session);
                    }
                    KernelMatch::Different(why) | KernelMatch::Unknown(why) => {
                        log::info!(target: LOG, "kernel: {shown} is not running: {why}");
                    }
                },
                Err(why) => log::info!(target: LOG, "kernel: {shown}: {}", root_cause(&why)),
            }
            refused += 1;
        }
        Err(Error::NoKernel { refused, cut_off: 0 })
    }

    fn found(
        (_, kernel, refused): FoundKernel,
        core: Arc<Core>,
        options: &Options,
    ) -> Result<Self, Error> {
        let types = prepare(&kernel, options.types);
        Self::join(kernel, types, core, options, refused)
    }
}

/// A kernel that wrote the dump, and files that are not its other half.
type FoundKernel = (PathBuf, Arc<Kernel>, Refused);

/// A debug file that was found without its kernel, with the stripped kernel that was found
/// before it and wrote the dump as well.
fn with_contents(found: FoundKernel, stripped: Option<FoundKernel>) -> FoundKernel {
    let (path, kernel, refused) = found;
    let other = stripped.filter(|(_, other, _)| {
        let same = debug_file::difference(kernel.main(), other.main()).is_none();
        same && kernel.contents().is_none()
    });
    let joined = other.and_then(|(other, ..)| {
        let open = |path: &Path| Source::open(path).ok();
        Some((Kernel::open(open(&other)?, Some(open(&path)?)).ok()?, other))
    });
    match joined {
        Some((whole, other)) => (other, Arc::new(whole), Refused::new()),
        None => (path, kernel, refused),
    }
}

/// A directory as a shell's pattern, in which `*` stands for all directories below.
fn place_pattern(place: &KernelPlace) -> String {
    let dir = if place.dir.as_os_str().is_empty() { Path::new(".") } else { &place.dir };
    let below = if place.below { "/*" } else { "" };
    format!("{}{below}", dir.display())
}

/// The kernel at `path` and why it is the one that wrote the dump, or why it is not.
fn open_if_matching(
    path: &Path,
    core: &Arc<Core>,
    options: &Options,
) -> Result<(Arc<Kernel>, Refused, String), String> {
    let opened = open_main(path, ElfFile::parse)
        .and_then(|main| with_sibling(path, main, &options.debug_dirs));
    let (kernel, refused) = opened.map_err(|why| root_cause(&why))?;
    let kernel = Arc::new(kernel);
    match Target::kernel_match_of(&kernel, core, options.kernel_phys) {
        Ok(KernelMatch::Same(why)) => Ok((kernel, refused, why)),
        Ok(KernelMatch::Different(why) | KernelMatch::Unknown(why)) => Err(why),
        Err(why) => Err(why.to_string()),
    }
}

fn root_cause(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}
