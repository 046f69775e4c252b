//! The simulated machine: physical memory, the kernel's page tables over it,
//! and the kernel's heap.
//!
//! All reads and writes of [`Machine`] are by kernel virtual address and go to
//! the same frames that the page tables name, so what is written here is what
//! any reader finds through the tables in the dump. It knows nothing of kernels,
//! symbols or types. An architecture is one [`Space`]: a file beside `amd64.rs`.

pub mod amd64;
pub mod arm;
pub mod arm64;
mod frames;
mod heap;
pub mod i386;
mod options;
pub mod powerpc64;
mod ram;
pub mod riscv64;
mod space;
mod tables;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use self::frames::Frames;
pub use self::heap::Allocation;
use self::heap::Heap;
pub use self::options::{MachineOptions, Paging};
use self::ram::Ram;
pub use self::space::{Boot, Entry, ImagePlace, Layout, Level, Memory, Rights, Space};
use self::tables::PageTables;
pub use self::tables::entry_bytes;
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::image::ImageError;

/// A machine with a kernel address space in it.
pub struct Machine {
    arch: Arch,
    space: &'static dyn Space,
    options: MachineOptions,
    ram: Ram,
    frames: Frames,
    tables: PageTables,
    root_address: VirtAddr,
    image: Range<VirtAddr>,
    /// What physical memory the direct map covers.
    direct: Range<PhysAddr>,
    /// Mapped runs outside the direct map, by first virtual address.
    mapped: BTreeMap<u64, Run>,
    kernel_map: VirtAddr,
    next_kernel_map: VirtAddr,
    heap: Heap,
}

/// Virtually and physically contiguous memory.
#[derive(Debug, Clone, Copy)]
struct Run {
    to: PhysAddr,
    len: u64,
}

/// A piece of the kernel image, in whole pages.
#[derive(Debug, Clone)]
pub struct ImagePart {
    pub at: VirtAddr,
    pub to: PhysAddr,
    pub len: u64,
    pub rights: Rights,
}

impl ImagePart {
    fn physical(&self, at: VirtAddr) -> Option<PhysAddr> {
        let offset = at.offset_from(self.at).filter(|offset| *offset < self.len)?;
        self.to.checked_add(offset)
    }
}

const MEGABYTE: u64 = 1 << 20;
const GIGABYTE: u64 = 1 << 30;
/// What the kernel's own headers never cover: the video memory and BIOS below 1 MB.
const LOW_MEMORY_END: u64 = 0x9f000;
/// Devices take the last gigabyte below 4 GB.
const DEVICE_HOLE: Range<u64> = 3 * GIGABYTE..4 * GIGABYTE;
const LARGEST_MEMORY: u64 = 1 << 40;

impl Machine {
    /// A machine with the kernel image `image` in its memory, which nothing else may use. The
    /// topmost page table lies at `root` in it, if the kernel has a place for it.
    ///
    /// # Errors
    /// The memory is too small for it, or absurdly large.
    pub fn new(
        arch: Arch,
        options: MachineOptions,
        image: &[ImagePart],
        root: Option<VirtAddr>,
    ) -> Result<Self, ImageError> {
        let space = options.space(arch)?;
        let layout = space.layout();
        let mut ram = Ram::default();
        let mut frames = Frames::new(&installed(options.memory, layout.memory)?, layout.page);
        for part in image {
            let end = part.to.checked_add(part.len).unwrap_or(part.to);
            frames.reserve(part.to..end)?;
        }
        let in_image = |at| image.iter().find_map(|part| part.physical(at));
        let root_place = root.and_then(in_image).filter(|at| at.page_offset(layout.page) == 0);
        let tables = PageTables::new(space, root_place, &mut ram, &mut frames)?;
        let image_start = image.iter().map(|part| part.at).min().unwrap_or(layout.kernel_map.start);
        let image_end = image.iter().map(|part| part.at.wrapping_add(part.len)).max();
        let image_end = image_end.unwrap_or(image_start);
        let kernel_map = kernel_map_start(layout, &options, image_end)?;
        let mut machine = Self {
            arch,
            space,
            direct: direct_range(layout, &frames),
            ram,
            frames,
            tables,
            root_address: root.filter(|_| root_place.is_some()).unwrap_or_default(),
            image: image_start..image_end,
            options,
            mapped: BTreeMap::new(),
            kernel_map,
            next_kernel_map: kernel_map,
            heap: Heap::default(),
        };
        machine.map_directly()?;
        image.iter().try_for_each(|part| machine.map_image(part))?;
        machine.map_root(root_place.is_some())?;
        Ok(machine)
    }

