//! The fault: why the memory at one kernel address cannot be read.
//!
//! A fault carries the address that was wanted and the stage that failed, and
//! never kills a listing: it stands in the place of the value.

use std::fmt;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};

/// Why the memory at one kernel address cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The first address that could not be read.
    pub address: VirtAddr,
    /// What is the matter with it.
    pub kind: FaultKind,
    /// Where on the way to its bytes that came out.
    pub stage: Stage,
}

/// The different answers to "why not": they are never confused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The kernel itself had no memory there.
    NotMapped,
    /// The kernel had memory there, but the dump leaves that page out.
    NotDumped,
    /// The page is in the dump, but the file ends before it.
    Truncated,
    /// No kernel address can look like this (NULL, not canonical, wraps around).
    BadAddress,
    /// The kernel gave the memory back: it holds the pattern that freed memory is filled with.
    Freed,
}

/// Where a read stopped on its way from an address to bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The address lies outside every range that the translation covers.
    Range,
    /// A page-table entry: the level's name, where the entry lies, what it holds.
    Entry { level: &'static str, at: PhysAddr, value: u64 },
    /// An entry of the minidump's own page map: its index and what it holds.
    Pmap { index: u64, value: u64 },
    /// A hashed page table has no entry in this group of it, nor in the other one.
    HashGroup { group: u64 },
    /// A page-table page that is itself missing from the dump.
    Table { level: &'static str, at: PhysAddr },
    /// The page's bytes, at this physical address.
    Page(PhysAddr),
    /// The file ends before this offset.
    File(FileOffset),
    /// No segment of a virtual core holds the address.
    Segment,
    /// A memory device gave this error number of the operating system instead of the
    /// bytes at the physical address.
    Device { at: PhysAddr, number: i32 },
    /// All of the translation: the memory was read, and holds this pattern.
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
                write!(f, "the device at physical {at}: {why}")
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} ({})", self.address, self.kind, self.stage)
    }
}

impl Fault {
    /// Was the memory read, and is it freed?
    pub fn is_freed(&self) -> bool {
        self.kind == FaultKind::Freed
    }
}

impl std::error::Error for Fault {}
