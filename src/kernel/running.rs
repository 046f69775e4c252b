//! A kernel at the addresses where it runs.
//!
//! Most kernels run where they are linked. One of powerpc64 runs wherever it finds
//! itself (`__restartkernel` in sys/powerpc/aim/locore64.S, 12.0). Only whoever knows
//! how far from its link address it runs can make a [`RunningKernel`], so nobody can
//! ask for an address in memory before that is known. The [`Kernel`] itself does not
//! change: it may run in several dumps, in each of them elsewhere.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::{Kernel, Segment, Symbol};

/// A kernel and the distance from where it is linked to where it runs. All addresses
/// are those of the running kernel.
#[derive(Debug, Clone)]
pub struct RunningKernel {
    linked: Arc<Kernel>,
    slide: u64,
}

impl RunningKernel {
    /// `kernel` running `slide` bytes, modulo 2^64, from where it is linked.
    pub fn new(kernel: impl Into<Arc<Kernel>>, slide: u64) -> Self {
        Self { linked: kernel.into(), slide }
    }

    /// The kernel as its file has it.
    pub fn linked(&self) -> &Kernel {
        &self.linked
    }

    /// How far from where it is linked the kernel runs, in bytes modulo 2^64.
    pub fn slide(&self) -> u64 {
        self.slide
    }

    pub fn arch(&self) -> Arch {
        self.linked.arch()
    }

    /// The symbol of that name; a global one before a local one.
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        self.linked.symbol(name).map(|symbol| self.moved(symbol))
    }

    /// All symbols that have a name and an address.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.linked.symbols().iter().map(|symbol| self.moved(symbol))
    }

    /// All symbols of that name: static variables of several files may share one.
    pub fn symbols_named<'s>(&'s self, name: &str) -> impl Iterator<Item = Symbol<'s>> {
        self.linked.symbols().named(name).map(|symbol| self.moved(symbol))
    }

    /// The symbols of virtualized variables, global and local.
    pub fn vnet_symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.linked.vnet_symbols().map(|symbol| self.moved(symbol))
    }

    /// The symbol whose bytes hold `address`, and the distance from its start. In a
    /// kernel that was moved, absolute symbols hold nothing: they have not moved with it.
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        let linked = self.linked_at(address);
        let (symbol, offset) = match self.slide {
            0 => self.linked.symbolize(linked)?,
            _ => self.linked.symbolize_place(linked)?,
        };
        Some((self.moved(symbol), offset))
    }

    /// The last symbol that is not behind `address`, whatever its size: assembler routines
    /// have labels without one.
    pub fn label(&self, address: VirtAddr) -> Option<Symbol<'_>> {
        self.linked.symbols().label(self.linked_at(address)).map(|symbol| self.moved(symbol))
    }

    /// The linker set of the virtualized variables; `None` in a kernel without VIMAGE.
    /// See [`Kernel::set_vnet`].
    pub fn set_vnet(&self) -> Option<Range<VirtAddr>> {
        self.linked.set_vnet().map(|set| self.moved_range(set))
    }

    /// The segments that the boot loader put into memory.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let segments = self.linked.segments();
        segments.map(|segment| Segment { virt: self.running_at(segment.virt), ..segment })
    }

    /// The addresses that the section of that name takes up in memory.
    pub fn section_range(&self, name: &str) -> Option<Range<VirtAddr>> {
        self.linked.section_range(name).map(|range| self.moved_range(range))
    }

    /// The bytes that memory holds at `address` before the kernel has run, its own
    /// relocation done; `None` where no file has them, never zeros for lack of a file.
    pub fn initial_bytes(&self, address: VirtAddr, len: u64) -> Option<Cow<'_, [u8]>> {
        self.linked.relocated_bytes(self.linked_at(address), len, self.slide)
    }

    /// The build-id's place in memory, and its bytes.
    pub fn build_id_in_memory(&self) -> Option<(VirtAddr, &[u8])> {
        let (address, id) = self.linked.build_id_in_memory()?;
        Some((self.running_at(address), id))
    }

    /// Where the byte that is linked at `linked` is in memory.
    pub fn running_at(&self, linked: VirtAddr) -> VirtAddr {
        linked.wrapping_add(self.slide)
    }

    /// Where the byte at `running` is linked.
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
