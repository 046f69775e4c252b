//! Why an image cannot be built or written.

use crate::addr::VirtAddr;
use crate::error::{KernelError, TypeError};

/// A scenario, a kernel or a value that no image can be made of.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("the simulated machine has no {wanted:#x} bytes of {what} left")]
    OutOfMemory { wanted: u64, what: &'static str },
    #[error("{bytes:#x} bytes is no memory size for this machine: {why}")]
    BadMemorySize { bytes: u64, why: &'static str },
    #[error(
        "the kernel map cannot start at {0}: it must be a whole gigabyte from 0xfffffe0000000000 \
         on, below 0xffffffff80000000"
    )]
    BadKernelMap(VirtAddr),
    #[error("nothing is mapped at kernel address {0} of the image")]
    NotMapped(VirtAddr),
    #[error("the kernel cannot be loaded: {0}")]
    Load(String),
    #[error("the kernel has no symbol {name}, which {purpose} needs")]
    NoSymbol { name: &'static str, purpose: &'static str },
    #[error("{0} is not a live allocation of the image's kernel heap")]
    BadFree(VirtAddr),
    #[error("cannot set {target}: {why}")]
    Value { target: String, why: String },
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
    #[error("the kernel's types cannot be used for an image")]
    Type(#[from] TypeError),
    #[error("cannot write the image")]
    Write(#[from] std::io::Error),
}

impl ImageError {
    /// The one thing to try next, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OutOfMemory { what: "physical memory", .. } | Self::BadMemorySize { .. } => {
                Some("give the scenario more memory: memory = \"256M\"")
            }
            Self::PageMapTooLarge { .. } => {
                Some("set kernel_map = \"0xfffffffe40000000\" in the scenario's [machine]")
            }
            Self::Type(TypeError::NoDebugInfo) => Some(
                "the builder sets values by the kernel's own types: use a kernel with debug information",
            ),
            Self::Step { cause, .. } => cause.hint(),
            _ => None,
        }
    }
}
