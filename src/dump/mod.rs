//! Crash dumps: the bytes of a file as the physical memory of the machine.
//!
//! [`open`] recognises a file and returns a [`Core`]: its physical memory, what
//! its headers say, and the hints for translating kernel addresses.
//! Nothing is copied out of the file, and opening reads only the headers and
//! the bitmap of a minidump. A compressed dump is first unpacked as a whole.
//!
//! This layer never sees a kernel or a symbol. It knows only the virtual addresses that
//! a header names, and translates none. Translation is the work of [`crate::paging`].

mod device;
mod elf_core;
mod error;
mod header;
mod info_file;
mod live;
mod messages;
mod minidump;
mod opening;
mod part;
mod probe;
mod processors;
mod raw;
mod segment;
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
pub use live::open_kernel_memory;
pub use messages::message_lines;
pub use opening::{Opened, Unknown, open, open_any, open_with};
pub use part::Part;
pub use processors::Processor;
pub use raw::{MemorySegment, open_raw};

/// The physical memory of a machine, as far as a dump holds it.
pub trait PhysicalMemory: Send + Sync {
    /// Fills `buf` from physical address `at`, across any number of pages.
    ///
    /// # Errors
    /// The first byte that cannot be read. The bytes before it are in `buf`;
    /// the rest of `buf` is unchanged.
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault>;

    /// The first stretch of memory that is held, from `at` on; `None` if nothing follows.
    /// It may end before the memory does.
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>>;

    /// Whether these bytes are a hole of a sparse file: zeros that need not be read. False if that is not
    /// known.
    fn is_hole(&self, _at: PhysAddr, _len: u64) -> bool {
        false
    }

    /// The ranges of memory, ascending; empty if only single pages are known.
    fn ranges(&self) -> Vec<Range<PhysAddr>> {
        Vec::new()
    }
}

/// Why a byte of physical memory cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhysFault {
    /// The first byte that cannot be read.
    pub at: PhysAddr,
    /// Why it cannot be read.
    pub kind: PhysFaultKind,
}

/// Why a byte of physical memory is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhysFaultKind {
    /// The dump omits this page, or the machine had no memory there.
    NotDumped,
    /// The byte belongs at this position in the file, which is shorter.
    Truncated(FileOffset),
    /// A device refused to read there, with this error number (errno). The machine has no
    /// memory at that address, or protects it.
    Refused(i32),
    /// It is outside the memory of a running machine, and the device was not asked; or the device
    /// has no bytes there.
    NotMemory,
}

/// An opened dump.
pub struct Core {
    /// The layout of the file.
    pub format: Format,
    /// The architecture of the machine.
    pub arch: Arch,
    /// How kernel addresses are translated.
    pub hints: Hints,
    /// What else may help in finding the page tables.
    pub clues: Clues,
    /// The kernel dump header, if the file still has it. savecore(8) removes it.
    pub header: Option<KernelDumpHeader>,
    /// How the file was compressed; `None` if it was not.
    pub packed: Option<Packed>,
    /// Sizes and counts.
    pub facts: Facts,
    /// What is odd about this dump but does not prevent reading it, as sentences.
    pub warnings: Vec<String>,
    memory: Box<dyn PhysicalMemory>,
}

impl Core {
    /// The machine's physical memory.
    pub fn memory(&self) -> &dyn PhysicalMemory {
        &*self.memory
    }

    /// Is it the memory of a machine that is running? Then two reads of one address may differ.
    pub fn is_live(&self) -> bool {
        matches!(self.format, Format::Live | Format::LiveVirtual)
    }
}

impl Core {
    /// The lines of the message buffer that a minidump stores apart from memory, as
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
    /// The compression format.
    pub packing: Packing,
    /// The compressed length, in bytes.
    pub len: u64,
}

/// The layout of a dump file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A minidump: only the pages that the kernel had mapped (`sys/*/*/minidump_machdep.c`).
    Minidump {
        /// 1, 2 or 3, by the architecture's `sys/*/include/minidump.h`.
        version: u32,
    },
    /// A full dump: an ELF core by physical addresses, from the kernel or a hypervisor.
    ElfCore,
    /// An ELF core by virtual addresses.
    VirtualCore,
    /// Physical memory without any header.
    Raw,
    /// The physical memory of a running machine (`/dev/mem`).
    Live,
    /// The memory of a running machine by virtual addresses (`/dev/kmem`).
    LiveVirtual,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minidump { version } => write!(f, "minidump version {version}"),
            Self::ElfCore => f.write_str("full dump (ELF core)"),
            Self::VirtualCore => f.write_str("ELF core by virtual addresses"),
            Self::Raw => f.write_str("raw physical memory"),
            Self::Live => f.write_str("live physical memory"),
            Self::LiveVirtual => f.write_str("live memory by virtual addresses"),
        }
    }
}

/// What a dump offers for translating kernel addresses.
#[derive(Debug, Clone)]
pub enum Hints {
    /// A minidump's own page map.
    PageMap(PageMap),
    /// Nothing. The kernel's page tables are somewhere in this physical memory,
    /// and the kernel's symbols are needed to find them.
    Physical,
    /// No translation is needed: the dump's "physical" addresses are the kernel's own.
    Virtual,
}

