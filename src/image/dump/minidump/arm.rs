//! armv7 minidumps, versions 1 and 2.
//!
//! `sys/arm/arm/minidump_machdep.c` and `sys/arm/include/minidump.h`: version 1
//! until 12, version 2 (`dump_avail`) since 13.0. The page map has an entry for
//! every page from KERNBASE on; sections are split up.

use super::header::Header;
use super::style::{Sizes, Style};
use crate::bytes::Endian;
use crate::image::machine::Machine;

/// `__ARM_ARCH`.
const ARMV7: u32 = 7;
/// `MINIDUMP_MMU_FORMAT_V6` and `_V6_LPAE`.
const SHORT: u32 = 2;
const LONG: u32 = 3;

pub(super) fn style(machine: &Machine) -> Style {
    Style {
        oldest: 1,
        newest: 2,
        dump_avail_since: 2,
        level: machine.space().levels().len() - 1,
        covered: machine.image().start..machine.kernel_vm_end(),
        whole: None,
        header,
    }
}

fn header(machine: &Machine, sizes: &Sizes) -> Vec<u8> {
    let mut header = Header::new("minidump FreeBSD/arm", 24, Endian::Little);
    header.sizes(sizes);
    header.u32(machine.image().start.get() as u32);
    header.u32(ARMV7);
    header.u32(if machine.space().layout().entry_size == 4 { SHORT } else { LONG });
    header.u32(sizes.dump_avail);
    header.bytes
}
