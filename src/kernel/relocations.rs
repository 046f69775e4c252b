//! The pointers in the data of a kernel that relocates itself.
//!
//! The file of a position-independent kernel may hold zeros where its data has
//! pointers. Their values are in its relocations, as offsets from
//! where the kernel runs (`elf_reloc_self` in sys/powerpc/powerpc/elf64_machdep.c).
//! All other relocations need symbols of other files, and a kernel has none of those.

use std::borrow::Cow;

use goblin::elf::reloc::{
    R_AARCH64_RELATIVE, R_PPC64_RELATIVE, R_RISCV_RELATIVE, R_X86_64_RELATIVE,
};
use goblin::elf::section_header::SHT_RELA;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::{Endian, Fields};
use crate::kernel::elf::ElfFile;

/// The size of an Elf64_Rela, and of the pointer that it sets, in bytes.
const ENTRY: usize = 24;
const POINTER: u64 = 8;

/// The relocations of a kernel file.
#[derive(Debug)]
pub(super) struct Relocations {
    endian: Endian,
    /// The address of each pointer and its value, both as linked, sorted by address.
    pointers: Vec<(u64, u64)>,
}

impl Relocations {
    /// Reads those of `elf`. Relocations outside the file are ignored.
    pub(super) fn of(elf: &ElfFile) -> Self {
        let endian = elf.arch().endian();
        let mut pointers = Vec::new();
        if let Some(relative) = relative(elf.arch()) {
            // .rela.debug_* do not apply to a running kernel.
            let sections = elf.sections().filter(|s| s.header().sh_type == SHT_RELA);
            let loaded = sections.filter(|section| section.header().sh_addr != 0);
            for bytes in loaded.filter_map(|section| elf.raw_bytes(section)) {
                let entries = bytes.chunks_exact(ENTRY).map(|entry| Fields::new(entry, endian));
                pointers.extend(entries.filter_map(|entry| pointer(entry, relative)));
            }
        }
        pointers.sort_unstable();
        Self { endian, pointers }
    }

    /// The bytes at `linked` as they are when the kernel runs `slide` bytes further on.
    pub(super) fn apply<'a>(
        &self,
        linked: VirtAddr,
        bytes: Cow<'a, [u8]>,
        slide: u64,
    ) -> Cow<'a, [u8]> {
        let start = linked.get();
        let end = start.saturating_add(bytes.len() as u64);
        let first = self.pointers.partition_point(|(at, _)| at.saturating_add(POINTER) <= start);
        let rest = self.pointers.get(first..).unwrap_or_default();
        let mut bytes = bytes;
        for (at, value) in rest.iter().take_while(|(at, _)| *at < end) {
            let value = value.wrapping_add(slide);
            let value = match self.endian {
                Endian::Little => value.to_le_bytes(),
                Endian::Big => value.to_be_bytes(),
            };
            // A pointer at either end may overlap the range only in part.
            for (place, byte) in (*at..).zip(value) {
                let within = place.checked_sub(start).and_then(|at| usize::try_from(at).ok());
                if let Some(slot) = within.and_then(|within| bytes.to_mut().get_mut(within)) {
                    *slot = byte;
                }
            }
        }
        bytes
    }
}

/// The type of the relocation "load address plus addend"; `None` if the
/// pointers are in the data itself.
fn relative(arch: Arch) -> Option<u32> {
    match arch {
        Arch::Amd64 => Some(R_X86_64_RELATIVE),
        Arch::Arm64 => Some(R_AARCH64_RELATIVE),
        Arch::Riscv64 => Some(R_RISCV_RELATIVE),
        Arch::Powerpc64 | Arch::Powerpc64le => Some(R_PPC64_RELATIVE),
        Arch::I386 | Arch::Arm => None,
    }
}

fn pointer(entry: Fields<'_>, relative: u32) -> Option<(u64, u64)> {
    let (place, kind, value) = (entry.u64(0)?, entry.u64(8)?, entry.u64(16)?);
    (kind as u32 == relative).then_some((place, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(linked: u64, len: usize) -> Vec<u8> {
        let pointers = vec![(0x1008, 0x0102_0304_0506_0708)];
        let relocations = Relocations { endian: Endian::Big, pointers };
        let slide = 0x10;
        relocations.apply(VirtAddr::new(linked), vec![0xee; len].into(), slide).into_owned()
    }

    #[test]
    fn pointers_are_filled_in_where_the_kernel_runs() {
        assert_eq!(apply(0x1008, 8), [1, 2, 3, 4, 5, 6, 7, 0x18]);
        assert_eq!(apply(0x1006, 4), [0xee, 0xee, 1, 2]);
        assert_eq!(apply(0x100e, 4), [7, 0x18, 0xee, 0xee]);
    }

    #[test]
    fn other_bytes_stay_as_they_are_and_are_not_copied() {
        let relocations = Relocations { endian: Endian::Little, pointers: vec![(0x1008, 1)] };
        let file = [1, 2, 3];
        for linked in [0x1005, 0x1010, u64::MAX] {
            let bytes = relocations.apply(VirtAddr::new(linked), Cow::Borrowed(&file), 5);
            assert!(matches!(bytes, Cow::Borrowed([1, 2, 3])));
        }
    }
}