    pub fn arch(&self) -> Arch {
        self.arch
    }

    pub fn options(&self) -> &MachineOptions {
        &self.options
    }

    /// What is peculiar to the architecture.
    pub fn space(&self) -> &'static dyn Space {
        self.space
    }

    /// Size of a page of the kernel map, in bytes.
    pub fn page_size(&self) -> u64 {
        self.space.layout().page
    }

    /// The topmost page table.
    pub fn root(&self) -> PhysAddr {
        self.tables.root()
    }

    /// What the kernel's boot code knows when the image is loaded at `load`.
    pub fn boot(&self, load: PhysAddr) -> Boot {
        let root = self.root();
        let below = |at| self.tables.table(&self.ram, at, 1).unwrap_or(root);
        Boot {
            root,
            root_address: self.root_address,
            below_root: below(self.image.start),
            first_below: below(VirtAddr::new(0)),
            load,
            image: self.image.clone(),
            direct: self.direct.clone(),
            direct_end: self.direct_address(self.direct.end).unwrap_or_default(),
        }
    }

    /// The part of the address space where the kernel image lies, in large pages.
    pub fn image(&self) -> Range<VirtAddr> {
        self.image.clone()
    }

    /// What physical memory the direct map covers.
    pub fn direct(&self) -> Range<PhysAddr> {
        self.direct.clone()
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
        self.write(at, &entry_bytes(value, size, self.arch.endian()))
    }

    /// The pointer stored at `at`.
    pub fn pointer(&self, at: VirtAddr) -> Result<VirtAddr, ImageError> {
        self.uint(at, self.arch.pointer_size()).map(VirtAddr::new)
    }

    /// Stores a pointer at `at`.
    pub fn set_pointer(&mut self, at: VirtAddr, to: VirtAddr) -> Result<(), ImageError> {
        self.set_uint(at, self.arch.pointer_size(), to.get())
    }

    /// Fills `len` bytes at `at` with `pattern`, in the machine's byte order.
    pub fn fill(&mut self, at: VirtAddr, len: u64, pattern: u32) -> Result<(), ImageError> {
        let word = entry_bytes(pattern.into(), 4, self.arch.endian());
        let mut bytes = word.repeat(len.div_ceil(4) as usize);
        bytes.truncate(len as usize);
        self.write(at, &bytes)
    }

    /// malloc(9) with M_ZERO: objects of up to 4 KB lie in the direct map, if there is one,
    /// larger ones in the kernel map. `kind` is the malloc type's name.
    pub fn malloc(&mut self, kind: &'static str, size: u64) -> Result<VirtAddr, ImageError> {
        let at = if size <= Heap::LARGEST_SMALL {
            self.small(Heap::bucket(size))?
        } else {
            self.kernel_map(size)?
        };
        self.heap.record(at, kind, size);
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
        let at = match self.direct_address(first) {
            Some(at) => at,
            None => self.enter(&[Run { to: first, len }])?,
        };
        self.heap.record(at, kind, size);
        Ok(at)
    }

    /// Where the kernel map starts.
    pub fn kernel_map_start(&self) -> VirtAddr {
        self.kernel_map
    }

    /// Where the next block of the kernel map will lie.
    pub fn kernel_map_end(&self) -> VirtAddr {
        self.next_kernel_map
    }

    /// Where the page tables of the kernel map end: `kernel_vm_end`.
    pub fn kernel_vm_end(&self) -> VirtAddr {
        let align = last_table(self.space);
        VirtAddr::new(self.next_kernel_map.get().next_multiple_of(align))
    }

    /// free(9). The memory is never handed out again, so that stale pointers find what freed
    /// memory held; pages of the kernel map are unmapped, as kmem_free does.
    ///
    /// # Errors
    /// `at` is not the start of a live allocation.
    pub fn free(&mut self, at: VirtAddr) -> Result<(), ImageError> {
        let allocation = self.heap.forget(at).ok_or(ImageError::BadFree(at))?;
        if self.options.trash_freed {
            self.fill(at, allocation.size, TRASH)?;
        }
        if at >= self.kernel_map && allocation.size > Heap::LARGEST_SMALL {
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

    /// The pages mapped outside of the direct map, by address: where each lies in physical memory.
    pub fn mapped_pages(&self) -> impl Iterator<Item = (VirtAddr, PhysAddr)> {
        let page = self.page_size();
        self.mapped.iter().flat_map(move |(at, run)| {
            let count = run.len.div_ceil(page);
            let at = VirtAddr::new(*at);
            let to = run.to;
            (0..count).map(move |n| (at.wrapping_add(n * page), to.wrapping_add(n * page)))
        })
    }

    /// The frames the kernel uses, ascending: what a minidump holds.
    pub fn frames_in_use(&self) -> impl Iterator<Item = PhysAddr> {
        self.frames.taken()
    }

    /// The bytes of physical memory at `at`; what is not installed reads as zeros.
    pub fn read_physical(&self, at: PhysAddr, buf: &mut [u8]) {
        self.ram.read(at, buf);
    }

    /// Was any byte of the page at `at` ever written?
    pub fn is_touched(&self, at: PhysAddr) -> bool {
        self.ram.is_touched(at, self.page_size())
    }

    /// The entries of the table of level number `level` (0 is the topmost) that covers `at`.
    /// Larger pages are split up, as the kernel's dump code does.
    pub fn entries(&self, at: VirtAddr, level: usize) -> Option<Vec<u64>> {
        self.tables.entries(&self.ram, at, level)
    }

    /// The physical address of `at`, and how many bytes from there on are contiguous.
    fn translate(&self, at: VirtAddr) -> Option<(PhysAddr, u64)> {
        if let Some(map) = self.space.layout().direct_map.as_ref().filter(|map| map.contains(&at)) {
            let phys = self.direct.start.checked_add(at.offset_from(map.start)?)?;
            let range = self.frames.ranges().find(|range| range.contains(&phys))?;
            return Some((phys, range.end.offset_from(phys)?));
        }
        let (start, run) = self.mapped.range(..=at.get()).next_back()?;
        let within = at.get() - start;
        (within < run.len).then(|| (run.to.wrapping_add(within), run.len - within))
    }

    /// Where the direct map has the physical address `at`, if there is one.
    pub fn direct_address(&self, at: PhysAddr) -> Option<VirtAddr> {
        let map = self.space.layout().direct_map.as_ref()?;
        Some(map.start.wrapping_add(at.offset_from(self.direct.start)?))
    }

    fn map_directly(&mut self) -> Result<(), ImageError> {
        let layout = self.space.layout();
        if layout.direct_map.is_none() {
            return Ok(());
        }
        let size = layout.direct_pages[usize::from(!self.options.superpages)];
        let ranges: Vec<_> = match layout.direct_least {
            0 => self.frames.ranges().collect(),
            _ => vec![self.direct.clone()],
        };
        for range in ranges {
            for phys in (range.start.page_start(size).get()..range.end.get()).step_by(size as usize)
            {
                let to = PhysAddr::new(phys);
                let at = self.direct_address(to).unwrap_or_default();
                self.map_page(at, to, size, Rights::DATA)?;
            }
        }
        Ok(())
    }

    /// Maps a piece of the kernel image, with large pages where they fit.
    fn map_image(&mut self, part: &ImagePart) -> Result<(), ImageError> {
        let layout = self.space.layout();
        if layout.direct_map.as_ref().is_some_and(|map| map.contains(&part.at)) {
            return Ok(());
        }
        let large = layout.image.page;
        let fits = (part.at.get() | part.to.get() | part.len).is_multiple_of(large);
        let size = if self.options.superpages && fits { large } else { layout.page };
        for done in (0..part.len).step_by(size as usize) {
            let (at, to) = (part.at.wrapping_add(done), part.to.wrapping_add(done));
            self.map_page(at, to, size, part.rights)?;
        }
        self.mapped.insert(part.at.get(), Run { to: part.to, len: part.len });
        Ok(())
    }

    /// Makes the topmost table part of the kernel's address space, unless it lies in the image.
    fn map_root(&mut self, in_image: bool) -> Result<(), ImageError> {
        if in_image {
            return Ok(());
        }
        let to = self.root();
        let bytes = self.space.levels().first().map_or(1, |top| top.entries);
        let bytes = bytes * self.space.layout().entry_size;
        let direct = self.direct_address(to).filter(|_| !self.space.root_in_kernel_map());
        self.root_address = match direct {
            Some(at) => at,
            None => self.enter(&[Run { to, len: bytes.next_multiple_of(self.page_size()) }])?,
        };
        Ok(())
    }

    fn map_page(
        &mut self,
        at: VirtAddr,
        to: PhysAddr,
        size: u64,
        rights: Rights,
    ) -> Result<(), ImageError> {
        self.tables.map(&mut self.ram, &mut self.frames, at, to, size, rights)
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
        self.heap.cut(bucket).ok_or(ImageError::OutOfMemory { wanted: bucket, what: "heap" })
    }

    /// Whole pages in the kernel map, with an unmapped page behind them.
    fn kernel_map(&mut self, size: u64) -> Result<VirtAddr, ImageError> {
        let page = self.page_size();
        let pages = size.div_ceil(page);
        if pages > self.options.memory / page {
            return Err(ImageError::OutOfMemory { wanted: size, what: "physical memory" });
        }
        let runs = (0..pages)
            .map(|_| Ok(Run { to: self.frames.take_high()?, len: page }))
            .collect::<Result<Vec<_>, ImageError>>()?;
        self.enter(&runs)
    }

    /// Maps physical memory at the end of the kernel map.
    fn enter(&mut self, runs: &[Run]) -> Result<VirtAddr, ImageError> {
        let page = self.page_size();
        let start = self.next_kernel_map;
        for run in runs {
            if self.next_kernel_map.wrapping_add(run.len) >= self.space.layout().kernel_map.end {
                let what = "kernel address space";
                return Err(ImageError::OutOfMemory { wanted: run.len, what });
            }
            for done in (0..run.len).step_by(page as usize) {
                let (at, to) = (self.next_kernel_map, run.to.wrapping_add(done));
                self.map_page(at, to, page, Rights::DATA)?;
                self.mapped.insert(at.get(), Run { to, len: page });
                self.next_kernel_map = at.wrapping_add(page);
            }
        }
        self.next_kernel_map = self.next_kernel_map.wrapping_add(page);
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

/// What a kernel with INVARIANTS writes over freed memory (`uma_junk`).
const TRASH: u32 = 0xdead_c0de;

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

/// Where a machine has `memory` bytes of it. A PC has holes for the video memory and for devices.
fn installed(memory: u64, place: Memory) -> Result<Vec<Range<PhysAddr>>, ImageError> {
    if !(4 * MEGABYTE..=LARGEST_MEMORY).contains(&memory) || !memory.is_multiple_of(MEGABYTE) {
        let why = "it must be whole megabytes, from 4 MB to 1 TB";
        return Err(ImageError::BadMemorySize { bytes: memory, why });
    }
    let range = |range: Range<u64>| PhysAddr::new(range.start)..PhysAddr::new(range.end);
    if let Memory::From(start) = place {
        return Ok(vec![start..start.wrapping_add(memory)]);
    }
    let mut ranges = vec![range(0..LOW_MEMORY_END)];
    ranges.push(range(MEGABYTE..memory.min(DEVICE_HOLE.start)));
    if memory > DEVICE_HOLE.start {
        ranges.push(range(DEVICE_HOLE.end..DEVICE_HOLE.end + memory - DEVICE_HOLE.start));
    }
    Ok(ranges)
}

/// What physical memory the direct map covers.
fn direct_range(layout: &Layout, frames: &Frames) -> Range<PhysAddr> {
    let first = frames.ranges().next().map_or(0, |range| range.start.get());
    let end = frames.ranges().last().map_or(0, |range| range.end.get());
    let start = PhysAddr::new(first).page_start(layout.direct_align);
    start..PhysAddr::new(end.max(layout.direct_least))
}

/// What the tables of the last level cover, as many as make a page, in bytes.
fn last_table(space: &dyn Space) -> u64 {
    let layout = space.layout();
    space.levels().last().map_or(1, |level| {
        let pageful = layout.page / (level.entries * layout.entry_size);
        level.span * level.entries * pageful.max(1)
    })
}

fn kernel_map_start(
    layout: &Layout,
    options: &MachineOptions,
    image_end: VirtAddr,
) -> Result<VirtAddr, ImageError> {
    let align = layout.kernel_map_align;
    let behind = || layout.kernel_map.start.max(image_end).get().next_multiple_of(align);
    let usual = || layout.kernel_map_start.unwrap_or_else(|| VirtAddr::new(behind()));
    let start = options.kernel_map.unwrap_or_else(usual);
    let clear = layout.kernel_map_start.is_some() || start >= image_end;
    if !layout.kernel_map.contains(&start) || start.page_offset(align) != 0 || !clear {
        let allowed = layout.kernel_map.clone();
        return Err(ImageError::BadKernelMap { at: start, allowed, align });
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

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
