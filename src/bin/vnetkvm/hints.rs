//! Hints: one thing to try next, for every error that the user can do something about. The
//! library's errors say what went wrong; only the program knows options and commands to name.

mod dump;
mod expr;
mod image;
mod kernel;
mod other_file;
mod programs;
mod read;
mod source;
mod suggestion;
mod template;
mod types;
mod vnet;

use vnetkvm::Error;
use vnetkvm::error::{ConvertError, DumpError, TargetError};
use vnetkvm::image::ImageError;

use crate::args::InputArgs;
use crate::limits;

pub use programs::instead_of;
pub use template::{mistake as template, not_found};
pub use types::missing_types;

/// The hint for an error that the library found.
pub fn of(error: &anyhow::Error) -> Option<String> {
    if let Some(option) = limits::option_for(error) {
        return Some(option.to_owned());
    }
    let answer = || of_library(error.downcast_ref::<Error>()?);
    let image = || image::hint(error.downcast_ref::<ImageError>()?);
    answer().or_else(image)
}

/// The hint for files that could not be opened with these options, if the options matter: what
/// was given need not be asked for.
pub fn with_options(error: &Error, input: &InputArgs) -> Option<String> {
    let placed = input.kernel_phys.is_some();
    let hint = match error {
        Error::Target(TargetError::NotLoaded { .. }) if placed => {
            "check the address of --kernel-phys, and that -N names the running kernel; \
             -M /dev/kmem does not need the address"
        }
        Error::Dump { source: DumpError::NotADump(what), .. } if input.kernel.is_some() => {
            return dump::not_memory_of_kernel(what, placed);
        }
        _ => return None,
    };
    Some(hint.into())
}

/// The hint for an error of the library.
pub fn of_library(error: &Error) -> Option<String> {
    match error {
        Error::Source(why) => source::hint(why),
        Error::Dump { path, source } => dump::hint(path, source),
        Error::Kernel { path, source } => Some(kernel::hint(path, source)),
        Error::NoKernel { .. } => {
            Some("use -N FILE or set VNETKVM_KERNEL; -v shows where it looked".into())
        }
        Error::Target(why) => target(why),
        Error::Types(why) | Error::NoSuchType(why) => types::hint(why),
        Error::NotAType { name, .. } => {
            Some(format!("`vnetkvm print {name}` shows it with its type"))
        }
        Error::Read(why) => read::hint(why),
        Error::Convert(ConvertError::NoBitmap { .. }) => {
            Some("leave out --only-mapped to write all pages".into())
        }
        Error::Convert(ConvertError::Unredacted { .. }) => {
            Some("without --redact, the new dump has packets and users' data".into())
        }
        Error::Vnet(why) => vnet::hint(why),
        Error::Format(_) => Some("`vnetkvm print --help` says what the letters mean".into()),
        Error::Expr { source, .. } => expr::hint(source),
        _ => None,
    }
}

fn target(why: &TargetError) -> Option<String> {
    let hint = match why {
        TargetError::OtherArch { .. } | TargetError::OtherKernel { .. } => {
            "name the kernel that was running, or leave out -N to search for it; -v shows where it \
             looked"
        }
        TargetError::CutOff { .. } => {
            "the copy is incomplete: compare its size with the original's"
        }
        TargetError::HashedPageTable => {
            "the kernel may be another build's: check -N, or leave it out to search for the \
             kernel; else make the machine write minidumps, the default: `sysctl debug.minidump=1`"
        }
        TargetError::NotLoaded { .. } => {
            "name the running kernel with -N; --kernel-phys says where it was loaded, and \
             -M /dev/kmem does not need to know it"
        }
        TargetError::NoMemoryList { .. } => "-M /dev/kmem does not need it",
        TargetError::NoPageTables { .. } => {
            "check that -N names the kernel that was running, with its symbols"
        }
        _ => return None,
    };
    Some(hint.into())
}
