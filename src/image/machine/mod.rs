//! The simulated machine: physical memory, the kernel's page tables over it,
//! and the kernel's heap.
//!
//! All reads and writes of [`Machine`] are by kernel virtual address and go to
//! the same frames that the page tables name, so what is written here is what
//! any reader finds through the tables in the dump. It knows nothing of kernels,
//! symbols or types. Another architecture is another file beside `amd64.rs`.

pub mod amd64;
mod frames;
mod heap;
mod ram;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use self::amd64::{PageTables, Rights};
use self::frames::Frames;
pub use self::heap::Allocation;
use self::heap::Heap;
pub use self::ram::FRAME;
use self::ram::Ram;
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::image::ImageError;

/// What kind of machine to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineOptions {
    /// Bytes of physical memory, in whole megabytes; at least 4 MB.
    pub memory: u64,
    /// Where the kernel map starts; FreeBSD 8 had it near the kernel, 10 and later at 0xfffffe….
    pub kernel_map: VirtAddr,
    /// Five levels of page tables.
    pub la57: bool,
    /// Use 1G pages for the direct map and 2M pages for the kernel image.
    pub superpages: bool,
    /// Overwrite freed objects with 0xdeadc0de, as a kernel with INVARIANTS does.
    pub trash_freed: bool,
}

impl Default for MachineOptions {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            kernel_map: amd64::KERNEL_MAP,
            la57: false,
            superpages: true,
            trash_freed: false,
        }
    }
}

/// A machine with a kernel address space in it.
pub struct Machine {
    arch: Arch,
    options: MachineOptions,
    ram: Ram,
    frames: Frames,
    tables: PageTables,
    /// Mapped runs outside the direct map, by first virtual address.
    mapped: BTreeMap<u64, Run>,
    next_kernel_map: VirtAddr,
    heap: Heap,
}

/// Virtually and physically contiguous memory.
#[derive(Debug, Clone, Copy)]
struct Run {
    to: PhysAddr,
    len: u64,
}

const MEGABYTE: u64 = 1 << 20;
const GIGABYTE: u64 = 1 << 30;
/// What the kernel's own headers never cover: the video memory and BIOS below 1 MB.
const LOW_MEMORY_END: u64 = 0x9f000;
/// Devices take the last gigabyte below 4 GB.
const DEVICE_HOLE: Range<u64> = 3 * GIGABYTE..4 * GIGABYTE;
const LARGEST_MEMORY: u64 = 1 << 40;

impl Machine {
    /// A machine whose kernel image takes the physical memory `image`, which nothing else may use.
    ///
    /// # Errors
    /// The memory is too small for it, or absurdly large.
    pub fn new(
        arch: Arch,
        options: MachineOptions,
        image: &[Range<PhysAddr>],
    ) -> Result<Self, ImageError> {
        let memory = options.memory;
        if !(4 * MEGABYTE..=LARGEST_MEMORY).contains(&memory) || !memory.is_multiple_of(MEGABYTE) {
            let why = "it must be whole megabytes, from 4 MB to 1 TB";
            return Err(ImageError::BadMemorySize { bytes: memory, why });
        }
        let map = options.kernel_map;
        if map < amd64::KERNEL_MAP || map >= amd64::KERNEL_BASE || map.page_offset(GIGABYTE) != 0 {
            return Err(ImageError::BadKernelMap(map));
        }
        let mut ram = Ram::default();
        let mut frames = Frames::new(&installed(memory));
        for range in image {
            frames.reserve(range.clone())?;
        }
        let tables = PageTables::new(&mut ram, &mut frames, options.la57)?;
        let next_kernel_map = options.kernel_map;
        let heap = Heap::default();
        let mapped = BTreeMap::new();
        let mut machine =
            Self { arch, options, ram, frames, tables, mapped, next_kernel_map, heap };
        machine.map_directly()?;
        Ok(machine)
    }

    pub fn arch(&self) -> Arch {
        self.arch
    }

    pub fn options(&self) -> &MachineOptions {
        &self.options
    }

