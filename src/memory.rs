//! Kernel memory by virtual address: the only way to read it.
//!
//! It joins a dump's physical memory with an address translation. Reads may cross pages. A
//! fault gives the first address that could not be read and the stage that failed; zeros
//! never stand for missing memory. Nothing is shared but the dump, and there are no locks, so
//! many threads can read at once.

mod search;

use std::fmt;
use std::sync::Arc;

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::{Core, Format, Hints, PhysFault, PhysFaultKind};
use crate::fault::{Fault, FaultKind, Stage};
use crate::paging::{self, Mapping, Translate};
use crate::recent::{PAGE, Pages};

/// A piece of kernel memory that is contiguous both virtually and physically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its first address in the kernel's address space.
    pub address: VirtAddr,
    /// Its first address in physical memory.
    pub phys: PhysAddr,
    /// Its length, in bytes.
    pub len: u64,
}

/// The virtual memory of a kernel, as a dump holds it.
pub struct KernelMemory {
    core: Arc<Core>,
    translation: Box<dyn Translate>,
    page_size: u64,
    /// Which of its pages threads keep; `None` if it changes while it is read.
    recent: Option<Pages>,
}

impl KernelMemory {
    /// The memory in `core`, with addresses translated by `translation`.
    pub fn from_core(core: impl Into<Arc<Core>>, translation: Box<dyn Translate>) -> Self {
        let core = core.into();
        let page_size = core.facts.page_size;
        let recent = (!core.is_live()).then(Pages::new);
        Self { core, translation, page_size, recent }
    }

    /// The same memory with pages of `page_size` bytes, for dumps that do not record the size.
    #[must_use]
    pub fn with_page_size(self, page_size: u64) -> Self {
        Self { page_size, ..self }
    }

    /// The memory of a dump that itself defines how its addresses are translated.
    /// `None` if the translation needs the kernel's page tables.
    pub fn without_kernel(core: impl Into<Arc<Core>>) -> Option<Self> {
        let core = core.into();
        let translation = match &core.hints {
            Hints::PageMap(map) => paging::page_map(map.clone()),
            Hints::Virtual => paging::identity(),
            Hints::Physical => return None,
        };
        Some(Self::from_core(core, translation))
    }

    /// The dump behind it.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The same, shared.
    #[must_use]
    pub fn shared_core(&self) -> Arc<Core> {
        Arc::clone(&self.core)
    }

    /// How its addresses are translated.
    #[must_use]
    pub fn translation(&self) -> &dyn Translate {
        &*self.translation
    }

