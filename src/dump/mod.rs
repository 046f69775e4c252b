//! Crash dumps: the bytes of a file as the physical memory of the machine.
//!
//! [`open`] tells what a file is and gives a [`Core`]: its physical memory, what
//! its headers say, and the hints by which kernel addresses can be translated.
//! Nothing is copied out of the file, and opening reads no more than headers and
//! the bitmap of a minidump; only a compressed dump is unpacked first, as a whole.
//!
//! This layer never sees a kernel, a symbol or a virtual address other than those
//! a header names; it translates nothing. That is the work of [`crate::paging`].

mod device;
mod elf_core;
mod error;
mod header;
mod info_file;
mod messages;
mod minidump;
mod opening;
mod probe;
mod processors;
mod raw;
mod segments;

use std::fmt;
use std::io;
use std::ops::Range;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::source::unpack::Packing;
use crate::source::{Region, Source};

pub use error::{DumpError, NotADump};
pub use header::KernelDumpHeader;
pub use info_file::{DumpIdentity, InfoFile};
pub use messages::message_lines;
pub use opening::{Opened, Unknown, open, open_any, open_with};
pub use processors::Processor;
pub use raw::{MemorySegment, open_raw};

/// The physical memory of a machine, as far as a dump holds it.
pub trait PhysicalMemory: Send + Sync {
    /// Fills `buf` from physical address `at`, over as many pages as it takes.
    ///
    /// # Errors
    /// The first byte that cannot be read. What lies before it is in `buf`;
    /// the rest of `buf` is left as it was.
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault>;

    /// The first stretch of memory from `at` on that is held; `None` where none follows.
    /// It need not reach as far as memory does.
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>>;

    /// Where memory lies, ascending; empty where only single pages are known.
    fn ranges(&self) -> Vec<Range<PhysAddr>> {
        Vec::new()
    }
}

/// Why a byte of physical memory cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhysFault {
    /// The first byte that cannot be read.
    pub at: PhysAddr,
    pub kind: PhysFaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhysFaultKind {
    /// The dump leaves this page out, or the machine had no memory there.
    NotDumped,
    /// The byte belongs at this place in the file, which is shorter than that.
    Truncated(FileOffset),
    /// A device will not read there, with this error number of the operating system:
    /// the machine has no memory at that address, or guards it.
    Refused(i32),
}

/// An opened dump.
pub struct Core {
    pub format: Format,
    pub arch: Arch,
    /// How kernel addresses are translated.
    pub hints: Hints,
    /// What else may help to find the page tables.
    pub clues: Clues,
    /// The kernel dump header, where the file still has one.
    pub header: Option<KernelDumpHeader>,
    /// How the file was compressed, if it was.
    pub packed: Option<Packed>,
    pub facts: Facts,
    /// What is odd about this dump but does not keep it from being read, as sentences.
    pub warnings: Vec<String>,
    memory: Box<dyn PhysicalMemory>,
}

impl Core {
    /// The machine's physical memory.
    pub fn memory(&self) -> &dyn PhysicalMemory {
        &*self.memory
    }
}

impl Core {
    /// The lines of the message buffer that a minidump keeps apart from memory, as
    /// it was shortly before the dump was written; `None` in other dumps.
    pub fn saved_messages(&self) -> Option<Vec<String>> {
        let minidump = self.facts.minidump.as_ref()?;
        let (ring, after) = (&minidump.message_buffer, &minidump.messages_at_end);
        Some(messages::saved_lines(ring, after, self.arch))
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("format", &self.format)
            .field("arch", &self.arch)
            .field("header", &self.header)
            .field("packed", &self.packed)
            .field("facts", &self.facts)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// The compressed form of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    pub packing: Packing,
    /// Its length, in bytes.
    pub len: u64,
}

/// The layout of a dump file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    Minidump {
        version: u32,
    },
    ElfCore,
    /// An ELF core by virtual addresses.
    VirtualCore,
    /// Physical memory without any header.
    Raw,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minidump { version } => write!(f, "minidump version {version}"),
            Self::ElfCore => f.write_str("full dump (ELF core)"),
            Self::VirtualCore => f.write_str("ELF core by virtual addresses"),
            Self::Raw => f.write_str("raw physical memory"),
        }
    }
}

/// What a dump offers to whoever translates kernel addresses.
#[derive(Debug, Clone)]
pub enum Hints {
    /// A minidump's own page map.
    PageMap(PageMap),
    /// Nothing: the kernel's page tables lie somewhere in this physical memory,
    /// and only the kernel's symbols tell where.
    Physical,
    /// Nothing is to be translated: the dump's "physical" addresses are the kernel's own.
    Virtual,
}