    /// Size of a page of the kernel map, in bytes.
    pub fn page_size(&self) -> u64 {
        amd64::SIZE_4K
    }

    /// The kernel's page tables.
    pub fn tables(&self) -> &PageTables {
        &self.tables
    }

    /// Maps `len` bytes of the kernel image at `at` to `to`, both page-aligned.
    pub fn map_image(
        &mut self,
        at: VirtAddr,
        to: PhysAddr,
        len: u64,
        rights: Rights,
    ) -> Result<(), ImageError> {
        let large = self.options.superpages
            && (at.get() | to.get()).is_multiple_of(amd64::SIZE_2M)
            && len.is_multiple_of(amd64::SIZE_2M);
        let size = if large { amd64::SIZE_2M } else { amd64::SIZE_4K };
        for done in (0..len).step_by(size as usize) {
            let (at, to) = (at.wrapping_add(done), to.wrapping_add(done));
            self.tables.map(&mut self.ram, &mut self.frames, at, to, size, rights)?;
        }
        self.mapped.insert(at.get(), Run { to, len });
        Ok(())
    }

    /// Copies the bytes at kernel address `at` into `buf`.
    ///
    /// # Errors
    /// Some of them are not mapped.
    pub fn read(&self, at: VirtAddr, buf: &mut [u8]) -> Result<(), ImageError> {
        let mut done = 0;
        while done < buf.len() {
            let here = at.wrapping_add(done as u64);
            let (phys, run) = self.translate(here).ok_or(ImageError::NotMapped(here))?;
            let end = buf.len().min(done.saturating_add(run as usize));
            self.ram.read(phys, &mut buf[done..end]);
            done = end;
        }
        Ok(())
    }

    /// Stores `bytes` at kernel address `at`.
    ///
    /// # Errors
    /// Some of the memory is not mapped; what lies before it has been written.
    pub fn write(&mut self, at: VirtAddr, bytes: &[u8]) -> Result<(), ImageError> {
        let mut done = 0;
        while done < bytes.len() {
            let here = at.wrapping_add(done as u64);
            let (phys, run) = self.translate(here).ok_or(ImageError::NotMapped(here))?;
            let end = bytes.len().min(done.saturating_add(run as usize));
            self.ram.write(phys, &bytes[done..end]);
            done = end;
        }
        Ok(())
    }

    /// The unsigned number of `size` bytes (1 to 8) at `at`, in the machine's byte order.
    pub fn uint(&self, at: VirtAddr, size: u64) -> Result<u64, ImageError> {
        let mut buf = [0; 8];
        let bytes = &mut buf[..size.min(8) as usize];
        self.read(at, bytes)?;
        Ok(self.arch.endian().uint(bytes) as u64)
    }

    /// Stores the low `size` bytes (1 to 8) of `value` at `at`, in the machine's byte order.
    pub fn set_uint(&mut self, at: VirtAddr, size: u64, value: u64) -> Result<(), ImageError> {
        let size = size.min(8) as usize;
        match self.arch.endian() {
            Endian::Little => self.write(at, &value.to_le_bytes()[..size]),
            Endian::Big => self.write(at, &value.to_be_bytes()[8 - size..]),
        }
    }

    /// The pointer stored at `at`.
    pub fn pointer(&self, at: VirtAddr) -> Result<VirtAddr, ImageError> {
        self.uint(at, self.arch.pointer_size()).map(VirtAddr::new)
    }

    /// Stores a pointer at `at`.
    pub fn set_pointer(&mut self, at: VirtAddr, to: VirtAddr) -> Result<(), ImageError> {
        self.set_uint(at, self.arch.pointer_size(), to.get())
    }

    /// malloc(9) with M_ZERO: objects of up to a page lie in the direct map, larger ones in the
    /// kernel map. `kind` is the malloc type's name.
    pub fn malloc(&mut self, kind: &'static str, size: u64) -> Result<VirtAddr, ImageError> {
        let at = if size <= Heap::LARGEST_SMALL {
            self.small(Heap::bucket(size))?
        } else {
            self.kernel_map(size)?
        };
        self.heap.record(at, kind, size);
        Ok(at)
    }

