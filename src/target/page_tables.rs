//! Where the page tables of a kernel lie in physical memory.
//!
//! Two unknowns: where the loader put the kernel's image, and where its page tables
//! begin. The second is a variable of the kernel, which can be read once the first
//! is known. For each there are a few candidates, and a pair of them counts only if
//! the tables map the image to where it was found: a wrong guess does no harm.

use std::sync::Arc;

use crate::addr::{FileOffset, PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::{self, Core, MemorySegment};
use crate::error::{DumpError, TargetError};
use crate::kernel::{Kernel, Segment, SymbolKind};
use crate::paging::{
    KernelImage, PageTables, Sample, Translate, amd64, arm, arm64, i386, powerpc64, riscv64,
};
use crate::source::Source;

/// The translation through the page tables of `kernel` in the memory of `core`.
///
/// # Errors
/// No candidate is borne out.
pub(super) fn find(
    kernel: &Kernel,
    core: &Core,
    kernel_phys: Option<PhysAddr>,
) -> Result<Box<dyn Translate>, TargetError> {
    let no_tables = |why: &str| TargetError::NoPageTables { why: why.to_owned() };
    let first = kernel.segments().min_by_key(|segment| segment.virt);
    let first = first.ok_or_else(|| no_tables("the kernel has no segments"))?;
    let samples = samples(kernel);
    for image in images(kernel, core, first, &samples, kernel_phys) {
        let booted = Booted { kernel, core, image };
        let mut tables = booted.roots().into_iter();
        if let Some(tables) = tables.find(|tables| booted.confirm(&**tables)) {
            return Ok(tables);
        }
    }
    Err(no_tables(match kernel_phys {
        Some(_) => "at the load address that was given its variables make no sense",
        None => "at no place where a loader would put it do its own variables make sense",
    }))
}

/// Opens `source` as raw memory of the machine that `kernel` runs on, and tells
/// whether the kernel's page tables were found in it.
///
/// Without `segments` a byte's place in the file is its address, or is off by where
/// that kind of machine has the beginning of its memory: the one for which the page
/// tables are found.
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
    if !segments.is_empty() || source.is_device() || as_it_is.1 {
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

/// The places where the image may lie, the likeliest first.
fn images<'a>(
    kernel: &'a Kernel,
    core: &'a Core,
    first: Segment<'_>,
    samples: &'a [Sample],
    kernel_phys: Option<PhysAddr>,
) -> impl Iterator<Item = KernelImage> + 'a {
    let virt = first.virt;
    let at = move |phys| KernelImage { virt, phys };
    let given = kernel_phys.map(at);
    let noted = core.clues.image.map(|(virt, phys)| KernelImage { virt, phys });
    let linked = first.phys;
    let guesses = given.into_iter().chain(noted.filter(|_| given.is_none()));
    let more = move || amd64(kernel, core).chain(others(kernel.arch(), virt, linked).map(at));
    let found = move || KernelImage::search(core.memory(), virt, samples);
    let free = given.is_none();
    guesses
        .chain(std::iter::once(()).filter(move |()| free).flat_map(move |()| more().chain(found())))
}

/// amd64 kernels are linked 2 MB above KERNBASE (sys/amd64/include/vmparam.h), and
/// say where they lie.
fn amd64<'a>(kernel: &'a Kernel, core: &'a Core) -> impl Iterator<Item = KernelImage> + 'a {
    const KERNBASE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);
    let kernbase = kernel.symbol("kernbase").map_or(KERNBASE, |symbol| symbol.address);
    // Up to 12 this name is an absolute symbol, no variable.
    let kernphys = kernel.symbol("kernphys").filter(|symbol| symbol.kind == SymbolKind::Object);
    let kernphys = kernphys.map(|symbol| symbol.address);
    let is_amd64 = kernel.arch() == Arch::Amd64;
    let all = is_amd64.then(|| KernelImage::amd64_candidates(core.memory(), kernbase, kernphys));
    all.into_iter().flatten()
}

/// Where the program header says, or on i386 at its own address (since 12, which has
/// an address space for itself), or 3 GB below it.
fn others(arch: Arch, virt: VirtAddr, linked: PhysAddr) -> impl Iterator<Item = PhysAddr> {
    const I386_KERNBASE: u64 = 0xc000_0000;
    let own = virt.get();
    let i386 = [Some(own), own.checked_sub(I386_KERNBASE)];
    let i386 = i386.into_iter().flatten().filter(move |_| arch == Arch::I386);
    std::iter::once(linked).chain(i386.map(PhysAddr::new))
}

