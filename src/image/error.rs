//! Why an image cannot be built or written.

use std::fmt;
use std::ops::Range;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::KernelError;
use crate::source::SourceError;
use crate::types::TypeError;

/// A scenario, a kernel or a value that no image can be made of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    #[error("the simulated machine has no {wanted:#x} bytes of {what} left")]
    OutOfMemory { wanted: u64, what: Memory },
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

/// What a simulated machine has only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Physical memory.
    Physical,
    /// Physical memory in one piece.
    Contiguous,
    /// The kernel's heap.
    Heap,
    /// Addresses of the kernel.
    AddressSpace,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Physical => "physical memory",
            Self::Contiguous => "contiguous physical memory",
            Self::Heap => "heap",
            Self::AddressSpace => "kernel address space",
        })
    }
}