    /// contigmalloc(9) with M_ZERO: whole pages, contiguous in physical memory, in the direct map.
    pub fn malloc_contiguous(
        &mut self,
        kind: &'static str,
        size: u64,
    ) -> Result<VirtAddr, ImageError> {
        let pages = size.div_ceil(FRAME).max(1);
        let first = self.frames.take_low_run(pages)?;
        let at = amd64::DIRECT_MAP.wrapping_add(first.get());
        self.heap.record(at, kind, size);
        Ok(at)
    }

    /// Where the next block of the kernel map will lie: `kernel_vm_end`.
    pub fn kernel_map_end(&self) -> VirtAddr {
        self.next_kernel_map
    }

    /// The first physical address that the direct map does not reach.
    pub fn direct_map_limit(&self) -> u64 {
        const LEAST: u64 = 4 * GIGABYTE;
        self.frames.ranges().last().map_or(0, |range| range.end.get()).max(LEAST)
    }

    /// free(9). The memory is never handed out again, so that stale pointers find what freed
    /// memory held; pages of the kernel map are unmapped, as kmem_free does.
    ///
    /// # Errors
    /// `at` is not the start of a live allocation.
    pub fn free(&mut self, at: VirtAddr) -> Result<(), ImageError> {
        let allocation = self.heap.forget(at).ok_or(ImageError::BadFree(at))?;
        if self.options.trash_freed {
            self.write(at, &trash(allocation.size))?;
        }
        if at >= self.options.kernel_map {
            self.unmap_kernel_map(at, allocation.size);
        }
        Ok(())
    }

    /// The live objects of the heap, by address.
    pub fn allocations(&self) -> impl Iterator<Item = (VirtAddr, &Allocation)> {
        self.heap.live()
    }

    /// Where in physical memory the kernel address `at` lies.
    pub fn physical(&self, at: VirtAddr) -> Option<PhysAddr> {
        self.translate(at).map(|(phys, _)| phys)
    }

    /// Installed physical memory, ascending.
    pub fn memory_ranges(&self) -> impl Iterator<Item = Range<PhysAddr>> {
        self.frames.ranges()
    }

    /// The frames the kernel uses, ascending: what a minidump holds.
    pub fn frames_in_use(&self) -> impl Iterator<Item = PhysAddr> {
        self.frames.taken()
    }

    /// The frame at `at`, or `None` where it holds only zeros.
    pub fn frame(&self, at: PhysAddr) -> Option<&[u8; FRAME as usize]> {
        self.ram.frame(at)
    }

    /// The page-directory entries of the gigabyte at `at`.
    pub fn directory(&self, at: VirtAddr) -> Option<[u64; 512]> {
        self.tables.directory(&self.ram, at)
    }

    /// The page-table entries behind one page-directory entry.
    pub fn page_table(&self, directory_entry: u64) -> Option<[u64; 512]> {
        self.tables.table(&self.ram, directory_entry)
    }

    /// The physical address of `at`, and how many bytes from there on are contiguous.
    fn translate(&self, at: VirtAddr) -> Option<(PhysAddr, u64)> {
        if at >= amd64::DIRECT_MAP && at < amd64::DIRECT_MAP_END {
            let phys = at.offset_from(amd64::DIRECT_MAP)?;
            let range = self.frames.ranges().find(|r| r.contains(&PhysAddr::new(phys)))?;
            return Some((PhysAddr::new(phys), range.end.get() - phys));
        }
        let (start, run) = self.mapped.range(..=at.get()).next_back()?;
        let within = at.get() - start;
        (within < run.len).then(|| (run.to.wrapping_add(within), run.len - within))
    }

