//! The simulated machine: physical memory, the kernel's page tables over it,
//! and the kernel's heap.
//!
//! All reads and writes of [`Machine`] are by kernel virtual address. They access
//! the frames in the page tables, so a reader that follows the tables in the dump
//! finds what was written here. The machine knows nothing about kernels,
//! symbols or types. An architecture is one `Space`: a file beside `amd64.rs`.

mod access;
pub(in crate::image) mod amd64;
pub(in crate::image) mod arm;
pub(in crate::image) mod arm64;
mod frames;
mod heap;
pub(in crate::image) mod i386;
mod malloc;
mod options;
pub(in crate::image) mod powerpc64;
mod processor;
mod ram;
pub(in crate::image) mod riscv64;
mod space;
mod tables;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use self::frames::Frames;
pub use self::heap::Allocation;
use self::heap::Heap;
pub use self::options::{MachineOptions, Paging};
pub use self::processor::Processor;
use self::processor::Processors;
use self::ram::Ram;
pub(in crate::image) use self::space::{Boot, ImagePlace, Layout, Memory, Rights, Space};
use self::tables::PageTables;
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::image::ImageError;

/// A simulated machine with a kernel address space.
pub struct Machine {
    arch: Arch,
    space: &'static dyn Space,
    options: MachineOptions,
    ram: Ram,
    frames: Frames,
    tables: PageTables,
    root_address: VirtAddr,
    image: Range<VirtAddr>,
    /// The physical memory that the direct map covers.
    direct: Range<PhysAddr>,
    /// Mapped runs outside the direct map, by first virtual address.
    mapped: BTreeMap<u64, Run>,
    kernel_map: VirtAddr,
    next_kernel_map: VirtAddr,
    /// Where the next module will be, if modules follow the image.
    next_module: VirtAddr,
    heap: Heap,
    processors: Processors,
}

/// Virtually and physically contiguous memory.
#[derive(Debug, Clone, Copy)]
struct Run {
    to: PhysAddr,
    len: u64,
}

/// A piece of the kernel image, in whole pages.
#[derive(Debug, Clone)]
pub(in crate::image) struct ImagePart {
    /// Its virtual address.
    pub at: VirtAddr,
    /// Its physical address.
    pub to: PhysAddr,
    /// Its length in bytes.
    pub len: u64,
    /// How it may be accessed.
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
/// Never covered by the kernel's own headers: the video memory and BIOS below 1 MB.
const LOW_MEMORY_END: u64 = 0x9f000;
/// Devices take the last gigabyte below 4 GB.
const DEVICE_HOLE: Range<u64> = 3 * GIGABYTE..4 * GIGABYTE;
const LARGEST_MEMORY: u64 = 1 << 40;

impl Machine {
    /// A machine with the kernel image `image` in memory that nothing else may use. The
    /// topmost page table is at `root` in it, if the kernel has a place for it.
    ///
    /// # Errors
    /// The memory is too small for the image, or unreasonably large.
    pub(in crate::image) fn new(
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
            next_module: image_end,
            heap: Heap::default(),
            processors: Processors::new(),
        };
        machine.map_directly()?;
        image.iter().try_for_each(|part| machine.map_image(part))?;
        machine.map_root(root_place.is_some())?;
        Ok(machine)
    }

    /// The architecture.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The options that the machine was made with.
    pub fn options(&self) -> &MachineOptions {
        &self.options
    }

    /// The features of the architecture.
    pub(in crate::image) fn space(&self) -> &'static dyn Space {
        self.space
    }

    /// Size of a page of the kernel map, in bytes.
    pub fn page_size(&self) -> u64 {
        self.space.layout().page
    }

    /// The physical address of the topmost page table.
    pub fn root(&self) -> PhysAddr {
        self.tables.root()
    }

    /// What the kernel's boot code knows when the image is loaded at `load`.
    pub(in crate::image) fn boot(&self, load: PhysAddr) -> Boot {
        let root = self.root();
        let below = |at| self.tables.table(&self.ram, at, 1).unwrap_or(root);
        Boot {
            root,
            root_address: self.root_address,
            below_root: below(self.image.start),
            first_below: below(VirtAddr::new(0)),
            load,
            direct: self.direct.clone(),
            direct_end: self.direct_address(self.direct.end).unwrap_or_default(),
        }
    }

    /// The addresses of the kernel image, in whole large pages.
    pub fn image(&self) -> Range<VirtAddr> {
        self.image.clone()
    }

    /// The physical memory that the direct map covers.
    pub fn direct(&self) -> Range<PhysAddr> {
        self.direct.clone()
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

    /// Maps a piece of the kernel image, with large pages if they fit.
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

    /// Maps the topmost table in the kernel's address space, unless it is in the image.
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

/// The ranges of `memory` bytes of memory. A PC has holes for the video memory and for devices.
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

/// The physical memory that the direct map covers.
fn direct_range(layout: &Layout, frames: &Frames) -> Range<PhysAddr> {
    let first = frames.ranges().next().map_or(0, |range| range.start.get());
    let end = frames.ranges().last().map_or(0, |range| range.end.get());
    let start = PhysAddr::new(first).page_start(layout.direct_align);
    start..PhysAddr::new(end.max(layout.direct_least))
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

    #[test]
    fn memory_above_three_gigabytes_continues_above_the_devices() {
        let machine = machine(MachineOptions { memory: 5 * GIGABYTE, ..Default::default() });
        let ranges: Vec<_> =
            machine.memory_ranges().map(|r| (r.start.get(), r.end.get())).collect();
        let gb = GIGABYTE;
        assert_eq!(ranges, [(0, 0x9f000), (MEGABYTE, 3 * gb), (4 * gb, 6 * gb)]);
        assert!(machine.physical(amd64::DIRECT_MAP.wrapping_add(0xa0000)).is_none());
    }
}
