//! Why a kernel and a dump cannot be joined, and why a typed read fails.

use crate::budget::Exhausted;
use crate::fault::Fault;
use crate::types::TypeError;

/// A kernel and a dump could not be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// They are of different architectures, by FreeBSD's names for them.
    #[error("the kernel is for {kernel}, but the dump is of {core}")]
    OtherArch {
        /// The architecture of the kernel file.
        kernel: &'static str,
        /// The architecture of the dump.
        core: &'static str,
    },
    /// The kernel's symbols lead to no page tables in the dump.
    #[error("no page tables of this kernel are in the dump: {why}")]
    NoPageTables {
        /// Which search failed, as a clause.
        why: String,
    },
    /// The processor's page table is a hash table, and the dump is not a minidump.
    #[error("the kernel has a hashed page table, which only a minidump contains")]
    HashedPageTable,
    /// The dump file is truncated before its page tables.
    #[error("the dump file is cut off, {pages} pages are missing, and the page tables with them")]
    CutOff {
        /// How many pages are missing.
        pages: u64,
    },
    /// A running kernel is not where little enough must be read to find it.
    #[error("the running kernel was not found in the memory device: {looked}")]
    NotLoaded {
        /// Where it was looked for, as a clause.
        looked: String,
    },
    /// A running kernel does not say where its machine has memory.
    #[error("the kernel does not say where the machine has memory: {why}")]
    NoMemoryList {
        /// What is wrong with its list, as a clause.
        why: String,
    },
    /// The dump's memory differs from the kernel file.
    #[error("the kernel is not the one that wrote this dump: {why}")]
    OtherKernel {
        /// What differs.
        why: String,
    },
}

/// A structure in kernel memory could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Its memory cannot be read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Its type is not known, or is not of the expected kind.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The kernel has no symbol with that name.
    #[error("the kernel has no symbol {name}")]
    NoSymbol {
        /// The name.
        name: String,
    },
    /// It would cost more than the budget allows.
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

impl ReadError {
    /// The fault, if the error is an address that cannot be read.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Does the address lie in freed memory?
    pub fn is_freed(&self) -> bool {
        self.fault().is_some_and(Fault::is_freed)
    }
}