    fn map_directly(&mut self) -> Result<(), ImageError> {
        let end = self.direct_map_limit();
        let rights = Rights { write: true, execute: false };
        let size = if self.options.superpages { amd64::SIZE_1G } else { amd64::SIZE_2M };
        for phys in (0..end).step_by(size as usize) {
            let at = amd64::DIRECT_MAP.wrapping_add(phys);
            let to = PhysAddr::new(phys);
            self.tables.map(&mut self.ram, &mut self.frames, at, to, size, rights)?;
        }
        Ok(())
    }

    fn small(&mut self, bucket: u64) -> Result<VirtAddr, ImageError> {
        if let Some(item) = self.heap.cut(bucket) {
            return Ok(item);
        }
        let frame = self.frames.take_low()?;
        self.heap.add_slab(bucket, amd64::DIRECT_MAP.wrapping_add(frame.get()), FRAME);
        self.heap.cut(bucket).ok_or(ImageError::OutOfMemory { wanted: bucket, what: "heap" })
    }

    /// Whole pages in the kernel map, with an unmapped page behind them.
    fn kernel_map(&mut self, size: u64) -> Result<VirtAddr, ImageError> {
        let page = self.page_size();
        let pages = size.div_ceil(page);
        if pages > self.options.memory / page {
            return Err(ImageError::OutOfMemory { wanted: size, what: "physical memory" });
        }
        let start = self.next_kernel_map;
        let rights = Rights { write: true, execute: false };
        for number in 0..pages {
            let at = start.wrapping_add(number * page);
            let to = self.frames.take_high()?;
            self.tables.map(&mut self.ram, &mut self.frames, at, to, page, rights)?;
            self.mapped.insert(at.get(), Run { to, len: page });
        }
        self.next_kernel_map = start.wrapping_add((pages + 1) * page);
        Ok(start)
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

impl fmt::Debug for Machine {
    /// All but the memory itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("arch", &self.arch)
            .field("options", &self.options)
            .field("frames_in_use", &self.frames.taken().count())
            .finish_non_exhaustive()
    }
}

/// What a PC with `memory` bytes reports: holes for the video memory and for devices.
fn installed(memory: u64) -> Vec<Range<PhysAddr>> {
    let range = |range: Range<u64>| PhysAddr::new(range.start)..PhysAddr::new(range.end);
    let mut ranges = vec![range(0..LOW_MEMORY_END)];
    ranges.push(range(MEGABYTE..memory.min(DEVICE_HOLE.start)));
    if memory > DEVICE_HOLE.start {
        ranges.push(range(DEVICE_HOLE.end..DEVICE_HOLE.end + memory - DEVICE_HOLE.start));
    }
    ranges
}

/// `uma_junk`: what a kernel with INVARIANTS writes over freed memory.
fn trash(size: u64) -> Vec<u8> {
    let mut words = 0xdead_c0de_u32.to_le_bytes().repeat(size.div_ceil(4) as usize);
    words.truncate(size as usize);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(options: MachineOptions) -> Machine {
        let image = PhysAddr::new(2 * MEGABYTE)..PhysAddr::new(4 * MEGABYTE);
        Machine::new(Arch::Amd64, options, &[image]).unwrap()
    }

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
    fn numbers_cross_pages() {
        let mut machine = machine(MachineOptions::default());
        let block = machine.malloc("test", 2 * FRAME).unwrap();
        let at = block.wrapping_add(FRAME - 3);
        machine.set_uint(at, 8, 0x0102_0304_0506_0708).unwrap();
        assert_eq!(machine.uint(at, 8).unwrap(), 0x0102_0304_0506_0708);
        assert_eq!(machine.uint(at, 2).unwrap(), 0x0708);
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
    fn memory_above_three_gigabytes_continues_above_the_devices() {
        let machine = machine(MachineOptions { memory: 5 * GIGABYTE, ..Default::default() });
        let ranges: Vec<_> =
            machine.memory_ranges().map(|r| (r.start.get(), r.end.get())).collect();
        let gb = GIGABYTE;
        assert_eq!(ranges, [(0, 0x9f000), (MEGABYTE, 3 * gb), (4 * gb, 6 * gb)]);
        assert!(machine.physical(amd64::DIRECT_MAP.wrapping_add(0xa0000)).is_none());
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