    /// The architecture of the machine that was dumped.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.core.arch
    }

    /// The size of a page, in bytes. Unreadable memory is missing in whole pages.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.page_size
    }

    /// Fills `buf` from address `at`.
    ///
    /// # Errors
    /// Why the first unreadable byte cannot be read. The bytes before it are in `buf`.
    pub fn read(&self, at: VirtAddr, buf: &mut [u8]) -> Result<(), Fault> {
        match &self.recent {
            Some(recent) if buf.len() < PAGE && self.read_recent(recent, at, buf) => Ok(()),
            _ => self.read_anew(at, buf),
        }
    }

    /// Reads whole pages, which the thread keeps. False if one cannot be read as a whole: perhaps these
    /// bytes of it can.
    fn read_recent(&self, recent: &Pages, at: VirtAddr, buf: &mut [u8]) -> bool {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let start = at.page_start(PAGE as u64);
            let within = at.page_offset(PAGE as u64) as usize;
            let len = rest.len().min(PAGE - within);
            let (part, further) = rest.split_at_mut(len);
            let fill = |page: &mut [u8]| self.read_anew(start, page).map(|()| page.len());
            let copy = |page: &[u8]| part.copy_from_slice(&page[within..within + len]);
            if recent.page(start.get() / PAGE as u64, fill, copy).is_err() {
                return false;
            }
            rest = further;
            // A read that goes on past the last address fails there.
            at = at.wrapping_add(len as u64);
        }
        true
    }

    fn read_anew(&self, at: VirtAddr, buf: &mut [u8]) -> Result<(), Fault> {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let mapping = self.mapping(at)?;
            let len = usize::try_from(mapping.len).unwrap_or(usize::MAX).min(rest.len());
            let (part, further) = rest.split_at_mut(len);
            self.core
                .memory()
                .read(mapping.phys, part)
                .map_err(|fault| self.unreadable(at, mapping.phys, fault))?;
            rest = further;
            if rest.is_empty() {
                break;
            }
            at = at.checked_add(len as u64).ok_or(bad_address(VirtAddr::new(0)))?;
        }
        Ok(())
    }

    /// Fills `buf` from address `at` up to the first byte that cannot be read. Returns
    /// how many bytes were read, and the fault that stopped the read, if one did.
    pub fn read_prefix(&self, at: VirtAddr, buf: &mut [u8]) -> (usize, Option<Fault>) {
        match self.read(at, buf) {
            Ok(()) => (buf.len(), None),
            // The fault's address is after `at`, or past the end of all addresses.
            Err(fault) => (fault.address.get().wrapping_sub(at.get()) as usize, Some(fault)),
        }
    }

    /// Fills `buf` from physical address `at`, as that of a [`Piece`], up to the first byte that cannot be read.
    /// Returns how many bytes were read. `None` if they are a hole of a sparse file: zeros, which are not
    /// read.
    pub fn read_physical(&self, at: PhysAddr, buf: &mut [u8]) -> Option<usize> {
        let memory = self.core.memory();
        if memory.is_hole(at, buf.len() as u64) {
            return None;
        }
        Some(match memory.read(at, buf) {
            Ok(()) => buf.len(),
            Err(fault) => fault.at.get().wrapping_sub(at.get()) as usize,
        })
    }

    /// The physical address of `at`, whether or not the dump holds that page.
    ///
    /// # Errors
    /// The kernel has no memory there, or the dump lacks a page table on the way.
    pub fn translate(&self, at: VirtAddr) -> Result<PhysAddr, Fault> {
        self.mapping(at).map(|mapping| mapping.phys)
    }

    /// The first mapping from `at` on, whether or not the dump holds its memory: its address, and
    /// where it lies.
    pub fn next_mapping(&self, at: VirtAddr) -> Option<(VirtAddr, Mapping)> {
        let at = self.translation.next(self.core.memory(), at)?;
        let mapping = self.translation.translate(self.core.memory(), at).ok()?;
        Some((at, mapping))
    }

    /// Is it the memory of a machine that is running? Then two reads of one address may differ.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.core.is_live()
    }

    /// Is it known where there is memory? A device by virtual addresses does not say it.
    #[must_use]
    pub fn can_be_searched(&self) -> bool {
        self.core.format != Format::LiveVirtual
    }

    /// Whether addresses are translated to those of physical memory. In a core by virtual
    /// addresses there are none.
    #[must_use]
    pub fn has_physical(&self) -> bool {
        !matches!(self.core.hints, Hints::Virtual)
    }

    /// The byte at `at`.
    pub fn u8(&self, at: VirtAddr) -> Result<u8, Fault> {
        self.uint(at, 1).map(|value| value as u8)
    }

    /// The 16-bit number at `at`, in the kernel's byte order.
    pub fn u16(&self, at: VirtAddr) -> Result<u16, Fault> {
        self.uint(at, 2).map(|value| value as u16)
    }

    /// The 32-bit number at `at`, in the kernel's byte order.
    pub fn u32(&self, at: VirtAddr) -> Result<u32, Fault> {
        self.uint(at, 4).map(|value| value as u32)
    }

    /// The 64-bit number at `at`, in the kernel's byte order.
    pub fn u64(&self, at: VirtAddr) -> Result<u64, Fault> {
        self.uint(at, 8)
    }

    /// The unsigned number of `size` bytes (at most 8) at `at`, in the kernel's byte order.
    pub fn uint(&self, at: VirtAddr, size: usize) -> Result<u64, Fault> {
        debug_assert!(size <= 8);
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..size.min(8)];
        self.read(at, bytes)?;
        Ok(self.arch().endian().uint(bytes) as u64)
    }

    /// The pointer stored at `at`.
    pub fn pointer(&self, at: VirtAddr) -> Result<VirtAddr, Fault> {
        self.uint(at, self.arch().pointer_size() as usize).map(VirtAddr::new)
    }

    /// The bytes of the C string at `at` without its NUL, at most `max` of them.
    ///
    /// # Errors
    /// Readable memory ends before the string does.
    pub fn c_string(&self, at: VirtAddr, max: usize) -> Result<Vec<u8>, Fault> {
        let mut text = Vec::new();
        let mut chunk = [0; 64];
        while text.len() < max {
            let from = at.wrapping_add(text.len() as u64);
            let wanted = chunk.len().min(max - text.len());
            let (len, fault) = self.read_prefix(from, &mut chunk[..wanted]);
            let read = &chunk[..len];
            if let Some(end) = memchr::memchr(0, read) {
                text.extend_from_slice(&read[..end]);
                return Ok(text);
            }
            if let Some(fault) = fault {
                return Err(fault);
            }
            text.extend_from_slice(read);
        }
        Ok(text)
    }

    /// All memory that the kernel has mapped and the dump holds, in ascending order of
    /// virtual address. Memory that is mapped twice is listed twice.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> {
        // After the page of the null pointer, which no kernel maps for itself.
        let (memory, mut next) = (self.core.memory(), Some(VirtAddr::new(self.page_size())));
        let pieces = std::iter::from_fn(move || {
            let at = self.translation.next(memory, next?)?;
            let mapping = self.translation.translate(memory, at).ok()?;
            let end = mapping.phys.checked_add(mapping.len)?;
            let held = memory.next(mapping.phys).filter(|held| held.start < end);
            let Some(held) = held else {
                next = at.checked_add(mapping.len);
                return Some(None);
            };
            let before = held.start.get() - mapping.phys.get();
            let piece = Piece {
                address: at.wrapping_add(before),
                phys: held.start,
                len: held.end.min(end).get() - held.start.get(),
            };
            next = piece.address.checked_add(piece.len);
            Some(Some(piece))
        });
        pieces.take(MAX_PIECES).flatten()
    }

    /// How many bytes of physical memory the dump holds.
    #[must_use]
    pub fn held(&self) -> u64 {
        let facts = &self.core.facts;
        facts.pages.saturating_mul(facts.page_size)
    }

    fn mapping(&self, at: VirtAddr) -> Result<Mapping, Fault> {
        // No kernel maps the page of the null pointer for itself.
        if at.get() < self.page_size() {
            return Err(bad_address(at));
        }
        self.translation.translate(self.core.memory(), at)
    }

    /// The fault of reading `at`, which lies at `phys`, from the fault of its physical memory.
    fn unreadable(&self, at: VirtAddr, phys: PhysAddr, fault: PhysFault) -> Fault {
        let address = at.wrapping_add(fault.at.get().wrapping_sub(phys.get()));
        let (kind, stage) = match fault.kind {
            PhysFaultKind::NotDumped if matches!(self.core.hints, Hints::Virtual) => {
                (FaultKind::NotDumped, Stage::Segment)
            }
            PhysFaultKind::NotDumped => {
                (FaultKind::NotDumped, Stage::Page(fault.at.page_start(self.page_size())))
            }
            PhysFaultKind::Refused(number) => {
                (self.refused(), Stage::Device { at: fault.at, number })
            }
            PhysFaultKind::NotMemory => (self.refused(), Stage::NotMemory(fault.at)),
            PhysFaultKind::Truncated(end) => (FaultKind::Truncated, Stage::File(end)),
        };
        Fault { address, kind, stage }
    }

    /// What a device refuses is not mapped if it is asked by virtual address.
    fn refused(&self) -> FaultKind {
        if self.has_physical() { FaultKind::NotDumped } else { FaultKind::NotMapped }
    }
}

impl fmt::Debug for KernelMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelMemory").field("core", &self.core).finish_non_exhaustive()
    }
}

/// More pieces than any kernel has: page tables in a damaged dump may point to
/// themselves.
const MAX_PIECES: usize = 1 << 26;

fn bad_address(address: VirtAddr) -> Fault {
    Fault { address, kind: FaultKind::BadAddress, stage: Stage::Range }
}
