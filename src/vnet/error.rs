//! Why a question about vnets has no answer.

use std::fmt;

use crate::addr::VirtAddr;
use crate::kernel::{LinkerSet, RunningKernel};
use crate::shorten::shortened;
use crate::target::ReadError;
use crate::walk::Problem;

/// A question about vnets has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VnetError {
    /// The kernel was built without VIMAGE.
    #[error(
        "this kernel has no VIMAGE: it has one network stack, whose variables are ordinary globals"
    )]
    NoVimage,
    /// The kernel has no set_pcpu.
    #[error("this kernel has no DPCPU variables: it has no section or symbols of set_pcpu")]
    NoDpcpu,
    /// The file has nothing that identifies a kernel.
    #[error("this file has no kernel symbols, and no section or symbols of set_vnet")]
    NoKernelSymbols,
    /// There is no debug information, and no known layout fits.
    #[error("no known layout of struct vnet fits this kernel")]
    NoLayout,
    /// The list of vnets cannot be read, not even in part.
    #[error("the vnets cannot be listed: {because}")]
    NoList {
        /// What broke the walk.
        because: Box<Problem>,
    },
    /// There is not a single vnet yet.
    #[error("no vnet has been created yet")]
    NoneYet,
    /// No vnet has that number or address.
    #[error("no vnet has {0}")]
    NoSuchVnet(WantedVnet),
    /// No jail has that name or number.
    #[error("there is no jail {}", shortened(name))]
    NoSuchJail {
        /// The name or number as it was given.
        name: String,
        /// Names that may be meant, the likeliest first.
        near: Vec<String>,
    },
    /// No variable has that name.
    #[error("this kernel has no {}variable {}", kind_of(*set), shortened(name))]
    NoSuchVariable {
        /// The linker set that it was looked for in. Of [`LinkerSet::Vnet`], it may be a plain
        /// global.
        set: LinkerSet,
        /// The name as it was given.
        name: String,
        /// Names that may be meant, the likeliest first.
        near: Vec<String>,
    },
    /// No CPU has that number.
    #[error("there is no CPU {cpu}: {}", listed(cpus))]
    NoSuchCpu {
        /// The id as it was given.
        cpu: i128,
        /// The ids of those that exist.
        cpus: Vec<u64>,
    },
    /// No process or thread has that number.
    #[error("there is no {0} in the dump")]
    NoSuchThread(WantedThread),
    /// A jail, process or thread has no vnet.
    #[error("{who} is in no vnet")]
    InNoVnet {
        /// `process 812 (nginx)`
        who: String,
    },
    /// A jail, process or thread points to something that is not a vnet.
    #[error("{who} points to {address} as its vnet, but there is no vnet at that address")]
    StrayVnet {
        /// `jail 98 (tmp98)`
        who: String,
        /// Where its pointer leads.
        address: VirtAddr,
    },
    /// A jail is being created. The candidates are vnets that may be for it.
    #[error("{who} is being created and has no vnet yet")]
    NotMade {
        /// `jail 98 (tmp98)`
        who: String,
        /// Empty if no vnet is being made.
        candidates: Vec<VnetCandidate>,
    },
    /// It was not found, but may be in memory that could not be read.
    #[error("{what} is not on the readable part of the list")]
    Unknown {
        /// `jail web01`, `process 812`
        what: String,
        /// What could not be read.
        #[source]
        because: Box<Problem>,
    },
    /// No variable has the name, but a module may have one that could not be read.
    #[error("whether there is a variable {} is unknown", shortened(name))]
    UnknownVariable {
        /// As it was given.
        name: String,
        /// What could not be read.
        #[source]
        because: Box<Problem>,
    },
    /// The pattern is malformed.
    #[error("{:?} is not a valid pattern: {why}", shortened(pattern))]
    BadPattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it, in words.
        why: String,
    },
    /// The variable has no per-CPU counters.
    #[error("{name} has no counters")]
    NoCounters {
        /// The variable, as it was given.
        name: String,
    },
    /// The counters of the variable are not those of that struct.
    #[error("{type_name} does not name the counters of {name}: {why}")]
    OtherStatistics {
        /// The variable.
        name: String,
        /// The struct that was to name its counters.
        type_name: String,
        /// What does not fit, in words.
        why: String,
    },
    /// No sysctl has that name.
    #[error("this kernel has no sysctl {name}")]
    NoSuchSysctl {
        /// The name as it was given.
        name: String,
        /// Names that may be meant, the likeliest first.
        near: Vec<String>,
    },
    /// It was not found, but may be in memory that could not be read.
    #[error("it is unknown whether this kernel has the sysctl {}", shortened(name))]
    SysctlUnknown {
        /// The name as it was given.
        name: String,
        /// What could not be read.
        #[source]
        because: Box<Problem>,
    },
    /// Several source files or modules define a variable of that name.
    #[error("{name} is defined in several files")]
    Ambiguous {
        /// The name as it was given.
        name: String,
        /// The files, of which one must be named: `NAME@FILE`.
        files: Vec<String>,
    },
    /// The kernel's memory cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl VnetError {
    /// Why a kernel has no linker set of virtualized variables.
    #[must_use]
    pub fn without_set(kernel: &RunningKernel) -> Self {
        Self::without(LinkerSet::Vnet, kernel)
    }

    /// Why a kernel does not have a linker set.
    #[must_use]
    pub fn without(set: LinkerSet, kernel: &RunningKernel) -> Self {
        match (kernel.linked().has_kernel_symbols(), set) {
            (false, _) => Self::NoKernelSymbols,
            (true, LinkerSet::Vnet) => Self::NoVimage,
            (true, LinkerSet::Pcpu) => Self::NoDpcpu,
        }
    }

    /// `what` was not found, but `because` of a problem it may exist.
    pub fn unknown(what: impl Into<String>, because: Problem) -> Self {
        Self::Unknown { what: what.into(), because: Box::new(because) }
    }

    /// No variable has this name, but `because` of a problem one of a module may have it.
    pub fn unknown_variable(name: impl Into<String>, because: Problem) -> Self {
        Self::UnknownVariable { name: name.into(), because: Box::new(because) }
    }

    /// Whether the question was valid but nothing matches it.
    #[must_use]
    pub fn is_no_match(&self) -> bool {
        match self {
            Self::NoneYet
            | Self::NoSuchVnet(_)
            | Self::NoSuchJail { .. }
            | Self::NoSuchVariable { .. }
            | Self::NoSuchCpu { .. }
            | Self::NoSuchThread(_)
            | Self::InNoVnet { .. }
            | Self::StrayVnet { .. }
            | Self::NotMade { .. }
            | Self::NoCounters { .. }
            | Self::NoSuchSysctl { .. } => true,
            Self::NoVimage
            | Self::NoDpcpu
            | Self::NoKernelSymbols
            | Self::NoLayout
            | Self::NoList { .. }
            | Self::Unknown { .. }
            | Self::BadPattern { .. }
            | Self::OtherStatistics { .. }
            | Self::SysctlUnknown { .. }
            | Self::UnknownVariable { .. }
            | Self::Ambiguous { .. }
            | Self::Read(_) => false,
        }
    }
}

