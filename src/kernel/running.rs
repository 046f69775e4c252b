//! A kernel at the addresses where it runs.
//!
//! Most kernels run at their link address. A powerpc64 kernel runs wherever it was
//! loaded (`__restartkernel` in sys/powerpc/aim/locore64.S, 12.0). A [`RunningKernel`] can be
//! made only when the distance from the link address is known, so nobody can
//! ask for an address in memory before that. The [`Kernel`] itself does not
//! change: it may run at different addresses in several dumps.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::{Kernel, LinkerSet, Segment, Symbol};

/// A kernel and the distance from its link address to where it runs. All addresses
/// are those of the running kernel.
#[derive(Debug, Clone)]
pub struct RunningKernel {
    linked: Arc<Kernel>,
    slide: u64,
}

impl RunningKernel {
    /// `kernel` running `slide` bytes, modulo 2^64, after its link address.
    pub fn new(kernel: impl Into<Arc<Kernel>>, slide: u64) -> Self {
        Self { linked: kernel.into(), slide }
    }

    /// The kernel at its link addresses.
    pub fn linked(&self) -> &Kernel {
        &self.linked
    }

    /// The same, shared.
    pub fn shared(&self) -> Arc<Kernel> {
        Arc::clone(&self.linked)
    }

    /// The distance from the link address to where the kernel runs, in bytes modulo 2^64.
    pub fn slide(&self) -> u64 {
        self.slide
    }

    /// The architecture that the kernel was built for.
    pub fn arch(&self) -> Arch {
        self.linked.arch()
    }

    /// The symbol with that name; a global one before a local one.
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        self.linked.symbol(name).map(|symbol| self.moved(symbol))
    }

    /// All symbols that have a name and an address.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.linked.symbols().iter().map(|symbol| self.moved(symbol))
    }

    /// All symbols with that name. Static variables of several files may share one.
    pub fn symbols_named<'s>(&'s self, name: &str) -> impl Iterator<Item = Symbol<'s>> {
        self.linked.symbols().named(name).map(|symbol| self.moved(symbol))
    }

    /// The symbols of the variables in a linker set, global and local.
    pub fn set_symbols(&self, set: LinkerSet) -> impl Iterator<Item = Symbol<'_>> {
        self.linked.set_symbols(set).map(|symbol| self.moved(symbol))
    }

    /// The symbol whose bytes contain `address`, and the offset from its start. If the
    /// kernel was moved, absolute symbols are ignored, because they did not move with it.
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        let linked = self.linked_at(address);
        let (symbol, offset) = match self.slide {
            0 => self.linked.symbolize(linked)?,
            _ => self.linked.symbolize_place(linked)?,
        };
        Some((self.moved(symbol), offset))
    }

    /// The last symbol at or before `address`, whatever its size. Labels in assembly code
    /// have no size.
    pub fn label(&self, address: VirtAddr) -> Option<Symbol<'_>> {
        self.linked.symbols().label(self.linked_at(address)).map(|symbol| self.moved(symbol))
    }

    /// A linker set in memory; `None` in a kernel that has no such set. See
    /// [`Kernel::linker_set`].
    pub fn linker_set(&self, set: LinkerSet) -> Option<Range<VirtAddr>> {
        self.linked.linker_set(set).map(|range| self.moved_range(range))
    }

    /// The linker set of the virtualized variables, in memory; `None` in a kernel without VIMAGE.
    pub fn set_vnet(&self) -> Option<Range<VirtAddr>> {
        self.linker_set(LinkerSet::Vnet)
    }

    /// The segments that the boot loader put into memory, at the addresses where they run.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let segments = self.linked.segments();
        segments.map(|segment| Segment { virt: self.running_at(segment.virt), ..segment })
    }

    /// The sections that are in memory, each with its name and its addresses.
    pub fn sections(&self) -> impl Iterator<Item = (&str, Range<VirtAddr>)> {
        self.linked.sections_in_memory().map(|(name, range)| (name, self.moved_range(range)))
    }

    /// The addresses that the section with that name occupies in memory.
    pub fn section_range(&self, name: &str) -> Option<Range<VirtAddr>> {
        self.linked.section_range(name).map(|range| self.moved_range(range))
    }

    /// The bytes that memory holds at `address` after the kernel's self-relocation and before
    /// anything else has run. `None` if no file has them; missing files are never zeros.
    pub fn initial_bytes(&self, address: VirtAddr, len: u64) -> Option<Cow<'_, [u8]>> {
        self.linked.relocated_bytes(self.linked_at(address), len, self.slide)
    }

    /// The address of the build-id in memory, and its bytes.
    pub fn build_id_in_memory(&self) -> Option<(VirtAddr, &[u8])> {
        let (address, id) = self.linked.build_id_in_memory()?;
        Some((self.running_at(address), id))
    }

    /// The running address of the byte that is linked at `linked`.
    pub fn running_at(&self, linked: VirtAddr) -> VirtAddr {
        linked.wrapping_add(self.slide)
    }

    /// The link address of the byte at `running`.
    pub fn linked_at(&self, running: VirtAddr) -> VirtAddr {
        running.wrapping_add(self.slide.wrapping_neg())
    }

    fn moved<'s>(&self, symbol: Symbol<'s>) -> Symbol<'s> {
        match symbol.absolute {
            true => symbol,
            false => Symbol { address: self.running_at(symbol.address), ..symbol },
        }
    }

    fn moved_range(&self, range: Range<VirtAddr>) -> Range<VirtAddr> {
        self.running_at(range.start)..self.running_at(range.end)
    }
}
