//! Where the memory of a running machine may be read.
//!
//! A memory device also reaches the registers of hardware, so nothing of it is read before it is
//! known to be memory. The kernel says where memory is, in `dump_avail`, and that can be read
//! once the kernel is found: by its virtual addresses in `kmem`, or at the few places where a
//! loader puts it.

use std::ops::Range;
use std::sync::Arc;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::{self, Core, MemorySegment};
use crate::kernel::Kernel;
use crate::paging::{KernelImage, Sample};
use crate::source::Source;
use crate::target::TargetError;
use crate::target::available::{LISTS, available};
use crate::target::image_samples::samples;
use crate::target::page_tables::{first_byte, kernphys, linked_places};

const PAGE: u64 = 4096;

/// Loaders put a relocatable amd64 kernel on a boundary of 2 MB below 4 GB
/// (`stand/efi/loader/copy.c`, 13.0). From 2 GB on there may be devices.
const BOUNDARY: u64 = 2 << 20;
const NO_DEVICES_BELOW: u64 = 2 << 30;

/// Opens the memory device `source` of the machine that runs `kernel`.
///
/// Only what the kernel says is memory is read of physical memory and, before that is known, the
/// places where its image may be: at `kernel_phys`, or else where a loader puts it. With
/// `segments`, only memory in these is read, at their places in the device.
///
/// # Errors
/// The kernel is at none of these places, or does not say where memory is.
pub fn live_core(
    kernel: &Kernel,
    source: &Arc<Source>,
    segments: &[MemorySegment],
    kernel_phys: Option<PhysAddr>,
) -> Result<Core, TargetError> {
    if source.is_by_virtual_address() {
        return Ok(dump::open_kernel_memory(Arc::clone(source), kernel.arch()));
    }
    let machine = Machine { kernel, source, segments };
    if let Some(memory) = machine.told_by_kmem() {
        return machine.open(&memory);
    }
    let mut silent = None;
    let image = Image::of(kernel)?;
    for phys in places(kernel, image.virt, kernel_phys) {
        match machine.memory_of(&image, phys) {
            None => {}
            Some(Ok(memory)) => {
                let mut core = machine.open(&memory)?;
                core.clues.image = Some((image.virt, phys));
                return Ok(core);
            }
            Some(Err(why)) => silent = Some(why),
        }
    }
    let looked = || TargetError::NotLoaded { looked: looked_at(kernel, image.virt, kernel_phys) };
    Err(silent.unwrap_or_else(looked))
}

/// A memory device and the kernel of its machine.
struct Machine<'a> {
    kernel: &'a Kernel,
    source: &'a Arc<Source>,
    segments: &'a [MemorySegment],
}

impl Machine<'_> {
    /// The device, of which only `memory` is read.
    fn open(&self, memory: &[Range<PhysAddr>]) -> Result<Core, TargetError> {
        let segments = within(memory, self.segments);
        let core = dump::open_raw(Arc::clone(self.source), self.kernel.arch(), &segments);
        core.map_err(|why| TargetError::NoMemoryList { why: why.to_string() })
    }

    /// Where memory is, if the device of virtual memory beside this one can be read.
    fn told_by_kmem(&self) -> Option<Vec<Range<PhysAddr>>> {
        let kmem = Arc::new(self.source.kernel_memory_beside()?);
        let core = dump::open_kernel_memory(kmem, self.kernel.arch());
        let read = |at: VirtAddr, bytes: &mut [u8]| {
            core.memory().read(PhysAddr::new(at.get()), bytes).is_ok()
        };
        available(self.kernel, &LISTS, read).ok()
    }

    /// Where memory is, if the kernel's image is at `phys`; `None` if it is not.
    fn memory_of(
        &self,
        image: &Image,
        phys: PhysAddr,
    ) -> Option<Result<Vec<Range<PhysAddr>>, TargetError>> {
        let end = phys.checked_add(image.len)?;
        let own = phys..end;
        let core = self.open(std::slice::from_ref(&own)).ok()?;
        let at = KernelImage { virt: image.virt, phys };
        let says_so = |variable| at.holds(core.memory(), variable, phys.get());
        let is_there = kernphys(self.kernel).is_none_or(says_so)
            && (image.samples.is_empty() || at.agrees(core.memory(), &image.samples));
        is_there.then(|| {
            let read = |variable: VirtAddr, bytes: &mut [u8]| {
                core.memory().read(at.phys(variable), bytes).is_ok()
            };
            let mut memory = available(self.kernel, &LISTS, read)?;
            // phys_avail leaves out what the loader put into memory.
            if !memory.iter().any(|range| range.start <= own.start && own.end <= range.end) {
                memory.push(own);
            }
            Ok(memory)
        })
    }
}

