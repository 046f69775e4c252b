//! The headers of minidumps, field by field.

use std::ops::Range;

use super::Sizes;
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::writing::entry_bytes;

/// What a minidump's header says of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// `sys/amd64/include/minidump.h`.
    Amd64 {
        /// Where the page map begins.
        kernbase: VirtAddr,
        /// DMAP_MIN_ADDRESS to DMAP_MAX_ADDRESS.
        direct_map: Range<VirtAddr>,
    },
    /// `sys/arm64/include/minidump.h` and `sys/riscv/include/minidump.h`.
    WithPhysical {
        /// Where the page map begins.
        kernbase: VirtAddr,
        /// The direct map.
        direct_map: Range<VirtAddr>,
        /// What its first address maps.
        phys: PhysAddr,
    },
    /// `sys/i386/include/minidump.h`.
    I386 {
        /// Where the page map begins.
        kernbase: VirtAddr,
        /// Do entries have 8 bytes?
        pae: bool,
    },
    /// `sys/arm/include/minidump.h`.
    Arm {
        /// Where the page map begins.
        kernbase: VirtAddr,
        /// Do entries have the long format (LPAE)?
        long: bool,
    },
    /// `sys/powerpc/include/minidump.h`.
    Powerpc64 {
        /// The name of the driver of its page tables.
        mmu: &'static str,
        /// The addresses that the page map is for.
        kernel_map: Range<VirtAddr>,
        /// The direct map, to its last byte.
        direct_map: Range<VirtAddr>,
        /// Where the kernel's image runs.
        image: Range<VirtAddr>,
    },
}

impl Header {
    /// The bytes of the header.
    pub(super) fn bytes(&self, arch: Arch, page: u64, sizes: &Sizes) -> Vec<u8> {
        let (name, magic) = match arch {
            Arch::Amd64 => ("amd64", 24),
            Arch::Arm64 => ("arm64", 24),
            Arch::Riscv64 => ("riscv", 24),
            Arch::I386 => ("i386", 24),
            Arch::Arm => ("arm", 24),
            Arch::Powerpc64 | Arch::Powerpc64le => ("powerpc64", 32),
        };
        let mut out = Bytes { bytes: Vec::new(), endian: arch.endian() };
        out.text(&format!("minidump FreeBSD/{name}"), magic);
        if let Self::Powerpc64 { mmu, .. } = self {
            out.text(mmu, 32);
        }
        out.sizes(sizes);
        self.fields(&mut out);
        out.u32(sizes.dump_avail);
        if arch == Arch::Arm64 && sizes.version >= 3 {
            /// In the flags of version 3.
            const PAGES_OF_16K: u32 = 1;
            out.u32(if page == 4 << 10 { 0 } else { PAGES_OF_16K });
        }
        out.bytes
    }

    /// The fields between the sizes and the size of dump_avail.
    fn fields(&self, out: &mut Bytes) {
        match self {
            Self::Amd64 { kernbase, direct_map } => {
                out.addresses([*kernbase, direct_map.start, direct_map.end]);
            }
            Self::WithPhysical { kernbase, direct_map, phys } => {
                out.addresses([*kernbase, VirtAddr::new(phys.get())]);
                out.addresses([direct_map.start, direct_map.end]);
            }
            Self::I386 { kernbase, pae } => {
                out.u32(kernbase.get() as u32);
                out.u32((*pae).into());
            }
            Self::Arm { kernbase, long } => {
                /// `__ARM_ARCH`.
                const ARMV7: u32 = 7;
                /// `MINIDUMP_MMU_FORMAT_V6` and `_V6_LPAE`.
                const SHORT: u32 = 2;
                const LONG: u32 = 3;
                out.u32(kernbase.get() as u32);
                out.u32(ARMV7);
                out.u32(if *long { LONG } else { SHORT });
            }
            Self::Powerpc64 { kernel_map, direct_map, image, .. } => {
                out.addresses([kernel_map.start, kernel_map.end]);
                out.addresses([direct_map.start, direct_map.end]);
                let has_direct_map = 1;
                out.u32(has_direct_map);
                out.u32(0);
                out.addresses([image.start, image.end]);
            }
        }
    }
}

/// A header's fields, one after another.
struct Bytes {
    bytes: Vec<u8>,
    endian: Endian,
}

impl Bytes {
    fn text(&mut self, text: &str, size: usize) {
        let end = self.bytes.len() + size;
        self.bytes.extend(text.as_bytes());
        self.bytes.resize(end, 0);
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(entry_bytes(value.into(), 4, self.endian));
    }

    fn addresses<const COUNT: usize>(&mut self, addresses: [VirtAddr; COUNT]) {
        for at in addresses {
            self.bytes.extend(entry_bytes(at.get(), 8, self.endian));
        }
    }

    /// The fields that follow the magic in all headers.
    fn sizes(&mut self, sizes: &Sizes) {
        for size in [sizes.version, sizes.message, sizes.bitmap, sizes.page_map] {
            self.u32(size);
        }
    }
}