/// Bytes of the kernel's read-only segments, spread over them.
fn samples(kernel: &Kernel) -> Vec<Sample> {
    const WANTED: usize = 16;
    let read_only = || kernel.segments().filter(|segment| !segment.writable);
    let total = read_only().map(|segment| segment.bytes.len()).sum::<usize>();
    let step = (total / WANTED).max(Sample::LEN);
    let mut samples = Vec::new();
    for segment in read_only() {
        for (index, chunk) in segment.bytes.chunks(step).enumerate() {
            let at = segment.virt.wrapping_add((index * step) as u64);
            samples.extend(sample(chunk, at));
        }
    }
    samples
}

/// The first bytes of `chunk` that are not all alike.
fn sample(chunk: &[u8], at: VirtAddr) -> Option<Sample> {
    const DISTINCT: usize = 8;
    let (pieces, _) = chunk.as_chunks::<{ Sample::LEN }>();
    let distinct = |piece: &[u8; Sample::LEN]| {
        let mut seen = [false; 256];
        piece.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        seen.into_iter().filter(|seen| *seen).count() >= DISTINCT
    };
    let index = pieces.iter().position(distinct)?;
    let at = at.wrapping_add((index * Sample::LEN) as u64);
    pieces.get(index).map(|bytes| Sample { at, bytes: *bytes })
}

/// A kernel whose image lies at a known place.
struct Booted<'a> {
    kernel: &'a Kernel,
    core: &'a Core,
    image: KernelImage,
}

