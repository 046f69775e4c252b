//! Where a kernel's image lies in physical memory, when its page tables are not known
//! yet. The loader puts the image there in one piece.

use crate::addr::{PhysAddr, VirtAddr};
use crate::dump::PhysicalMemory;

/// amd64 kernels are linked 2 MB above kernbase and loaded on a boundary of 2 MB.
const LARGE_PAGE: u64 = 2 << 20;

/// The loader stays below 4 GB.
const LOADER_LIMIT: u64 = 4 << 30;

/// Boot loaders put a kernel on a large boundary if they can. For each boundary, this is how
/// much memory is searched, in all ranges together: testing a place means reading
/// a page.
const BOUNDARIES: [(u64, u64); 3] =
    [(LARGE_PAGE, 64 << 30), (64 << 10, 4 << 30), (4 << 10, 256 << 20)];

/// A few bytes of a kernel's file and the address they are linked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The link address of the first byte.
    pub at: VirtAddr,
    /// The bytes at that address.
    pub bytes: [u8; Self::LEN],
}

impl Sample {
    /// Its length in bytes.
    pub const LEN: usize = 64;
}

/// The place of a kernel's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelImage {
    /// The virtual address of its first byte.
    pub virt: VirtAddr,
    /// The physical address of its first byte.
    pub phys: PhysAddr,
}

impl KernelImage {
    /// The places where an amd64 kernel may be loaded, the likeliest first. `kernbase` is the
    /// value of its symbol. Only places that `memory` supports are returned, hardly
    /// ever more than one. The caller confirms one through the page tables.
    ///
    /// A relocatable kernel (13.0 and later, `sys/amd64/amd64/locore.S`) stores its
    /// own load address in the variable at `kernphys`. For `None`, the load address is 2 MB;
    /// in older kernels the symbol `kernphys` is absolute and not a variable.
    pub fn amd64_candidates(
        memory: &dyn PhysicalMemory,
        kernbase: VirtAddr,
        kernphys: Option<VirtAddr>,
    ) -> impl Iterator<Item = Self> {
        let virt = kernbase.wrapping_add(LARGE_PAGE);
        let last = if kernphys.is_some() { LOADER_LIMIT / LARGE_PAGE } else { 2 };
        (1..last).filter_map(move |step| {
            let phys = PhysAddr::new(step * LARGE_PAGE);
            let image = Self { virt, phys };
            let bears_out = match kernphys {
                Some(variable) => image.holds(memory, variable, phys.get()),
                None => true,
            };
            bears_out.then_some(image)
        })
    }

    /// The places in `memory` where an image may lie that begins at `virt` and has the bytes
    /// of `samples`. The likeliest boundaries come first.
    ///
    /// Memory differs from the kernel's file in places: text is patched at boot, and
    /// pages may be missing. At least half of the readable samples must agree, and at least two.
    pub fn search<'a>(
        memory: &'a dyn PhysicalMemory,
        virt: VirtAddr,
        samples: &'a [Sample],
    ) -> impl Iterator<Item = Self> + 'a {
        let ranges = memory.ranges();
        let boundaries = if samples.is_empty() { &[][..] } else { &BOUNDARIES };
        boundaries.iter().flat_map(move |&(boundary, limit)| {
            let offset = virt.page_offset(boundary);
            let ranges = ranges.clone().into_iter();
            let places = ranges.flat_map(move |range| {
                // The last boundary before its first byte. Memory may end at 2^64.
                let first = range.start.get().saturating_sub(1) / boundary * boundary;
                (first..range.end.get()).step_by(boundary as usize)
            });
            let most = usize::try_from(limit / boundary).unwrap_or(usize::MAX);
            places.take(most).filter_map(move |start| {
                let phys = PhysAddr::new(start.checked_add(offset)?);
                let image = Self { virt, phys };
                image.agrees(memory, samples).then_some(image)
            })
        })
    }

    /// Has `memory` the bytes of `samples` if the image lies here? See [`Self::search`].
    pub fn agrees(self, memory: &dyn PhysicalMemory, samples: &[Sample]) -> bool {
        const ENOUGH: usize = 2;
        let (mut same, mut readable) = (0, 0);
        let mut found = [0; Sample::LEN];
        for sample in samples {
            if memory.read(self.phys(sample.at), &mut found).is_err() {
                continue;
            }
            readable += 1;
            same += usize::from(sample.bytes == found);
            // Nearly every place is wrong. Two samples that differ are enough to reject it.
            if same == 0 && readable == ENOUGH {
                return false;
            }
        }
        same >= ENOUGH && same * 2 >= readable
    }

    /// The physical address of the virtual `address`, which is in the image.
    pub fn phys(self, address: VirtAddr) -> PhysAddr {
        self.phys.wrapping_add(address.get().wrapping_sub(self.virt.get()))
    }

    /// Does the 64-bit variable at `variable` hold `value` if the image lies here?
    pub fn holds(self, memory: &dyn PhysicalMemory, variable: VirtAddr, value: u64) -> bool {
        let mut bytes = [0; 8];
        memory.read(self.phys(variable), &mut bytes).is_ok() && u64::from_le_bytes(bytes) == value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{PhysFault, PhysFaultKind};

    const KERNBASE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);

    /// Memory that holds one number, and zeros below 1 GB.
    struct OneWord(u64, u64);

    impl PhysicalMemory for OneWord {
        fn next(&self, _: PhysAddr) -> Option<std::ops::Range<PhysAddr>> {
            None
        }

        fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
            if at.get() >= 1 << 30 {
                return Err(PhysFault { at, kind: PhysFaultKind::NotDumped });
            }
            let value = if at.get() == self.0 { self.1 } else { 0 };
            buf.copy_from_slice(&value.to_le_bytes()[..buf.len()]);
            Ok(())
        }
    }

    #[test]
    fn an_old_kernel_lies_at_two_megabytes() {
        let memory = OneWord(0, 0);
        let all = KernelImage::amd64_candidates(&memory, KERNBASE, None).collect::<Vec<_>>();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].phys(VirtAddr::new(0xffff_ffff_8020_1234)), PhysAddr::new(0x20_1234));
    }

    #[test]
    fn a_relocated_kernel_is_found_by_its_own_word() {
        let load = 0x1a40_0000;
        let kernphys = KERNBASE.wrapping_add(0x123_4568);
        let memory = OneWord(load - 0x20_0000 + 0x123_4568, load);
        let mut all = KernelImage::amd64_candidates(&memory, KERNBASE, Some(kernphys));
        let image = all.next().unwrap();
        assert_eq!(image.phys, PhysAddr::new(load));
        assert_eq!(image.phys(KERNBASE.wrapping_add(0x20_0010)), PhysAddr::new(load + 0x10));
        assert_eq!(all.next(), None);
    }

    #[test]
    fn a_kernel_that_is_nowhere_has_no_candidates() {
        let memory = OneWord(0, 0);
        let kernphys = Some(KERNBASE.wrapping_add(0x123_4568));
        assert_eq!(KernelImage::amd64_candidates(&memory, KERNBASE, kernphys).next(), None);
    }
}