/// Which variables a kernel has none of that name among.
fn kind_of(set: LinkerSet) -> &'static str {
    match set {
        LinkerSet::Vnet => "",
        LinkerSet::Pcpu => "DPCPU ",
    }
}

/// The CPUs that exist, in words.
fn listed(cpus: &[u64]) -> String {
    /// More would fill the screen.
    const MOST: usize = 16;
    let some: Vec<String> = cpus.iter().take(MOST).map(u64::to_string).collect();
    match (cpus, cpus.len().saturating_sub(MOST)) {
        ([], _) => "the kernel says that there are none".to_owned(),
        ([_], _) => format!("there is only CPU {}", some.concat()),
        (_, 0) => format!("the CPUs are {}", some.join(", ")),
        (_, more) => format!("the CPUs are {} and {more} more", some.join(", ")),
    }
}

/// A vnet that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedVnet {
    /// By its number in order of creation.
    Index(usize),
    /// By the address of its struct vnet.
    Address(VirtAddr),
}

impl fmt::Display for WantedVnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "the number {index}"),
            Self::Address(address) => write!(f, "the address {address}"),
        }
    }
}

/// A process or thread that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedThread {
    /// The process with this pid.
    Process(i64),
    /// The thread with this tid.
    Thread(i64),
}

impl fmt::Display for WantedThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid) => write!(f, "process {pid}"),
            Self::Thread(tid) => write!(f, "thread {tid}"),
        }
    }
}

/// A vnet under construction, which may be that of a jail that is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetCandidate {
    /// The address of its struct vnet.
    pub address: VirtAddr,
    /// What led to it; empty if nothing is known.
    pub found_by: Box<str>,
}
