//! One error type per layer, and the fault: what can go wrong with one address.
//!
//! A fault carries the address that was wanted and the stage that failed, and
//! never kills a listing: it stands in the place of the value. Every error is
//! a sentence; a hint beside it ([`DumpError::hint`]) is the one thing to try next.

mod hint;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};
use crate::budget::Exhausted;
use crate::walk::Problem;

/// Why the memory at one kernel address cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The first address that could not be read.
    pub address: VirtAddr,
    pub kind: FaultKind,
    pub stage: Stage,
}

/// The different answers to "why not": they are never confused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// A file could not be opened or read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct SourceError {
    pub action: &'static str,
    pub path: PathBuf,
    #[source]
    pub cause: std::io::Error,
}

/// A compressed file cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    #[error("the {packing} stream is damaged: {why}")]
    Damaged { packing: &'static str, why: String },
    #[error("there is not enough room to unpack it: {} has room for {free} bytes", dir.display())]
    NoSpace { dir: PathBuf, free: u64 },
    #[error("cannot {action} a temporary file in {}: {why}", dir.display())]
    File { action: &'static str, dir: PathBuf, why: String },
    #[error("the file cannot be read: {why}")]
    Input { why: String },
}

impl UnpackError {
    /// The one thing to try next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "copy it again, or unpack by other means what can be unpacked",
            Self::NoSpace { .. } | Self::File { .. } => {
                "name a directory that exists and has more room in the environment variable TMPDIR"
            }
            Self::Input { .. } => "copy the file to another disk and try there",
        }
    }
}

/// A file is no crash dump that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DumpError {
    #[error("this is {what}, not a crash dump")]
    NotADump { what: String, hint: String },
    #[error("this is {what}: it cannot be read as it is")]
    Wrapped { what: String, hint: String },
    #[error("the {format} header says {field} is {value}, which cannot be: {why}")]
    BadField { format: &'static str, field: &'static str, value: String, why: String },
    #[error("the file ends at {length:#x}, but {what} needs {needed:#x} bytes")]
    Truncated { what: &'static str, needed: u64, length: u64 },
    #[error("{what} is not supported")]
    Unsupported { what: String },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("its program headers are more than the size of the file justifies")]
    Limit(#[from] Exhausted),
}

impl DumpError {
    /// The one thing to try next.
    pub fn hint(&self) -> &str {
        match self {
            Self::NotADump { hint, .. } | Self::Wrapped { hint, .. } => hint,
            Self::BadField { .. } => {
                "the file is damaged: copy it again from where savecore(8) left it"
            }
            Self::Truncated { .. } => {
                "was it copied whole? info.N beside the dump tells its length (Dump Length)"
            }
            Self::Unsupported { .. } => "see docs/formats for the dumps that can be read",
            Self::Unpack(why) => why.hint(),
            Self::Limit(_) => "the file is damaged: copy it again, or take the dump again",
        }
    }
}

/// A file is no kernel that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    #[error("this is {what}, not a kernel ELF file")]
    NotAKernel { what: String, hint: Option<String> },
    #[error("the ELF file's {part} is damaged: {why}")]
    Damaged { part: &'static str, why: String },
    #[error("section {section} is compressed and does not unpack: {why}")]
    Compressed { section: String, why: String },
}

