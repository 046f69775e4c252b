//! Why a question about vnets has no answer.

use crate::kernel::RunningKernel;
use crate::shorten::shortened;
use crate::target::ReadError;
use crate::walk::Problem;

/// A question about vnets has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VnetError {
    #[error(
        "this kernel has no VIMAGE: it has one network stack, whose variables are ordinary globals"
    )]
    NoVimage,
    #[error(
        "this file has none of a kernel's symbols, and neither a section nor symbols of set_vnet"
    )]
    NoKernelSymbols,
    #[error("struct vnet has no layout that fits this kernel")]
    NoLayout,
    #[error("the vnets cannot be listed: {why}")]
    NoList { why: String },
    #[error("no vnet has {what}")]
    NoSuchVnet { what: String },
    #[error("there is no jail {}", shortened(name))]
    NoSuchJail { name: String, near: Vec<String> },
    #[error("{} is no variable of this kernel", shortened(name))]
    NoSuchVariable { name: String, near: Vec<String> },
    #[error("there is no {what} in the dump")]
    NoSuchThread { what: String },
    #[error("{who} is in no vnet")]
    InNoVnet { who: String },
    #[error("{why}")]
    StrayVnet { why: String },
    #[error("{who} is being made and has no vnet yet")]
    NotMade {
        who: String,
        /// Vnets that may be made for it, as they can be chosen.
        candidates: Vec<String>,
    },
    /// What was asked for was not found, and what could not be read may hold it.
    #[error("{what} is not on the part of the list that can be read")]
    Unknown {
        what: String,
        #[source]
        because: Box<Problem>,
    },
    #[error("{:?} is no pattern: {why}", shortened(pattern))]
    BadPattern { pattern: String, why: String },
    #[error("{name} has no counters")]
    NoCounters { name: String },
    #[error("{type_name} does not name the counters of {name}: {why}")]
    OtherStatistics { name: String, type_name: String, why: String },
    #[error("{name} is no sysctl of this kernel")]
    NoSuchSysctl { name: String, near: Vec<String> },
    /// It was not found, and what could not be read may hold it.
    #[error("whether {} is a sysctl of this kernel is unknown", shortened(name))]
    SysctlUnknown {
        name: String,
        #[source]
        because: Box<Problem>,
    },
    #[error("{name} is defined in several files")]
    Ambiguous { name: String, files: Vec<String> },
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl VnetError {
    /// Why a kernel without the linker set of virtualized variables has none.
    pub fn without_set(kernel: &RunningKernel) -> Self {
        match kernel.linked().has_kernel_symbols() {
            true => Self::NoVimage,
            false => Self::NoKernelSymbols,
        }
    }

    /// `what` was not found, and `because` of a problem it may be there all the same.
    pub fn unknown(what: impl Into<String>, because: Problem) -> Self {
        Self::Unknown { what: what.into(), because: Box::new(because) }
    }
}
