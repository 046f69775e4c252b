//! A kernel in the machine's memory, as the boot loader and the first
//! instructions of the kernel leave it.
//!
//! The segments of the ELF file are copied to where the machine has them, what
//! the file does not hold is zero, and the few variables by which a debugger
//! finds the page tables are set. Values are set by name through the kernel's
//! own types: see [`Loaded::object`] and `object.rs`.

use std::ops::Range;

use crate::addr::{PhysAddr, VirtAddr};
use crate::image::ImageError;
use crate::image::machine::amd64::{self, Rights, SIZE_2M, SIZE_4K};
use crate::image::machine::{Machine, MachineOptions};
use crate::kernel::{Kernel, Segment};
use crate::types::Types;

/// A kernel that has been loaded into a machine.
#[derive(Debug)]
pub struct Loaded {
    kernel: Kernel,
    types: Types,
    machine: Machine,
}

/// A kernel image larger than this is a damaged file.
const LARGEST_IMAGE: u64 = 512 << 20;

impl Loaded {
    /// Loads `kernel` so that its text starts at physical address `load` (a multiple of 2 MB;
    /// FreeBSD's boot loader uses 2 MB, newer ones relocate).
    ///
    /// # Errors
    /// The kernel has no contents or no debug information, lies where no kernel can, or does not
    /// fit in the memory.
    pub fn load(
        kernel: Kernel,
        options: MachineOptions,
        load: PhysAddr,
    ) -> Result<Self, ImageError> {
        if load.page_offset(SIZE_2M) != 0 || load.is_null() {
            let why = format!("it cannot start at physical {load}, which is no multiple of 2 MB");
            return Err(ImageError::Load(why));
        }
        let types = Types::load(&kernel)?;
        let runs = runs(&kernel, &options)?;
        let image = runs.iter().map(|run| run.physical(load)).collect::<Option<Vec<_>>>();
        let image = image.ok_or_else(|| ImageError::Load("it is linked below KERNBASE".into()))?;
        let mut machine = Machine::new(kernel.arch(), options, &image)?;
        for (run, physical) in runs.iter().zip(&image) {
            machine.map_image(run.start, physical.start, run.size, run.rights)?;
        }
        for segment in kernel.segments() {
            machine.write(segment.virt, segment.bytes)?;
        }
        let mut loaded = Self { kernel, types, machine };
        let limit = loaded.machine.direct_map_limit();
        for (name, value) in loaded.machine.tables().boot_variables(load, limit) {
            loaded.set_symbol(name, value)?;
        }
        Ok(loaded)
    }

    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    pub fn types(&self) -> &Types {
        &self.types
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Stores a number in the variable `name` if the kernel has it, by its symbol alone. False
    /// where it has none, or the symbol is an absolute one such as 12.1's `kernphys`.
    pub fn set_symbol(&mut self, name: &str, value: u64) -> Result<bool, ImageError> {
        let Some(symbol) = self.kernel.symbol(name) else { return Ok(false) };
        let (address, size) = (symbol.address, symbol.size);
        if !matches!(size, 1..=8) || self.machine.physical(address).is_none() {
            return Ok(false);
        }
        self.machine.set_uint(address, size, value)?;
        Ok(true)
    }
}

/// Pages of the kernel image that are mapped alike.
#[derive(Debug)]
struct PageRun {
    start: VirtAddr,
    size: u64,
    rights: Rights,
}

impl PageRun {
    fn physical(&self, load: PhysAddr) -> Option<Range<PhysAddr>> {
        let start = amd64::load_address(self.start, load)?;
        Some(start..start.checked_add(self.size)?)
    }
}

/// The pages that the segments take up. With 2M pages text and data share one writable mapping,
/// as before 12.0; with 4K pages each segment has its own rights.
fn runs(kernel: &Kernel, options: &MachineOptions) -> Result<Vec<PageRun>, ImageError> {
    let segments: Vec<_> = kernel.segments().filter(|segment| segment.mem_size > 0).collect();
    if kernel.contents().is_none() {
        let why = "the file has no contents; name the kernel itself beside its debug file";
        return Err(ImageError::Load(why.into()));
    }
    let mut ranges = segments.iter().map(pages).collect::<Option<Vec<_>>>().unwrap_or_default();
    ranges.sort_by_key(|(range, _)| range.start);
    let (Some((first, _)), Some((last, _))) = (ranges.first(), ranges.last()) else {
        return Err(ImageError::Load("a segment of it wraps around the address space".into()));
    };
    let whole = first.start & !(SIZE_2M - 1)..last.end.next_multiple_of(SIZE_2M);
    if whole.end - whole.start > LARGEST_IMAGE {
        return Err(ImageError::Load(format!("it spans {:#x} bytes", whole.end - whole.start)));
    }
    if options.superpages {
        ranges = vec![(whole, Rights { write: true, execute: true })];
    }
    let mut end = 0;
    let run = |(range, rights): (Range<u64>, Rights)| {
        let start = range.start.max(end);
        end = range.end.max(end);
        PageRun { start: VirtAddr::new(start), size: range.end.saturating_sub(start), rights }
    };
    Ok(ranges.into_iter().map(run).filter(|run| run.size > 0).collect())
}

fn pages(segment: &Segment<'_>) -> Option<(Range<u64>, Rights)> {
    let start = segment.virt.get();
    // The last page of the address space is never part of a kernel.
    let end = start.checked_add(segment.mem_size)?.checked_next_multiple_of(SIZE_2M)?;
    let end = end.min((start + segment.mem_size).next_multiple_of(SIZE_4K));
    let rights = Rights { write: segment.writable, execute: segment.executable };
    Some((start & !(SIZE_4K - 1)..end, rights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    const LOAD: PhysAddr = amd64::LOAD_ADDRESS;

    fn kernel(name: &str) -> Kernel {
        Kernel::open(Source::open(format!("fixtures/kernel/{name}")).unwrap(), None).unwrap()
    }

    fn refused(name: &str, options: MachineOptions, load: PhysAddr) -> String {
        Loaded::load(kernel(name), options, load).unwrap_err().to_string()
    }

    #[test]
    fn segments_lie_where_the_loader_puts_them() {
        let load = PhysAddr::new(6 << 20);
        let name = "newer-clang-dwarf4";
        let loaded = Loaded::load(kernel(name), MachineOptions::default(), load).unwrap();
        for segment in loaded.kernel().segments() {
            let mut bytes = vec![0; segment.mem_size as usize];
            loaded.machine().read(segment.virt, &mut bytes).unwrap();
            let text = segment.virt.get() - 0xffff_ffff_8020_0000 + load.get();
            assert_eq!(loaded.machine().physical(segment.virt), Some(PhysAddr::new(text)));
            let (file, zeros) = bytes.split_at(segment.bytes.len());
            // What boot sets lies in .data and .bss.
            assert!(segment.writable || file == segment.bytes);
            assert!(zeros.iter().filter(|byte| **byte != 0).count() < 64);
        }
        let at = |name| loaded.kernel().symbol(name).unwrap().address;
        assert_eq!(loaded.machine().uint(at("kernphys"), 8).unwrap(), load.get());
        let root = loaded.machine().tables().root().get();
        assert_eq!(loaded.machine().uint(at("KPML4phys"), 8).unwrap(), root);
    }

    #[test]
    fn an_absolute_kernphys_is_no_variable() {
        let mut loaded =
            Loaded::load(kernel("classic-clang-dwarf4"), MachineOptions::default(), LOAD).unwrap();
        assert!(!loaded.set_symbol("kernphys", 1).unwrap());
        assert!(!loaded.set_symbol("no_such_symbol", 1).unwrap());
        assert!(loaded.set_symbol("mp_maxid", 1).unwrap());
    }

    #[test]
    fn a_kernel_that_cannot_be_loaded_is_refused() {
        let usual = MachineOptions::default;
        let classic = "classic-clang-dwarf4";
        let odd = refused(classic, usual(), PhysAddr::new(0x10_0000));
        assert!(odd.contains("multiple of 2 MB"), "{odd}");
        assert!(refused(classic, usual(), PhysAddr::new(4 << 30)).contains("physical memory"));
        let small = MachineOptions { memory: 4 << 20, ..usual() };
        assert!(refused(classic, small, LOAD).contains("physical memory"));
        let far = MachineOptions { kernel_map: KERNBASE_BELOW, ..usual() };
        assert!(refused(classic, far, LOAD).contains("kernel map"));
        assert!(refused("small-nodebug", usual(), LOAD).contains("no debug information"));
        let debug_only = refused("small-split/kernel.debug", usual(), LOAD);
        assert!(debug_only.contains("no contents"), "{debug_only}");
    }

    const KERNBASE_BELOW: VirtAddr = VirtAddr::new(0xffff_f800_0000_0000);

    #[test]
    fn the_halves_of_a_split_kernel_make_one() {
        let open = |name| Source::open(format!("fixtures/kernel/small-split/{name}")).unwrap();
        let joined = Kernel::open(open("kernel"), Some(open("kernel.debug"))).unwrap();
        let loaded = Loaded::load(joined, MachineOptions::default(), LOAD).unwrap();
        let version = loaded.variable("version").unwrap();
        let mut text = [0; 7];
        loaded.machine().read(version.address, &mut text).unwrap();
        assert_eq!(&text, b"FreeBSD");
    }
}