impl Booted<'_> {
    /// The page tables that the kernel's variables lead to, the likeliest first.
    fn roots(&self) -> Vec<Box<dyn Translate>> {
        let tables = match self.kernel.arch() {
            Arch::Amd64 => self.amd64(),
            Arch::I386 => self.i386(),
            Arch::Arm64 => self.arm64(),
            Arch::Riscv64 => self.riscv64(),
            Arch::Arm => self.arm(),
            Arch::Powerpc64 | Arch::Powerpc64le => return self.powerpc64(),
        };
        tables.into_iter().map(|tables| Box::new(tables) as Box<dyn Translate>).collect()
    }

    /// KPML4phys, or KPML5phys where `la57` says so (`sys/amd64/amd64/pmap.c`, 12.1
    /// and main); then the CPUs' own.
    fn amd64(&self) -> Vec<PageTables> {
        let five = self.word("la57", 4).and_then(|_| self.word("KPML5phys", 8));
        let (root, paging) = match five {
            Some(root) => (Some(root), amd64::Paging::FiveLevel),
            None => (self.word("KPML4phys", 8), amd64::Paging::FourLevel),
        };
        let root = root.map(PhysAddr::new);
        let roots = root.into_iter().chain(self.core.clues.roots.iter().copied());
        roots.map(|root| amd64::page_tables(root, paging)).collect()
    }

    /// IdlePDPT with PAE, IdlePTD without (`sys/i386/i386/pmap.c`, 12.1). Since 13
    /// one kernel has both, and says in `pae_mode` which it uses.
    fn i386(&self) -> Vec<PageTables> {
        use i386::Paging::{Pae, Plain};
        let named = [("IdlePDPT", Pae), ("IdlePTD", Plain), ("IdlePTD_nopae", Plain)];
        let roots = named
            .into_iter()
            .filter_map(|(name, paging)| Some((PhysAddr::new(self.word(name, 4)?), paging)));
        let clues = self.core.clues.roots.iter();
        let clues = clues.flat_map(|root| [Pae, Plain].map(|paging| (*root, paging)));
        roots.chain(clues).map(|(root, paging)| i386::page_tables(root, paging)).collect()
    }

    /// The table `pagetable_l0_ttbr1`, which is a part of the image, or what the
    /// kernel's pmap has for pm_l0_paddr.
    fn arm64(&self) -> Vec<PageTables> {
        let own = self.kernel.symbol("pagetable_l0_ttbr1");
        let own = own.map(|symbol| self.image.phys(symbol.address));
        let roots = own.into_iter().chain(self.pmap_words().map(PhysAddr::new));
        // The array `pagesizes` begins with the size of a page; its symbol has no type.
        let pages = match self.word("pagesizes", 8) {
            Some(16_384) => [16_384, 4096],
            _ => [4096, 16_384],
        };
        let tables = roots.flat_map(|root| pages.map(|page| arm64::page_tables(root, page)));
        tables.collect()
    }

    /// pm_top (pm_l1 before 13.2) of the kernel's pmap: an address in or just behind
    /// the image, which the loader left room for.
    fn riscv64(&self) -> Vec<PageTables> {
        use riscv64::Paging::{Sv39, Sv48};
        let modes = match self.word("pmap_mode", 4) {
            Some(1) => [Sv48, Sv39],
            _ => [Sv39, Sv48],
        };
        let roots = self.pmap_words().filter(|word| *word >= self.image.virt.get());
        let roots = roots.map(|word| self.image.phys(VirtAddr::new(word)));
        roots.flat_map(|root| modes.map(|mode| riscv64::page_tables(root, mode))).collect()
    }

    /// pmap_kern_ttb, whose low bits are flags (`sys/arm/arm/pmap-v6.c`, 11.0).
    fn arm(&self) -> Vec<PageTables> {
        let roots = ["pmap_kern_ttb", "kernel_l1pa"];
        let roots = roots.into_iter().filter_map(|name| self.word(name, 4)).map(PhysAddr::new);
        let paging = [arm::Paging::Short, arm::Paging::Long];
        roots.flat_map(|root| paging.map(|paging| arm::page_tables(root, paging))).collect()
    }

    /// pm_pml1 of the kernel's pmap, an address in the direct map, where the kernel
    /// itself runs too: not where it is linked. A hashed page table is not looked for.
    fn powerpc64(&self) -> Vec<Box<dyn Translate>> {
        const DIRECT_MAP: u64 = 0xc000_0000_0000_0000;
        let KernelImage { virt, phys } = self.image;
        let displacement = DIRECT_MAP.wrapping_add(phys.get()).wrapping_sub(virt.get());
        let roots = self.pmap_words().filter(|word| word >> 60 == DIRECT_MAP >> 60);
        let tables = roots.map(|word| {
            let inner = powerpc64::page_tables(PhysAddr::new(word - DIRECT_MAP));
            let limit = VirtAddr::new(DIRECT_MAP);
            Box::new(powerpc64::Displaced { inner, displacement, limit }) as Box<dyn Translate>
        });
        tables.collect()
    }

    /// The words of the kernel's pmap that are addresses of pages: one of them is the
    /// root. Where in the structure it stands changes, and not every kernel comes
    /// with its types; a wrong one is not borne out.
    fn pmap_words(&self) -> impl Iterator<Item = u64> {
        const MOST: u64 = 1024;
        let symbol = self.kernel.symbol("kernel_pmap_store");
        let len =
            symbol.map_or(0, |symbol| if symbol.size == 0 { MOST } else { symbol.size.min(MOST) });
        let words = (0..len / 8)
            .filter_map(move |index| self.uint(symbol?.address.wrapping_add(index * 8), 8));
        words.filter(|word| *word != 0 && word % 4096 == 0)
    }

    /// Do these tables map the image to where it lies? Asked of the version string
    /// and of variables, which are far from each other; of the image's first byte
    /// where the kernel has none of these names.
    fn confirm(&self, tables: &dyn Translate) -> bool {
        const WITNESSES: [&str; 3] = ["version", "panicstr", "allproc"];
        let named = WITNESSES.into_iter().filter_map(|name| self.kernel.symbol(name));
        let mut witnesses = named.map(|symbol| symbol.address).collect::<Vec<_>>();
        if witnesses.is_empty() {
            witnesses.push(self.image.virt);
        }
        witnesses.into_iter().all(|at| {
            let found = tables.translate(self.core.memory(), at);
            found.is_ok_and(|found| found.phys == self.image.phys(at))
        })
    }

    /// The variable `name`, of `size` bytes, if the kernel has it and it is not zero.
    fn word(&self, name: &str, size: usize) -> Option<u64> {
        self.uint(self.kernel.symbol(name)?.address, size).filter(|value| *value != 0)
    }

    fn uint(&self, at: VirtAddr, size: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..size)?;
        self.core.memory().read(self.image.phys(at), bytes).ok()?;
        Some(self.kernel.arch().endian().uint(bytes) as u64)
    }
}
