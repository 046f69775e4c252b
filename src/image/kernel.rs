//! A kernel in the machine's memory, as the boot loader and the first
//! instructions of the kernel leave it.
//!
//! The segments of the ELF file are copied to their place in the machine, the rest of each
//! segment is zero, and the few variables that lead a debugger
//! to the page tables are set. Values are set by name through the kernel's
//! own types: see [`LoadedKernel::object`] and `object.rs`.

use std::ops::Range;
use std::sync::Arc;

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::bytes::Fields;
use crate::image::ImageError;
use crate::image::machine::{
    ImagePart, ImagePlace, Machine, MachineOptions, Paging, Rights, Space,
};
use crate::kernel::{ElfFile, Kernel, Segment, Symbol};
use crate::types::{Format, ModuleTypes, SectionAddress, TypeError, Types};

/// A kernel that has been loaded into a machine.
#[derive(Debug)]
pub struct LoadedKernel {
    kernel: Kernel,
    types: Types,
    machine: Machine,
    /// The distance from its link address to where it runs, modulo 2^64.
    displacement: u64,
}

/// A larger kernel image means a damaged file.
const LARGEST_IMAGE: u64 = 512 << 20;

impl LoadedKernel {
    /// Loads `kernel` where the options say, or where the boot loader would put it.
    ///
    /// # Errors
    /// The kernel has no contents or no debug information, is linked at an impossible address, or
    /// does not fit in the memory.
    pub fn load(kernel: Kernel, options: MachineOptions) -> Result<Self, ImageError> {
        let types = Types::load(&kernel)?;
        let options = MachineOptions { paging: options.paging.or(paging_of(&kernel)), ..options };
        let space = options.space(kernel.arch())?;
        let place = space.layout().image;
        let load = options.load.unwrap_or(place.loaded);
        check_place(place, load)?;
        let image = image(&kernel, &options, space, load)?;
        let root = space.root_symbol().and_then(|name| kernel.symbol(name));
        let displacement = space.displacement(load);
        let root = root.map(|symbol| symbol.address.wrapping_add(displacement));
        let machine = Machine::new(kernel.arch(), options, &image, root)?;
        let mut loaded = Self { kernel, types, machine, displacement };
        loaded.copy_segments()?;
        let boot = loaded.machine.boot(load);
        for (name, value) in space.boot_variables(&boot) {
            loaded.set_boot_variable(name, value)?;
        }
        Ok(loaded)
    }

    /// The kernel's file, at its link addresses.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The types of the kernel and of the modules loaded so far.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// Adds the types of a module, like [`ModuleTypes::add`].
    ///
    /// # Errors
    /// As there.
    pub(super) fn add_types(
        &mut self,
        elf: &ElfFile,
        image: Range<u64>,
        placed: SectionAddress<'_>,
    ) -> Result<Arc<Types>, TypeError> {
        let mut modules = ModuleTypes::of(&self.types);
        let format = Format::of(elf, None).ok_or(TypeError::NoDebugInfo)?;
        let added = modules.add(elf, format, image, placed)?;
        self.types = self.types.with_modules(modules);
        Ok(added)
    }

    /// The machine that the kernel is loaded into.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine, for changes to its memory.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// The running address of the byte that is linked at `at`.
    pub fn running(&self, at: VirtAddr) -> VirtAddr {
        at.wrapping_add(self.displacement)
    }

    /// The running address of the symbol `name`; `None` if the kernel has no such symbol.
    pub fn address_of(&self, name: &str) -> Option<VirtAddr> {
        self.kernel.symbol(name).map(|symbol| self.running(symbol.address))
    }

    /// The symbol whose bytes contain the address `at` of the running kernel, and the offset from
    /// its start.
    pub fn symbol_at(&self, at: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.kernel.symbolize(VirtAddr::new(at.get().wrapping_sub(self.displacement)))
    }

    /// Stores a number in the variable `name`, by its symbol alone. Returns false if the kernel has
    /// none, or only an absolute symbol such as 12.1's `kernphys`.
    pub fn set_symbol(&mut self, name: &str, value: u64) -> Result<bool, ImageError> {
        let Some(symbol) = self.kernel.symbol(name) else { return Ok(false) };
        let (address, size) = (self.running(symbol.address), symbol.size);
        // A label in assembly code has no size.
        let size = if size == 0 { self.machine.arch().pointer_size() } else { size };
        if size > 8 || self.machine.physical(address).is_none() {
            return Ok(false);
        }
        self.machine.set_uint(address, size, value)?;
        Ok(true)
    }

