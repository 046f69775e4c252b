//! malloc(9): memory that the running kernel allocates.
//!
//! Small objects are in the direct map, if there is one, as in `uma_small_alloc`. Larger
//! ones get pages of the kernel map, each followed by an unmapped page.

use std::ops::Range;

use super::heap::{Allocation, Heap};
use super::{Machine, Rights, Run, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::image::{ImageError, Memory};

impl Machine {
    /// malloc(9) with M_ZERO: objects of up to 4 KB are in the direct map, if there is one,
    /// larger ones in the kernel map. `kind` is the name of the malloc type, `size` is in bytes.
    pub fn malloc(&mut self, kind: &'static str, size: u64) -> Result<VirtAddr, ImageError> {
        let small = size <= Heap::LARGEST_SMALL;
        let at = if small { self.small(Heap::bucket(size))? } else { self.kernel_map(size)? };
        self.heap.record(at, kind, size, !small);
        Ok(at)
    }

    /// contigmalloc(9) with M_ZERO: whole pages, contiguous in physical memory, in the direct map
    /// if there is one.
    pub fn malloc_contiguous(
        &mut self,
        kind: &'static str,
        size: u64,
    ) -> Result<VirtAddr, ImageError> {
        let page = self.page_size();
        let len = size.max(1).next_multiple_of(page);
        let first = self.frames.take_low_run(len, page)?;
        let direct = self.direct_address(first);
        let at = direct.map_or_else(|| self.enter(&[Run { to: first, len }]), Ok)?;
        self.heap.record(at, kind, size, direct.is_none());
        Ok(at)
    }

    /// kmem_malloc(9): whole pages of the kernel map.
    pub fn kmem_malloc(&mut self, kind: &'static str, size: u64) -> Result<VirtAddr, ImageError> {
        let at = self.kernel_map(size)?;
        self.heap.record(at, kind, size, true);
        Ok(at)
    }

    /// A page that the kernel does not use itself, and has mapped at most in the direct map.
    pub fn other_page(&mut self) -> Result<PhysAddr, ImageError> {
        let frame = self.frames.take_high()?;
        self.frames.give_back(frame);
        Ok(frame)
    }

    /// Whole pages for a module, within reach of the kernel's code: after the image if that is
    /// after the kernel map, as on amd64, otherwise in the kernel map.
    pub fn malloc_module(&mut self, kind: &'static str, size: u64) -> Result<VirtAddr, ImageError> {
        let runs = self.scattered(size)?;
        let at = if self.image.start >= self.space.layout().kernel_map.end {
            let start = self.next_module;
            self.next_module = self.map_runs(start..VirtAddr::new(u64::MAX), &runs)?;
            start
        } else {
            self.enter(&runs)?
        };
        self.heap.record(at, kind, size, true);
        Ok(at)
    }

    /// free(9). The memory is never allocated again, so stale pointers lead to what freed
    /// memory holds. Pages of the kernel map are unmapped, as by kmem_free.
    ///
    /// # Errors
    /// `at` is not the start of a live allocation.
    pub fn free(&mut self, at: VirtAddr) -> Result<(), ImageError> {
        let allocation = self.heap.forget(at).ok_or(ImageError::BadFree(at))?;
        if self.options.trash_freed {
            self.trash(at, allocation.size)?;
        }
        if allocation.whole_pages {
            self.unmap_kernel_map(at, allocation.size);
        }
        Ok(())
    }

    /// Fills `size` bytes with what a kernel with INVARIANTS writes into freed memory.
    pub fn trash(&mut self, at: VirtAddr, size: u64) -> Result<(), ImageError> {
        self.fill(at, size, TRASH)
    }

    /// The size in bytes of the live allocation that starts at `at`.
    pub fn allocated(&self, at: VirtAddr) -> Option<u64> {
        self.heap.size(at)
    }

    /// The live objects of the heap, by address.
    pub fn allocations(&self) -> impl Iterator<Item = (VirtAddr, &Allocation)> {
        self.heap.live()
    }

    /// Where the kernel map starts.
    pub fn kernel_map_start(&self) -> VirtAddr {
        self.kernel_map
    }

    /// Where the next block of the kernel map will be.
    pub fn kernel_map_end(&self) -> VirtAddr {
        self.next_kernel_map
    }

    /// Where the page tables of the kernel map end: `kernel_vm_end`.
    pub fn kernel_vm_end(&self) -> VirtAddr {
        let align = last_table(self.space);
        VirtAddr::new(self.next_kernel_map.get().next_multiple_of(align))
    }

    fn small(&mut self, bucket: u64) -> Result<VirtAddr, ImageError> {
        if let Some(item) = self.heap.cut(bucket) {
            return Ok(item);
        }
        let page = self.page_size();
        let slab = match self.space.layout().direct_map {
            Some(_) => {
                let frame = self.frames.take_low()?;
                self.direct_address(frame).unwrap_or_default()
            }
            None => self.kernel_map(page)?,
        };
        self.heap.add_slab(bucket, slab, page);
        self.heap.cut(bucket).ok_or(ImageError::OutOfMemory { wanted: bucket, what: Memory::Heap })
    }

    /// Whole pages in the kernel map, followed by an unmapped page.
    fn kernel_map(&mut self, size: u64) -> Result<VirtAddr, ImageError> {
        let runs = self.scattered(size)?;
        self.enter(&runs)
    }

    /// Pages from any part of physical memory.
    fn scattered(&mut self, size: u64) -> Result<Vec<Run>, ImageError> {
        let page = self.page_size();
        let pages = size.div_ceil(page);
        if pages > self.options.memory / page {
            return Err(ImageError::OutOfMemory { wanted: size, what: Memory::Physical });
        }
        (0..pages).map(|_| Ok(Run { to: self.frames.take_high()?, len: page })).collect()
    }

    /// Maps physical memory at the end of the kernel map.
    pub(super) fn enter(&mut self, runs: &[Run]) -> Result<VirtAddr, ImageError> {
        let start = self.next_kernel_map;
        self.next_kernel_map = self.map_runs(start..self.space.layout().kernel_map.end, runs)?;
        Ok(start)
    }

    /// Maps physical memory from the start of `room` on. Returns where the next block may be
    /// mapped,
    /// after an unmapped page.
    fn map_runs(&mut self, room: Range<VirtAddr>, runs: &[Run]) -> Result<VirtAddr, ImageError> {
        let page = self.page_size();
        let mut at = room.start;
        for run in runs {
            if at.checked_add(run.len).is_none_or(|end| end >= room.end) {
                let what = Memory::AddressSpace;
                return Err(ImageError::OutOfMemory { wanted: run.len, what });
            }
            for done in (0..run.len).step_by(page as usize) {
                let to = run.to.wrapping_add(done);
                self.map_page(at, to, page, Rights::DATA)?;
                self.mapped.insert(at.get(), Run { to, len: page });
                at = at.wrapping_add(page);
            }
        }
        Ok(at.wrapping_add(page))
    }

    fn unmap_kernel_map(&mut self, start: VirtAddr, size: u64) {
        let page = self.page_size();
        for number in 0..size.div_ceil(page) {
            let at = start.wrapping_add(number * page);
            self.tables.unmap(&mut self.ram, at);
            if let Some(run) = self.mapped.remove(&at.get()) {
                self.frames.give_back(run.to);
            }
        }
    }
}

/// What a kernel with INVARIANTS writes over freed memory (`uma_junk`).
const TRASH: u32 = 0xdead_c0de;

/// The memory that a page of last-level tables covers, in bytes.
fn last_table(space: &dyn Space) -> u64 {
    let layout = space.layout();
    space.levels().last().map_or(1, |level| {
        let pageful = layout.page / (level.entries * layout.entry_size);
        level.span * level.entries * pageful.max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{MEGABYTE, MachineOptions, amd64};
    use super::*;
    use crate::arch::Arch;

    fn machine(options: MachineOptions) -> Machine {
        Machine::new(Arch::Amd64, options, &[], None).unwrap()
    }

    const FRAME: u64 = 4096;

    #[test]
    fn small_objects_lie_in_the_direct_map_and_large_ones_in_the_kernel_map() {
        let mut machine = machine(MachineOptions::default());
        let small = machine.malloc("vnet", 48).unwrap();
        let large = machine.malloc("vnet_data", 3 * FRAME).unwrap();
        assert!(small >= amd64::DIRECT_MAP && small < amd64::DIRECT_MAP_END);
        assert_eq!(small.get() % 64, 0);
        assert_eq!(large, amd64::KERNEL_MAP);
        let first = machine.physical(large).unwrap();
        let second = machine.physical(large.wrapping_add(FRAME)).unwrap();
        assert_eq!(second.get(), first.get() - FRAME, "pages are scattered in physical memory");
        assert!(machine.physical(large.wrapping_add(3 * FRAME)).is_none(), "a guard page");
    }

    #[test]
    fn freed_memory_is_trashed_or_unmapped() {
        let mut machine = machine(MachineOptions { trash_freed: true, ..Default::default() });
        let small = machine.malloc("test", 16).unwrap();
        let large = machine.malloc("test", 2 * FRAME).unwrap();
        let in_use = machine.frames_in_use().count();
        machine.free(small).unwrap();
        machine.free(large).unwrap();
        assert_eq!(machine.uint(small, 4).unwrap(), 0xdead_c0de);
        assert!(matches!(machine.uint(large, 4), Err(ImageError::NotMapped(at)) if at == large));
        assert_eq!(machine.frames_in_use().count(), in_use - 2);
        assert!(matches!(machine.free(small), Err(ImageError::BadFree(_))));
        assert_eq!(machine.allocations().count(), 0);
    }

    #[test]
    fn memory_runs_out_with_an_error() {
        let mut machine = machine(MachineOptions { memory: 8 * MEGABYTE, ..Default::default() });
        assert!(matches!(
            machine.malloc("test", 1 << 40),
            Err(ImageError::OutOfMemory { wanted, .. }) if wanted == 1 << 40
        ));
        assert!(machine.malloc("test", 16 * MEGABYTE).is_err());
    }
}