/// What the headers of a core say beside the memory.
#[derive(Debug, Clone, Default)]
pub struct Clues {
    /// An address of the kernel's image, and the physical address it was loaded at
    /// (PT_DUMP_DELTA, which kernels of arm write).
    pub image: Option<(VirtAddr, PhysAddr)>,
    /// Where the kernel's image begins when it runs, in minidumps of powerpc64, whose
    /// kernels run elsewhere than they are linked.
    pub start: Option<VirtAddr>,
    /// The page-table root (CR3) of each CPU, as QEMU notes it. It may be a user
    /// process's that maps hardly any of the kernel.
    pub roots: Vec<PhysAddr>,
    /// The registers of each CPU, in their order, as a hypervisor notes them.
    pub processors: Vec<Processor>,
}

/// The page map of a minidump and the fields of its header that explain it.
#[derive(Debug, Clone)]
pub struct PageMap {
    pub format: PageMapFormat,
    /// Where the kernel map begins; entry 0 maps this address.
    pub kernbase: VirtAddr,
    /// `None` on architectures without one.
    pub direct_map: Option<DirectMap>,
    pub entries: Region,
}

/// What the entries of a page map are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageMapFormat {
    /// Page-table entries of amd64.
    Amd64Pages,
    /// Page-directory entries of amd64.
    Amd64Directories,
    /// Entries of level 3, for pages of this many bytes.
    Arm64 {
        page_size: u64,
    },
    Riscv64,
    /// Page-table entries of 32 bits.
    I386,
    /// Page-table entries of 64 bits.
    I386Pae,
    /// Entries of level 2, of 32 bits.
    ArmShort,
    /// Entries of level 3, of 64 bits.
    ArmLong,
    /// The hashed page table: pairs of words in this order.
    Powerpc64Hash {
        endian: Endian,
    },
    /// The root of the radix tree.
    Powerpc64Radix,
}

/// The part of the kernel's address space that maps physical memory one to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectMap {
    pub range: Range<VirtAddr>,
    /// The physical address at its start.
    pub phys: PhysAddr,
}

/// What a dump's headers and its length tell, for people to read.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Length of the dump, in bytes, unpacked.
    pub file_len: u64,
    /// Size of a page, in bytes.
    pub page_size: u64,
    /// Pages of memory that the headers promise.
    pub pages: u64,
    /// Pages of memory that the machine had, where the headers tell: those of a
    /// minidump with a dump_avail do.
    pub memory_pages: Option<u64>,
    /// How many of these lie, wholly or in part, past the end of the file.
    pub pages_cut_off: u64,
    /// Facts that only a minidump has.
    pub minidump: Option<MinidumpFacts>,
}

#[derive(Debug, Clone)]
pub struct MinidumpFacts {
    pub kernbase: VirtAddr,
    /// `None` on architectures without one.
    pub direct_map: Option<DirectMap>,
    /// Length of the page bitmap, in bytes.
    pub bitmap_len: u64,
    /// Length of the page map, in bytes.
    pub page_map_len: u64,
    /// The kernel's message ring as it was when the dump was written, not unwrapped.
    pub message_buffer: Region,
    /// What follows it in its last page.
    messages_at_end: Region,
}

/// Fills `buf`, the memory at physical address `at`, from `offset` of the file,
/// as far as the file goes.
fn copy(
    source: &Source,
    offset: FileOffset,
    at: PhysAddr,
    buf: &mut [u8],
) -> Result<(), PhysFault> {
    let mut len = 0;
    let end = loop {
        match source.read_at(offset.wrapping_add(len as u64), &mut buf[len..]) {
            _ if len == buf.len() => return Ok(()),
            // A device has no end that a copy of it could have lost.
            Ok(0) if source.is_device() => break PhysFaultKind::NotDumped,
            Ok(0) => break PhysFaultKind::Truncated(offset.wrapping_add(len as u64)),
            Ok(read) => len += read,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            // EFAULT (FreeBSD), EIO and EPERM (Linux) where the machine has no memory.
            Err(why) => {
                let number = why.raw_os_error();
                break number.map_or(PhysFaultKind::NotDumped, PhysFaultKind::Refused);
            }
        }
    };
    Err(PhysFault { at: at.wrapping_add(len as u64), kind: end })
}
