//! Where the page tables of a kernel lie in physical memory.
//!
//! Two things are unknown: where the loader put the kernel's image, and where its page tables
//! begin. The second is a variable of the kernel, which can be read once the first
//! is known. For each there are a few candidates, and a pair counts only if
//! the tables map the image to where it was found. So a wrong guess does no harm.

use std::sync::Arc;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::{self, Core, DumpError, MemorySegment};
use crate::kernel::{Kernel, SymbolKind};
use crate::paging::{KernelImage, Sample};
use crate::source::Source;
use crate::target::TargetError;
use crate::target::image_samples::samples;
use crate::target::mapping::KernelMapping;
use crate::target::roots::Booted;

/// The kernel `kernel` as the page tables in the memory of `core` map it.
///
/// # Errors
/// No candidate is confirmed.
pub(super) fn find(
    kernel: &Kernel,
    core: &Core,
    kernel_phys: Option<PhysAddr>,
) -> Result<KernelMapping, TargetError> {
    let first = first_byte(kernel)?;
    let samples = samples(kernel);
    let (mut hashed, mut other) = (false, None);
    for image in images(kernel, core, first, &samples, kernel_phys) {
        let booted = Booted { kernel, core, image };
        if booted.is_hashed() {
            // Another build may have a version that begins alike at the same place.
            match samples.is_empty() || image.agrees(core.memory(), &samples) {
                true => hashed = true,
                false => other = Some(image.phys),
            }
        }
        let mut candidates = booted.candidates().into_iter();
        if let Some(running) = candidates.find(|running| booted.confirm(running)) {
            return Ok(running);
        }
    }
    if hashed {
        return Err(TargetError::HashedPageTable);
    }
    if let Some(phys) = other {
        let why = format!("the kernel at {phys} has a similar version, but other code");
        return Err(TargetError::OtherKernel { why });
    }
    Err(no_tables(match kernel_phys {
        Some(_) => "its variables make no sense at the given load address",
        None => "its variables make no sense at any possible load address",
    }))
}

/// Where the first byte of the kernel is linked, and its physical address by the program headers.
///
/// # Errors
/// The file does not say it.
pub(super) fn first_byte(kernel: &Kernel) -> Result<(VirtAddr, PhysAddr), TargetError> {
    let first = kernel.segments().min_by_key(|segment| segment.virt);
    let first = first.map(|first| (first.virt, first.phys)).or_else(|| linked(kernel));
    first.ok_or_else(|| no_tables("the kernel has no segments"))
}

fn no_tables(why: &str) -> TargetError {
    TargetError::NoPageTables { why: why.to_owned() }
}

/// Opens `source` as raw memory of the machine that `kernel` runs on. Also returns
/// whether the kernel's page tables were found in it.
///
/// Without `segments`, the offset of a byte in the file is its physical address, or differs
/// by the start of memory on machines of that architecture: whichever leads to the page
/// tables.
///
/// # Errors
/// See [`dump::open_raw`].
pub fn raw_core(
    kernel: &Kernel,
    source: &Arc<Source>,
    segments: &[MemorySegment],
    kernel_phys: Option<PhysAddr>,
) -> Result<(Core, bool), DumpError> {
    const GIGABYTE: u64 = 1 << 30;
    let open = |segments: &[MemorySegment]| -> Result<(Core, bool), DumpError> {
        let core = dump::open_raw(Arc::clone(source), kernel.arch(), segments)?;
        let found = find(kernel, &core, kernel_phys).is_ok();
        Ok((core, found))
    };
    let as_it_is = open(segments)?;
    let elsewhere: &[u64] = match kernel.arch() {
        Arch::Arm64 | Arch::Riscv64 | Arch::Arm => &[GIGABYTE, 2 * GIGABYTE],
        _ => &[],
    };
    if !segments.is_empty() || as_it_is.1 {
        return Ok(as_it_is);
    }
    for base in elsewhere {
        let phys = PhysAddr::new(*base);
        let moved = open(&[MemorySegment { phys, len: source.len(), offset: FileOffset::new(0) }])?;
        if moved.1 {
            return Ok(moved);
        }
    }
    Ok(as_it_is)
}

/// The possible places of the image, the likeliest first.
fn images<'a>(
    kernel: &'a Kernel,
    core: &'a Core,
    (virt, linked): (VirtAddr, PhysAddr),
    samples: &'a [Sample],
    kernel_phys: Option<PhysAddr>,
) -> impl Iterator<Item = KernelImage> + 'a {
    let at = move |phys| KernelImage { virt, phys };
    let given = kernel_phys.map(at);
    let noted = core.clues.image.map(|(virt, phys)| KernelImage { virt, phys });
    let guesses = given.into_iter().chain(noted.filter(|_| given.is_none()));
    let more =
        move || amd64(kernel, core).chain(linked_places(kernel.arch(), virt, linked).map(at));
    let found = move || KernelImage::search(core.memory(), virt, samples);
    let free = given.is_none();
    guesses
        .chain(std::iter::once(()).filter(move |()| free).flat_map(move |()| more().chain(found())))
}

/// amd64 kernels are linked 2 MB above KERNBASE (sys/amd64/include/vmparam.h), and
/// record where they are.
fn amd64<'a>(kernel: &'a Kernel, core: &'a Core) -> impl Iterator<Item = KernelImage> + 'a {
    const KERNBASE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);
    let kernbase = kernel.symbol("kernbase").map_or(KERNBASE, |symbol| symbol.address);
    let is_amd64 = kernel.arch() == Arch::Amd64;
    let all =
        is_amd64.then(|| KernelImage::amd64_candidates(core.memory(), kernbase, kernphys(kernel)));
    all.into_iter().flatten()
}

/// The variable in which an amd64 kernel records where it was loaded. Up to 12 the name is an
/// absolute symbol, and the place is fixed.
pub(super) fn kernphys(kernel: &Kernel) -> Option<VirtAddr> {
    let symbol = kernel.symbol("kernphys").filter(|_| kernel.arch() == Arch::Amd64)?;
    (symbol.kind == SymbolKind::Object).then_some(symbol.address)
}

/// The link address of an amd64 kernel of which only symbols are left.
fn linked(kernel: &Kernel) -> Option<(VirtAddr, PhysAddr)> {
    const ABOVE: u64 = 2 << 20;
    let kernbase = kernel.symbol("kernbase").filter(|_| kernel.arch() == Arch::Amd64)?;
    Some((kernbase.address.wrapping_add(ABOVE), PhysAddr::new(ABOVE)))
}

/// At the address in the program header; or on i386 at its own address (since 12, where the
/// kernel has its own address space) or 3 GB below it.
pub(super) fn linked_places(
    arch: Arch,
    virt: VirtAddr,
    linked: PhysAddr,
) -> impl Iterator<Item = PhysAddr> + use<> {
    const I386_KERNBASE: u64 = 0xc000_0000;
    let own = virt.get();
    let i386 = [Some(own), own.checked_sub(I386_KERNBASE)];
    let i386 = i386.into_iter().flatten().filter(move |_| arch == Arch::I386);
    std::iter::once(linked).chain(i386.map(PhysAddr::new))
}
