//! powerpc64 minidumps, versions 1 and 2, with radix page tables.
//!
//! `sys/powerpc/powerpc/minidump_machdep.c` and `sys/powerpc/include/minidump.h`:
//! version 2 (`dump_avail`) since 13.0. In the kernel's own byte order but for the
//! page map, which is the topmost table; the others are among the pages.

use super::{Header, Sizes, Style};
use crate::image::machine::Machine;
use crate::image::machine::powerpc64::{DIRECT_MAP, DIRECT_MAP_END, KERNEL_MAP, KERNEL_MAP_END};

pub(super) fn style(_machine: &Machine) -> Style {
    Style {
        oldest: 1,
        newest: 2,
        dump_avail_since: 2,
        level: 0,
        // One table, whatever it covers.
        covered: KERNEL_MAP..KERNEL_MAP.wrapping_add(1),
        header,
    }
}

fn header(machine: &Machine, sizes: &Sizes) -> Vec<u8> {
    let mut header = Header::new("minidump FreeBSD/powerpc64", 32, machine.arch().endian());
    header.text("mmu_radix", 32);
    header.sizes(sizes);
    let image = machine.image();
    for address in [KERNEL_MAP, KERNEL_MAP_END, DIRECT_MAP, DIRECT_MAP_END] {
        header.address(address);
    }
    let has_direct_map = 1;
    header.u32(has_direct_map);
    header.u32(0);
    header.address(image.start);
    header.address(image.end);
    header.u32(sizes.dump_avail);
    header.bytes
}