/// A question about types has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    #[error("the kernel has no debug information")]
    NoDebugInfo,
    #[error("the debug information has no {what} named {}", shortened(name))]
    NotFound { what: &'static str, name: String, near: Vec<String> },
    #[error("{type_name} has no member {}", shortened(member))]
    NoMember { type_name: String, member: String, candidates: Vec<String> },
    #[error("{type_name} is declared but never defined in the debug information")]
    Incomplete { type_name: String },
    #[error("{type_name} is not {wanted}")]
    WrongKind { type_name: String, wanted: &'static str },
    #[error("the debug information cannot be read: {why}")]
    Unreadable { why: String },
    #[error("the debug information is damaged at {section}+{offset:#x}: {why}")]
    Damaged { section: &'static str, offset: u64, why: String },
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

/// A structure in kernel memory could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Type(#[from] TypeError),
    #[error("the kernel has no symbol {name}")]
    NoSymbol { name: String },
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

impl ReadError {
    /// The fault of the address that could not be read, if that is what it is.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Does it lie in freed memory?
    pub fn is_freed(&self) -> bool {
        self.fault().is_some_and(Fault::is_freed)
    }
}

/// A kernel and a dump could not be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("the kernel is for {kernel}, but the dump is of {core}")]
    OtherArch { kernel: &'static str, core: &'static str },
    #[error("no page tables of this kernel are in the dump: {why}")]
    NoPageTables { why: String },
    #[error(
        "the kernel has a hashed page table, which can be read from a minidump and from nothing else"
    )]
    HashedPageTable,
    #[error("the dump file is cut off, {pages} pages are missing, and the page tables with them")]
    CutOff { pages: u64 },
    #[error("the kernel is not the one that wrote this dump: {why}")]
    OtherKernel { why: String },
}

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
    /// `what` was not found, and `because` of a problem it may be there all the same.
    pub fn unknown(what: impl Into<String>, because: Problem) -> Self {
        Self::Unknown { what: what.into(), because: Box::new(because) }
    }
}

/// An expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    #[error("{message}")]
    Syntax { message: String, caret: String },
    #[error(transparent)]
    Vnet(#[from] VnetError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{} is neither a virtualized variable nor a global of this kernel", shortened(name))]
    NoSuchName { name: String, near: Vec<String> },
    #[error("{name} is a variable of a vnet, and no vnet is chosen")]
    NoVnet { name: String },
    #[error("{name} has no copy in this vnet: {why}")]
    NoCopy { name: String, why: String },
    #[error("{operator} does not apply to {operand}")]
    WrongOperand {
        operator: String,
        operand: String,
        /// What would have been right, where that can be told.
        advice: Option<&'static str>,
    },
    #[error("{0} is a type, where a value should be")]
    TypeNotValue(String),
    #[error("a value of type {of} cannot be shifted by {count} bits")]
    ShiftCount {
        count: i128,
        /// The type of what is shifted.
        of: &'static str,
        bits: u32,
    },
    #[error("{0} has been optimised out: no memory holds it")]
    OptimisedOut(String),
    #[error("division by zero")]
    DivisionByZero,
    #[error(transparent)]
    Limit(#[from] Exhausted),
}

impl From<TypeError> for ExprError {
    fn from(why: TypeError) -> Self {
        Self::Read(why.into())
    }
}

impl From<Fault> for ExprError {
    fn from(fault: Fault) -> Self {
        Self::Read(fault.into())
    }
}

/// What the library cannot do, whatever the layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{} is no dump that can be read", path.display())]
    Dump { path: PathBuf, source: DumpError },
    #[error("{} is no kernel that can be used", path.display())]
    Kernel { path: PathBuf, source: KernelError },
    #[error("no kernel was given, and {}", none_found(*refused, *cut_off))]
    NoKernel {
        /// Where was looked, what was found there and why it was not taken, a line each.
        searched: Vec<String>,
        /// Kernels that were found and not taken.
        refused: usize,
        /// Pages that are missing from the dump.
        cut_off: u64,
    },
    #[error("{}", joining(.0))]
    Target(#[from] TargetError),
    #[error("types are needed for this")]
    Types(#[from] TypeError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Vnet(#[from] VnetError),
    #[error("cannot evaluate {}", shortened(expression))]
    Expr { expression: String, source: ExprError },
}

/// What somebody typed, as far as a message has room for it.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

fn joining(why: &TargetError) -> &'static str {
    match why {
        TargetError::CutOff { .. } => "the dump is not complete",
        _ => "the kernel and the dump do not go together",
    }
}

fn none_found(refused: usize, cut_off: u64) -> String {
    match (refused, cut_off) {
        (0, _) => "none lies beside the dump or where kernels are installed".to_owned(),
        (_, 1..) => format!(
            "the dump file is cut off: {cut_off} pages are missing, by which its kernel could be told"
        ),
        (1, 0) => "the only one that was found did not write this dump".to_owned(),
        (count, 0) => format!("none of the {count} that were found wrote this dump"),
    }
}
