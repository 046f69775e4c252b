//! The roots of page tables, as the kernels of each architecture record them.
//!
//! The roots are found by the names of variables, never by offsets: a root's offset in a
//! structure changes, and not every kernel comes with its types. A wrong root is not confirmed.

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::Core;
use crate::kernel::Kernel;
use crate::paging::{KernelImage, PageTables, amd64, arm, arm64, i386, powerpc64, riscv64};
use crate::target::mapping::{KernelMapping, PAGE, page_sizes, slide, slides};

/// A kernel whose image is at a known place.
pub(super) struct Booted<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) core: &'a Core,
    pub(super) image: KernelImage,
}

impl Booted<'_> {
    /// The page tables that the kernel's variables point to, the likeliest first.
    pub(super) fn candidates(&self) -> Vec<KernelMapping> {
        let tables = match self.kernel.arch() {
            Arch::Amd64 => self.amd64(),
            Arch::I386 => self.i386(),
            Arch::Arm64 => return self.arm64(),
            Arch::Riscv64 => self.riscv64(),
            Arch::Arm => self.arm(),
            Arch::Powerpc64 | Arch::Powerpc64le => return self.powerpc64(),
        };
        let running =
            |tables| KernelMapping { translation: Box::new(tables), page_size: PAGE, slide: 0 };
        tables.into_iter().map(running).collect()
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
    /// one kernel has both, and `pae_mode` says which it uses.
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

    /// The table `pagetable_l0_ttbr1`, which is a part of the image, or pm_l0_paddr of the
    /// kernel's pmap. Either page size is possible.
    fn arm64(&self) -> Vec<KernelMapping> {
        let own = self.kernel.symbol("pagetable_l0_ttbr1");
        let own = own.map(|symbol| self.image.phys(symbol.address));
        let addresses = self.pmap_words().filter(|word| *word % PAGE == 0);
        let roots = own.into_iter().chain(addresses.map(PhysAddr::new));
        let sizes = page_sizes(self.kernel, |at| self.uint(at, 8));
        let running = |root, page_size| KernelMapping {
            translation: Box::new(arm64::page_tables(root, page_size)),
            page_size,
            slide: 0,
        };
        roots.flat_map(|root| sizes.iter().map(move |size| running(root, *size))).collect()
    }

    /// From the kernel's pmap: pm_top (pm_l1 before 13.2), an address in the image or just after
    /// it, in space that the loader reserved; or pm_satp, the value of the processor's
    /// register: the page number of the root, with the mode in bits 60 to 63
    /// (`sys/riscv/include/pmap.h`, main).
    fn riscv64(&self) -> Vec<PageTables> {
        use riscv64::Paging::{Sv39, Sv48};
        const PAGE_NUMBER: u64 = (1 << 44) - 1;
        let modes = match self.word("pmap_mode", 4) {
            Some(1) => [Sv48, Sv39],
            _ => [Sv39, Sv48],
        };
        let start = self.image.virt.get();
        let tops = self.pmap_words().filter(|word| word % PAGE == 0 && *word >= start);
        let tops = tops.map(|word| self.image.phys(VirtAddr::new(word)));
        let tops = tops.flat_map(|root| modes.map(|mode| (root, mode)));
        let registers = self.pmap_words().filter_map(|word| {
            let mode = match word >> 60 {
                8 => Sv39,
                9 => Sv48,
                _ => return None,
            };
            Some((PhysAddr::new((word & PAGE_NUMBER) * PAGE), mode))
        });
        tops.chain(registers).map(|(root, mode)| riscv64::page_tables(root, mode)).collect()
    }

    /// pmap_kern_ttb, whose low bits are flags (`sys/arm/arm/pmap-v6.c`, 11.0).
    fn arm(&self) -> Vec<PageTables> {
        let roots = ["pmap_kern_ttb", "kernel_l1pa"];
        let roots = roots.into_iter().filter_map(|name| self.word(name, 4)).map(PhysAddr::new);
        let paging = [arm::Paging::Short, arm::Paging::Long];
        roots.flat_map(|root| paging.map(|paging| arm::page_tables(root, paging))).collect()
    }

    /// pm_pml1 of the kernel's pmap, an address in the direct map
    /// (`sys/powerpc/aim/mmu_radix.c`, 13.0). The kernel itself runs there too. Its
    /// self-relocated variable `__startkernel` says where.
    fn powerpc64(&self) -> Vec<KernelMapping> {
        const DIRECT_MAP: u64 = 0xc000_0000_0000_0000;
        let in_direct_map = |word: &u64| word >> 60 == DIRECT_MAP >> 60;
        let start = self.word("__startkernel", 8).filter(in_direct_map).map(VirtAddr::new);
        let mapped = VirtAddr::new(DIRECT_MAP).wrapping_add(self.image.phys.get());
        let slides = [start, Some(mapped)].into_iter().flatten();
        let slides = slides.filter_map(|start| slide(self.kernel, start)).collect::<Vec<_>>();
        let is_root = |word: &u64| in_direct_map(word) && word.is_multiple_of(PAGE);
        let roots = self.pmap_words().filter(is_root).map(|word| PhysAddr::new(word - DIRECT_MAP));
        let running = |root, slide| KernelMapping {
            translation: Box::new(powerpc64::page_tables(root)),
            page_size: PAGE,
            slide,
        };
        roots.flat_map(|root| slides.iter().map(move |slide| running(root, *slide))).collect()
    }

    /// Is this certainly the kernel, with a hashed page table? A kernel that supports both kinds
    /// says in `radix_mmu` which it uses (13.0). Older ones have no such variable.
    pub(super) fn is_hashed(&self) -> bool {
        slides(self.kernel.arch()) && self.word("radix_mmu", 4).is_none() && self.holds_version()
    }

    fn holds_version(&self) -> bool {
        const ENOUGH: u64 = 16;
        let Some(symbol) = self.kernel.symbol("version") else { return false };
        let ours = self.kernel.initial_bytes(symbol.address, symbol.size.min(ENOUGH));
        let mut theirs = [0; ENOUGH as usize];
        let theirs = &mut theirs[..symbol.size.min(ENOUGH) as usize];
        let read = self.core.memory().read(self.image.phys(symbol.address), theirs);
        read.is_ok() && ours.is_some_and(|ours| !ours.is_empty() && *ours == *theirs)
    }

    /// The words of the kernel's pmap. One of them points to the root.
    fn pmap_words(&self) -> impl Iterator<Item = u64> {
        const MOST: u64 = 1024;
        let symbol = self.kernel.symbol("kernel_pmap_store");
        let len =
            symbol.map_or(0, |symbol| if symbol.size == 0 { MOST } else { symbol.size.min(MOST) });
        let words = (0..len / 8)
            .filter_map(move |index| self.uint(symbol?.address.wrapping_add(index * 8), 8));
        words.filter(|word| *word != 0)
    }

    /// Do these tables map the image to where it is? This checks the version string
    /// and variables, which are far apart, or the image's first byte
    /// if the kernel has none of these names.
    pub(super) fn confirm(&self, running: &KernelMapping) -> bool {
        const WITNESSES: [&str; 3] = ["version", "panicstr", "allproc"];
        let named = WITNESSES.into_iter().filter_map(|name| self.kernel.symbol(name));
        let mut witnesses = named.map(|symbol| symbol.address).collect::<Vec<_>>();
        if witnesses.is_empty() {
            witnesses.push(self.image.virt);
        }
        witnesses.into_iter().all(|at| {
            let there = at.wrapping_add(running.slide);
            let found = running.translation.translate(self.core.memory(), there);
            found.is_ok_and(|found| found.phys == self.image.phys(at))
        })
    }

    /// The variable `name` of `size` bytes, if the kernel has it and it is not zero.
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