/// What the headers of a core record beside the memory.
#[derive(Debug, Clone, Default)]
pub struct Clues {
    /// An address in the kernel's image and the physical address it was loaded at
    /// (PT_DUMP_DELTA, written by arm kernels).
    pub image: Option<(VirtAddr, PhysAddr)>,
    /// Where the running kernel's image begins, in minidumps of powerpc64. Those
    /// kernels do not run where they are linked.
    pub start: Option<VirtAddr>,
    /// The page-table root (CR3) of each CPU, from QEMU's notes. It may belong to a user
    /// process and map hardly any of the kernel.
    pub roots: Vec<PhysAddr>,
    /// The registers of each CPU, in order of CPU number, from a hypervisor's notes.
    pub processors: Vec<Processor>,
}

/// The page map of a minidump and the fields of its header that explain it.
#[derive(Debug, Clone)]
pub struct PageMap {
    /// What the entries are.
    pub format: PageMapFormat,
    /// Where the kernel map begins; entry 0 maps this address.
    pub kernbase: VirtAddr,
    /// The direct map; `None` on architectures without one.
    pub direct_map: Option<DirectMap>,
    /// The bytes of the entries, for ascending addresses without gaps.
    pub entries: Region,
}

/// The form of the entries of a page map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageMapFormat {
    /// Page-table entries of amd64.
    Amd64Pages,
    /// Page-directory entries of amd64.
    Amd64Directories,
    /// Page-table entries of level 3.
    Arm64 {
        /// Bytes of a page: 4096 or 16384.
        page_size: u64,
    },
    /// Page-table entries of the last level.
    Riscv64,
    /// Page-table entries of 32 bits, without PAE.
    I386,
    /// Page-table entries of 64 bits, with PAE.
    I386Pae,
    /// Entries of level 2, 32 bits wide.
    ArmShort,
    /// Entries of level 3, 64 bits wide (LPAE).
    ArmLong,
    /// The hashed page table, as pairs of words.
    Powerpc64Hash {
        /// The byte order of the words.
        endian: Endian,
    },
    /// The root of the radix tree, with big-endian entries.
    Powerpc64Radix,
}

/// The part of the kernel's address space that maps physical memory one to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectMap {
    /// The virtual addresses that it covers.
    pub range: Range<VirtAddr>,
    /// The physical address that its first address maps.
    pub phys: PhysAddr,
}

/// Sizes and counts from a dump's headers and length, for people to read.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Length of the unpacked dump, in bytes; of a device, of the memory that is read.
    pub file_len: u64,
    /// Size of a page, in bytes.
    pub page_size: u64,
    /// Pages of memory that the headers promise; of a device, those that are read.
    pub pages: u64,
    /// Pages of memory that the machine had; `None` where the headers do not say. Only
    /// minidumps with a dump_avail do.
    pub memory_pages: Option<u64>,
    /// How many of `pages` lie partly or wholly past the end of the file.
    pub pages_cut_off: u64,
    /// Facts that only a minidump has; `None` for other dumps.
    pub minidump: Option<MinidumpFacts>,
}

/// What only the header of a minidump says.
#[derive(Debug, Clone)]
pub struct MinidumpFacts {
    /// Where the kernel map begins.
    pub kernbase: VirtAddr,
    /// The direct map; `None` on architectures without one.
    pub direct_map: Option<DirectMap>,
    /// Length of the page bitmap, in bytes.
    pub bitmap_len: u64,
    /// Length of the page map, in bytes.
    pub page_map_len: u64,
    /// The kernel's message ring as it was when the dump was written, in ring order.
    pub message_buffer: Region,
    /// The file up to the bitmap: the header, the message ring and the ranges of memory.
    pub before_bitmap: Region,
    /// From the end of the bitmap to the first page: the page map.
    pub after_bitmap: Region,
    /// The ranges of physical memory that the bits of the bitmap number, in whole pages, and the
    /// bit of the first page of each; `None` if bit n is page n.
    pub ranges: Option<Vec<(Range<PhysAddr>, u64)>>,
    /// What follows the ring in its last page.
    messages_at_end: Region,
}

/// Fills `buf`, which is the memory at physical address `at`, from `offset` of the file,
/// up to the end of the file.
fn copy(
    source: &Source,
    offset: FileOffset,
    at: PhysAddr,
    buf: &mut [u8],
) -> Result<(), PhysFault> {
    let mut len = 0;
    let end = loop {
        if len == buf.len() {
            return Ok(());
        }
        match source.read_at(offset.wrapping_add(len as u64), &mut buf[len..]) {
            Ok(0) => break PhysFaultKind::Truncated(offset.wrapping_add(len as u64)),
            Ok(read) => len += read,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break PhysFaultKind::NotDumped,
        }
    };
    Err(PhysFault { at: at.wrapping_add(len as u64), kind: end })
}