    /// The same for a variable or, by the debug information, for a member of one.
    fn set_boot_variable(&mut self, path: &str, value: u64) -> Result<(), ImageError> {
        let Some((name, member)) = path.split_once('.') else {
            return self.set_symbol(path, value).map(|_| ());
        };
        match self.variable(name) {
            Ok(variable) => self.set_if_any(variable, member, value),
            Err(ImageError::Type(TypeError::NotFound { .. })) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Does the work of the boot loader: copies the segments, then corrects the pointers in them
    /// if the kernel does not run at its link address.
    fn copy_segments(&mut self) -> Result<(), ImageError> {
        for segment in self.kernel.segments() {
            let at = segment.virt.wrapping_add(self.displacement);
            self.machine.write(at, segment.bytes)?;
        }
        let Some(elf) = self.kernel.contents() else { return Ok(()) };
        let Some(section) = elf.section(".rela.dyn") else { return Ok(()) };
        let displacement = self.displacement;
        let fields = Fields::new(elf.raw_bytes(section).unwrap_or_default(), elf.arch().endian());
        let mut offset = 0;
        while let Some(addend) = fields.u64(offset + 16) {
            let (at, info) = (fields.u64(offset).unwrap_or(0), fields.u64(offset + 8).unwrap_or(0));
            if info == R_PPC64_RELATIVE {
                let at = VirtAddr::new(at).wrapping_add(displacement);
                self.machine.set_uint(at, 8, addend.wrapping_add(displacement))?;
            }
            offset += RELA;
        }
        Ok(())
    }
}

/// Bytes of an `Elf64_Rela`.
const RELA: usize = 24;
/// Load address plus addend: the only relocation type in a powerpc64 kernel.
const R_PPC64_RELATIVE: u64 = 22;

/// The kind of page tables that a kernel requires, if it has no choice: i386 until 12.
fn paging_of(kernel: &Kernel) -> Option<Paging> {
    let is_pae = kernel.arch() == Arch::I386
        && kernel.symbol("IdlePDPT").is_some()
        && kernel.symbol("pae_mode").is_none();
    is_pae.then_some(Paging::Pae)
}

/// Can the kernel be loaded at `load`?
fn check_place(place: ImagePlace, load: PhysAddr) -> Result<(), ImageError> {
    let why = match place.movable {
        None if load != place.loaded => {
            format!("it cannot start at physical {load}: it runs where it is linked")
        }
        Some(step) if load.page_offset(step) != 0 || load.is_null() => {
            format!(
                "it cannot start at physical {load}, which is no multiple of {} MB",
                step.div_ceil(1 << 20)
            )
        }
        _ => return Ok(()),
    };
    Err(ImageError::Load(why))
}

/// The pages that the segments occupy. With large pages, text and data share one writable
/// mapping, as before 12.0. With small ones, each segment has its own rights.
fn image(
    kernel: &Kernel,
    options: &MachineOptions,
    space: &dyn Space,
    load: PhysAddr,
) -> Result<Vec<ImagePart>, ImageError> {
    let (layout, displacement) = (space.layout(), space.displacement(load));
    if kernel.contents().is_none() {
        let why = "the file has no contents; name the kernel itself beside its debug file";
        return Err(ImageError::Load(why.into()));
    }
    let segments = kernel.segments().filter(|segment| segment.mem_size > 0);
    let pages = segments.map(|segment| pages(&segment, layout.page));
    let mut ranges = pages.collect::<Option<Vec<_>>>().unwrap_or_default();
    ranges.sort_by_key(|(range, _)| range.start);
    let (Some((first, _)), Some((last, _))) = (ranges.first(), ranges.last()) else {
        return Err(ImageError::Load("a segment of it wraps around the address space".into()));
    };
    let large = layout.image.page;
    let whole = first.start & !(large - 1)..last.end.next_multiple_of(large);
    if whole.end - whole.start > LARGEST_IMAGE {
        return Err(ImageError::Load(format!("it spans {:#x} bytes", whole.end - whole.start)));
    }
    if options.superpages {
        ranges = vec![(whole, Rights { write: true, execute: true })];
    }
    let mut end = 0;
    let mut parts = Vec::new();
    for (range, rights) in ranges {
        let linked = range.start.max(end);
        let len = range.end.saturating_sub(linked);
        let at = VirtAddr::new(linked).wrapping_add(displacement);
        end = range.end.max(end);
        let to = layout.image.physical(VirtAddr::new(linked), load);
        let to = to.filter(|to| to.checked_add(len).is_some());
        let to = to.ok_or_else(|| ImageError::Load("it is linked below KERNBASE".into()))?;
        parts.extend((len > 0).then_some(ImagePart { at, to, len, rights }));
    }
    Ok(parts)
}

fn pages(segment: &Segment<'_>, page: u64) -> Option<(Range<u64>, Rights)> {
    let start = segment.virt.get();
    // The last bytes of the address space are never part of a kernel.
    let end = start.checked_add(segment.mem_size)?.checked_next_multiple_of(page)?;
    end.checked_add(LARGEST_PAGE)?;
    let rights = Rights { write: segment.writable, execute: segment.executable };
    Some((start & !(page - 1)..end, rights))
}

/// No architecture maps a kernel image with larger pages.
const LARGEST_PAGE: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn kernel(name: &str) -> Kernel {
        Kernel::open(Source::open(format!("fixtures/kernel/{name}")).unwrap(), None).unwrap()
    }

    fn refused(name: &str, options: MachineOptions) -> String {
        LoadedKernel::load(kernel(name), options).unwrap_err().to_string()
    }

    #[test]
    fn segments_lie_where_the_loader_puts_them() {
        let load = PhysAddr::new(6 << 20);
        let name = "newer-clang-dwarf4";
        let options = MachineOptions { load: Some(load), ..Default::default() };
        let loaded = LoadedKernel::load(kernel(name), options).unwrap();
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
        let root = loaded.machine().root().get();
        assert_eq!(loaded.machine().uint(at("KPML4phys"), 8).unwrap(), root);
    }

    #[test]
    fn an_absolute_kernphys_is_no_variable() {
        let mut loaded =
            LoadedKernel::load(kernel("classic-clang-dwarf4"), MachineOptions::default()).unwrap();
        assert!(!loaded.set_symbol("kernphys", 1).unwrap());
        assert!(!loaded.set_symbol("no_such_symbol", 1).unwrap());
        assert!(loaded.set_symbol("mp_maxid", 1).unwrap());
    }

    #[test]
    fn a_kernel_that_cannot_be_loaded_is_refused() {
        let usual = MachineOptions::default;
        let classic = "classic-clang-dwarf4";
        let at = |load| MachineOptions { load: Some(PhysAddr::new(load)), ..usual() };
        let odd = refused(classic, at(0x10_0000));
        assert!(odd.contains("multiple of 2 MB"), "{odd}");
        assert!(refused(classic, at(4 << 30)).contains("physical memory"));
        let small = MachineOptions { memory: 4 << 20, ..usual() };
        assert!(refused(classic, small).contains("physical memory"));
        let far = MachineOptions { kernel_map: Some(KERNBASE_BELOW), ..usual() };
        assert!(refused(classic, far).contains("kernel map"));
        assert!(refused("small-nodebug", usual()).contains("no debug information"));
        let debug_only = refused("small-split/kernel.debug", usual());
        assert!(debug_only.contains("no contents"), "{debug_only}");
    }

    const KERNBASE_BELOW: VirtAddr = VirtAddr::new(0xffff_f800_0000_0000);

    #[test]
    fn the_halves_of_a_split_kernel_make_one() {
        let open = |name| Source::open(format!("fixtures/kernel/small-split/{name}")).unwrap();
        let joined = Kernel::open(open("kernel"), Some(open("kernel.debug"))).unwrap();
        let loaded = LoadedKernel::load(joined, MachineOptions::default()).unwrap();
        let version = loaded.variable("version").unwrap();
        let mut text = [0; 7];
        loaded.machine().read(version.address, &mut text).unwrap();
        assert_eq!(&text, b"FreeBSD");
    }
}
