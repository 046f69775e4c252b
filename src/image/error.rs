//! Why an image cannot be built or written.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::KernelError;
use crate::source::SourceError;
use crate::types::TypeError;

/// A scenario, a kernel or a value that no image can be made of.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("the simulated machine has no {wanted:#x} bytes of {what} left")]
    OutOfMemory { wanted: u64, what: &'static str },
    #[error("{bytes} bytes is no memory size for this machine: {why}")]
    BadMemorySize { bytes: u64, why: &'static str },
    #[error(
        "the kernel map cannot start at {at}: on this machine it starts on a multiple of \
         {align:#x}, from {} on and below {}, and behind the kernel image",
        .allowed.start, .allowed.end
    )]
    BadKernelMap { at: VirtAddr, allowed: Range<VirtAddr>, align: u64 },
    #[error("{arch} kernels have no page tables of the kind {paging}")]
    BadPaging { arch: Arch, paging: &'static str },
    #[error("nothing is mapped at kernel address {0} of the image")]
    NotMapped(VirtAddr),
    #[error("the kernel cannot be loaded: {0}")]
    Load(String),
    #[error("{0} is not a live allocation of the image's kernel heap")]
    BadFree(VirtAddr),
    #[error("{0} is not on the list it was to be taken from")]
    NotOnList(VirtAddr),
    #[error("cannot set {target}: {why}")]
    Value { target: String, why: String },
    #[error("the module {name} cannot be loaded: {why}")]
    Module { name: String, why: String },
    #[error("there is no jail named {0}")]
    NoJail(String),
    #[error("{0}")]
    Refused(String),
    #[error("a kernel with INVARIANTS would panic: {0}")]
    Assertion(String),
    #[error("this machine's memory cannot be written in that format: {0}")]
    Format(String),
    #[error("the scenario is wrong: {0}")]
    Scenario(String),
    #[error("step {step} ({what}) of the scenario failed")]
    Step {
        step: usize,
        what: String,
        #[source]
        cause: Box<ImageError>,
    },
    #[error(
        "a version 1 page map from {base} would need {bytes:#x} bytes; kernels of that time had \
         their kernel map near the top of memory"
    )]
    PageMapTooLarge { base: VirtAddr, bytes: u64 },
    #[error("the kernel cannot be used for an image")]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Type(#[from] TypeError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("cannot write the image")]
    Write(#[from] std::io::Error),
}

impl ImageError {
    /// The one thing to try next, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OutOfMemory { what: "physical memory", .. } => {
                Some("give the scenario more memory: memory = \"256M\"".into())
            }
            Self::BadMemorySize { .. } => {
                Some("give the scenario another size: memory = \"256M\"".into())
            }
            Self::PageMapTooLarge { .. } => {
                Some("set kernel_map = \"0xfffffffe40000000\" in the scenario's [machine]".into())
            }
            Self::Type(TypeError::NoDebugInfo) => Some(
                "values are set by the kernel's own types: use a kernel with debug information, \
                 or name its debug file"
                    .into(),
            ),
            Self::Type(TypeError::NoMember { candidates, .. }) if !candidates.is_empty() => {
                let likely: Vec<_> = candidates.iter().take(5).map(String::as_str).collect();
                Some(format!("it has {}", likely.join(", ")))
            }
            Self::Step { cause, .. } => cause.hint(),
            _ => None,
        }
    }
}
