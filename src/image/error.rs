//! Why an image cannot be built or written.

use std::fmt;
use std::ops::Range;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::KernelError;
use crate::source::SourceError;
use crate::types::TypeError;
use crate::writing::WriteError;

/// An image cannot be built from this scenario, kernel or value, or cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The machine is out of memory.
    #[error("the simulated machine has no {wanted:#x} bytes of {what} left")]
    OutOfMemory {
        /// How many bytes were requested.
        wanted: u64,
        /// The kind of memory that ran out.
        what: Memory,
    },
    /// The machine cannot have that much memory.
    #[error("{bytes} bytes is not a valid memory size for this machine: {why}")]
    BadMemorySize {
        /// The memory size that was requested, in bytes.
        bytes: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The kernel map cannot start at that address.
    #[error(
        "the kernel map cannot start at {at}: on this machine it starts on a multiple of \
         {align:#x}, from {} on and below {}, and behind the kernel image",
        .allowed.start, .allowed.end
    )]
    BadKernelMap {
        /// The requested start of the kernel map.
        at: VirtAddr,
        /// Where it may start.
        allowed: Range<VirtAddr>,
        /// It must be a multiple of this, in bytes.
        align: u64,
    },
    /// The architecture has no such page tables.
    #[error("{arch} kernels have no page tables of the kind {paging}")]
    BadPaging {
        /// The architecture of the kernel.
        arch: Arch,
        /// The kind of page tables that was requested.
        paging: &'static str,
    },
    /// The kernel has no memory at this address.
    #[error("nothing is mapped at kernel address {0} of the image")]
    NotMapped(VirtAddr),
    /// The kernel does not fit the machine, or lacks something that booting needs.
    #[error("the kernel cannot be loaded: {0}")]
    Load(String),
    /// free(9) of an address that malloc(9) did not return, or that was freed before.
    #[error("{0} is not a live allocation of the image's kernel heap")]
    BadFree(VirtAddr),
    /// An element was to be removed from a list that does not contain it.
    #[error("{0} is not on the list it was to be taken from")]
    NotOnList(VirtAddr),
    /// A variable or member cannot hold a value.
    #[error("cannot set {target}: {why}")]
    Value {
        /// The variable or member, with its type.
        target: String,
        /// Why it cannot hold the value.
        why: String,
    },
    /// A module cannot be loaded.
    #[error("the module {name} cannot be loaded: {why}")]
    Module {
        /// Its file name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// No jail has this full name.
    #[error("there is no jail named {0}")]
    NoJail(String),
    /// An operation that the kernel refuses, or that the runtime cannot do.
    #[error("{0}")]
    Refused(String),
    /// An operation that violates a KASSERT or VNET_ASSERT; the text is the panic message.
    #[error("a kernel with INVARIANTS would panic: {0}")]
    Assertion(String),
    /// The format cannot represent this machine.
    #[error("this machine's memory cannot be written in that format: {0}")]
    Format(String),
    /// The scenario's text is not valid.
    #[error("the scenario is wrong: {0}")]
    Scenario(String),
    /// A step of the scenario failed.
    #[error("step {step} ({what}) of the scenario failed")]
    Step {
        /// Its number in the file, from 1.
        step: usize,
        /// What it does, as in `jail web01`.
        what: String,
        /// Why it failed.
        #[source]
        cause: Box<ImageError>,
    },
    /// The page map of a version 1 minidump would be absurdly large.
    #[error(
        "a version 1 page map from {base} would need {bytes:#x} bytes; kernels of that time had \
         their kernel map near the top of memory"
    )]
    PageMapTooLarge {
        /// Where the kernel map starts.
        base: VirtAddr,
        /// The size that the page map would need.
        bytes: u64,
    },
    /// The kernel file is not usable.
    #[error("the kernel cannot be used for an image")]
    Kernel(#[from] KernelError),
    /// The kernel's debug information lacks a type or a member.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A file of the scenario cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The format cannot hold this machine's memory.
    #[error("this machine's memory cannot be written in that format")]
    Dump(#[from] WriteError),
    /// The operating system's error while writing.
    #[error("cannot write the image")]
    Write(#[from] std::io::Error),
}

/// The limited kinds of memory of a simulated machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Physical memory.
    Physical,
    /// Contiguous physical memory.
    Contiguous,
    /// The kernel's heap.
    Heap,
    /// Virtual addresses of the kernel.
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
