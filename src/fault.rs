//! A fault: why the memory at a kernel address cannot be read.
//!
//! A fault carries the address and the stage that failed. It never ends a listing: it
//! takes the place of the value.

use std::fmt;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};

/// Why the memory at a kernel address cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The first address that could not be read.
    pub address: VirtAddr,
    /// Why it cannot be read.
    pub kind: FaultKind,
    /// The step of the translation that showed it.
    pub stage: Stage,
}

/// The possible reasons. They are never confused with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The kernel had no memory mapped there.
    NotMapped,
    /// The kernel had memory there, but the dump omits that page.
    NotDumped,
    /// The dump includes the page, but the file ends before it.
    Truncated,
    /// No kernel address can look like this (NULL, not canonical, wraps around).
    BadAddress,
    /// The kernel freed the memory: it holds the pattern that fills freed memory.
    Freed,
}

/// Where a read stopped on its way from a virtual address to bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The address lies outside every range that the translation covers.
    Range,
    /// A page-table entry that is not valid.
    Entry {
        /// The level's name, such as `PDE`.
        level: &'static str,
        /// Where the entry lies in physical memory.
        at: PhysAddr,
        /// What the entry holds.
        value: u64,
    },
    /// An entry of the minidump's page map that is not valid.
    Pmap {
        /// Its index, from 0.
        index: u64,
        /// What the entry holds.
        value: u64,
    },
    /// A hashed page table has no entry in this group or in the alternative one.
    HashGroup {
        /// The number of the primary group.
        group: u64,
    },
    /// A page of a page table that is itself missing from the dump.
    Table {
        /// The level's name.
        level: &'static str,
        /// Where the table lies in physical memory.
        at: PhysAddr,
    },
    /// The page at this physical address.
    Page(PhysAddr),
    /// The file ends before this offset.
    File(FileOffset),
    /// No segment of a virtual core holds the address.
    Segment,
    /// A memory device returned an error instead of the bytes.
    Device {
        /// The address that was read, which is virtual in a device by virtual addresses.
        at: PhysAddr,
        /// The operating system's error number (errno).
        number: i32,
    },
    /// A running machine has no memory at this physical address, or the device has no bytes there.
    NotMemory(PhysAddr),
    /// The translation succeeded. The memory holds this pattern, which fills freed memory.
    Fill(u32),
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotMapped => "not mapped",
            Self::NotDumped => "not in the dump",
            Self::Truncated => "cut off: the dump file ends before it",
            Self::BadAddress => "not a kernel address",
            Self::Freed => "freed memory",
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range => write!(f, "outside the kernel map and the direct map"),
            Self::Entry { level, at, value } => {
                write!(f, "{level} entry at physical {at} is {value:#x}")
            }
            Self::Pmap { index, value } => {
                write!(f, "entry {index} of the minidump's page map is {value:#x}")
            }
            Self::HashGroup { group } => {
                write!(f, "no entry in group {group:#x} of the hashed page table")
            }
            Self::Table { level, at } => write!(f, "{level} table at physical {at}"),
            Self::Page(at) => write!(f, "page at physical {at}"),
            Self::File(at) => write!(f, "file offset {at}"),
            Self::Segment => write!(f, "no segment holds it"),
            Self::Fill(pattern) => write!(f, "{pattern:#x}"),
            Self::Device { at, number } => {
                let why = std::io::Error::from_raw_os_error(*number);
                write!(f, "the device at {at}: {why}")
            }
            Self::NotMemory(at) => write!(f, "the machine has no memory at {at}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            Stage::Device { .. } | Stage::NotMemory(_) => {
                write!(f, "{} cannot be read: {}", self.address, self.stage)
            }
            _ => write!(f, "{} is {} ({})", self.address, self.kind, self.stage),
        }
    }
}

impl Fault {
    /// Was the memory read, and is it freed memory?
    pub fn is_freed(&self) -> bool {
        self.kind == FaultKind::Freed
    }
}

impl std::error::Error for Fault {}