/// What is known of a kernel's image before it is found.
struct Image {
    virt: VirtAddr,
    /// Bytes in memory.
    len: u64,
    samples: Vec<Sample>,
}

impl Image {
    fn of(kernel: &Kernel) -> Result<Self, TargetError> {
        /// Kernels have about 30 MB.
        const LARGEST: u64 = 256 << 20;
        let (virt, _) = first_byte(kernel)?;
        let ends = kernel.segments().map(|segment| segment.virt.wrapping_add(segment.mem_size));
        let end = ends.max().or_else(|| {
            let symbols = kernel.symbols().iter().filter(|symbol| !symbol.absolute);
            symbols.map(|symbol| symbol.address.wrapping_add(symbol.size)).max()
        });
        let len = end.and_then(|end| end.offset_from(virt)).unwrap_or(0);
        Ok(Self { virt, len: len.min(LARGEST), samples: samples(kernel) })
    }
}

/// Where a loader puts the image of `kernel`, the likeliest place first. Kernels of arm and riscv
/// may be anywhere in memory, which begins where a machine's maker likes.
fn places(
    kernel: &Kernel,
    virt: VirtAddr,
    given: Option<PhysAddr>,
) -> Box<dyn Iterator<Item = PhysAddr> + '_> {
    if let Some(phys) = given {
        return Box::new(std::iter::once(phys));
    }
    let linked = first_byte(kernel).map_or(PhysAddr::new(BOUNDARY), |(_, phys)| phys);
    match kernel.arch() {
        Arch::Amd64 if kernphys(kernel).is_some() => {
            let steps = BOUNDARY..NO_DEVICES_BELOW;
            Box::new(steps.step_by(BOUNDARY as usize).map(PhysAddr::new))
        }
        Arch::Arm | Arch::Arm64 | Arch::Riscv64 => Box::new(std::iter::empty()),
        arch => Box::new(linked_places(arch, virt, linked)),
    }
}

/// The same in words.
fn looked_at(kernel: &Kernel, virt: VirtAddr, given: Option<PhysAddr>) -> String {
    let all: Vec<_> = places(kernel, virt, given).collect();
    match all.as_slice() {
        [] => {
            let arch = kernel.arch().name();
            format!("a loader may put a kernel of {arch} anywhere, so nothing was read")
        }
        [first, .., last] if all.len() > 3 => {
            format!("nothing of it is at the multiples of 2 MB from {first} to {last}")
        }
        few => {
            let few: Vec<_> = few.iter().map(ToString::to_string).collect();
            format!("nothing of it is at {}", few.join(" or "))
        }
    }
}

/// The parts of `memory` that are in `segments`, in whole pages; without segments, all of it, at
/// its own address in the device.
fn within(memory: &[Range<PhysAddr>], segments: &[MemorySegment]) -> Vec<MemorySegment> {
    let everywhere =
        [MemorySegment { phys: PhysAddr::new(0), len: u64::MAX, offset: FileOffset::new(0) }];
    let segments = if segments.is_empty() { &everywhere } else { segments };
    let mut parts = Vec::new();
    for segment in segments {
        let segment_end = segment.phys.get().saturating_add(segment.len);
        for range in memory {
            let start = range.start.get().max(segment.phys.get()).next_multiple_of(PAGE);
            let end = range.end.get().min(segment_end);
            let end = end - end % PAGE;
            if start < end {
                let phys = PhysAddr::new(start);
                let offset = segment.offset.wrapping_add(start - segment.phys.get());
                parts.push(MemorySegment { phys, len: end - start, offset });
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> Range<PhysAddr> {
        PhysAddr::new(start)..PhysAddr::new(end)
    }

    fn parts(memory: &[Range<PhysAddr>], segments: &[MemorySegment]) -> Vec<(u64, u64, u64)> {
        let parts = within(memory, segments).into_iter();
        parts.map(|part| (part.phys.get(), part.len, part.offset.get())).collect()
    }

    #[test]
    fn memory_is_read_in_whole_pages_and_where_a_map_has_it() {
        let memory = [range(0x1000, 0x9_f400), range(0x10_0001, 0x20_0000)];
        let all = [(0x1000, 0x9_e000, 0x1000), (0x10_1000, 0xf_f000, 0x10_1000)];
        assert_eq!(parts(&memory, &[]), all);
        let map = MemorySegment {
            phys: PhysAddr::new(0x9_0000),
            len: 0x8_0000,
            offset: FileOffset::new(0),
        };
        assert_eq!(parts(&memory, &[map]), [(0x9_0000, 0xf000, 0), (0x10_1000, 0xf000, 0x7_1000)]);
    }
}
