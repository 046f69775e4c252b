//! Which kernel wrote a dump, where nobody says: every kernel that lies about is
//! held against the dump's memory, until one has the same bytes in it.

use std::path::Path;
use std::sync::Arc;

use super::{Options, Session, open_kernel, prepare};
use crate::dump::Core;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::source::crash::{self, KernelPlace};
use crate::target::{Kinship, Target};

impl Session {
    /// Opens the kernel that wrote `core`: it is looked for beside the dump, in the
    /// debug directories, and where FreeBSD installs kernels. `options` name the
    /// dump's file; a kernel in them is not looked at.
    ///
    /// # Errors
    /// There is no such kernel; the error tells what was looked at. Or as [`Session::open`].
    pub fn of_dump(core: Arc<Core>, options: &Options) -> Result<Self, Error> {
        let places = crash::kernel_places(&options.core, &options.debug_dirs);
        let places: Vec<String> = places.iter().map(place).collect();
        let names = crash::KERNELS.join(", ");
        let mut searched = vec![format!("kernel: looked for {names} in {}", places.join(", "))];
        let mut refused = 0;
        for path in crash::kernels(&options.core, &options.debug_dirs) {
            let mut log = Vec::new();
            match writer(&path, &core, options, &mut log) {
                Ok((kernel, why)) => {
                    searched.push(format!("kernel: {} wrote this dump: {why}", path.display()));
                    searched.append(&mut log);
                    let types = prepare(&kernel);
                    return Self::join(kernel, types, core, options, searched);
                }
                Err(why) => {
                    refused += 1;
                    searched
                        .push(format!("kernel: {} did not write this dump: {why}", path.display()));
                }
            }
        }
        Err(Error::NoKernel { searched, refused, cut_off: core.facts.pages_cut_off })
    }
}

/// A directory as a shell's pattern, in which `*` stands for all directories below.
fn place(place: &KernelPlace) -> String {
    let dir = if place.dir.as_os_str().is_empty() { Path::new(".") } else { &place.dir };
    let below = if place.below { "/*" } else { "" };
    format!("{}{below}", dir.display())
}

/// The kernel at `path` and why it is the one that wrote the dump, or why it is not.
fn writer(
    path: &Path,
    core: &Arc<Core>,
    options: &Options,
    log: &mut Vec<String>,
) -> Result<(Kernel, String), String> {
    let mut kernel =
        open_kernel(path, &options.debug_dirs, log).map_err(|why| whole_story(&why))?;
    match Target::kinship_of(&mut kernel, core, options.kernel_phys) {
        Ok(Kinship::Same(why)) => Ok((kernel, why)),
        Ok(Kinship::Different(why) | Kinship::Unknown(why)) => Err(why),
        Err(why) => Err(why.to_string()),
    }
}

fn whole_story(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}
