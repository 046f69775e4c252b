//! Why a dump cannot be converted.

use super::Form;
use crate::budget::Exhausted;
use crate::target::TargetError;
use crate::writing::WriteError;

/// A dump cannot be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A core by virtual addresses does not say where anything lies in physical memory.
    #[error("the dump is by virtual addresses, and a {} dump needs physical ones", .form.name())]
    NoPhysicalAddresses {
        /// The form that was asked for.
        form: Form,
    },
    /// The memory of a running machine changes while it is written.
    #[error("the machine is running: its memory changes while it is written")]
    Running,
    /// Something is to be left out, and would read as zeros.
    #[error("raw memory has zeros for what is left out, so nothing would tell that it is missing")]
    ZerosForMissing,
    /// The dump holds no page.
    #[error("the dump holds no whole page of memory")]
    NoMemory,
    /// The result has no page map, and the page tables are not among the pages.
    #[error("nobody could translate addresses in the new dump: it would have no page map")]
    NoPageTables(#[source] TargetError),
    /// A hashed page table is searched for an address, and not in the order of addresses.
    #[error("the kernel's page table is a hashed one, which does not list what is mapped")]
    Hashed,
    /// The page tables are needed, but addresses are translated without them.
    #[error("a page map is made of page tables, and they cannot be read")]
    NoTables,
    /// The header of a minidump says where the direct map is.
    #[error("the kernel's direct map is not where its variables and its architecture have it")]
    NoDirectMap,
    /// The kernel's own choice of pages is asked for, and is not known.
    #[error("which pages the kernel would write into a minidump is not known: {why}")]
    NoBitmap {
        /// What is wrong with its bitmap, as a clause.
        why: String,
    },
    /// Packets and users' data are to be zeroed, and it is not known where all of them are.
    #[error("where packets and users' data are is not known: {why}")]
    Unredacted {
        /// What is not known, as a clause.
        why: String,
    },
    /// Its page tables are too many to follow.
    #[error(transparent)]
    Limit(#[from] Exhausted),
    /// The result cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
