//! powerpc64 minidumps, versions 1 and 2, with radix page tables or a hashed one.
//!
//! `sys/powerpc/powerpc/minidump_machdep.c` and `sys/powerpc/include/minidump.h`:
//! version 2 (`dump_avail`) since 13.0. It is in the kernel's own byte order except for the
//! page map. That is the topmost table of the radix tree, with the others among the pages,
//! or the whole hashed table, in the processor's order unless it comes from a hypervisor.

use super::powerpc64_hash;
use super::style::Style;
use crate::bytes::Endian;
use crate::image::machine::Machine;
use crate::image::machine::powerpc64::{DIRECT_MAP, KERNEL_MAP};
use crate::writing::minidump::Header;

pub(super) fn style(machine: &Machine) -> Style {
    Style {
        level: 0,
        // One table, whatever it covers.
        covered: KERNEL_MAP..KERNEL_MAP.wrapping_add(1),
        whole: is_hashed(machine).then_some(hashed_table),
        header: header(machine),
    }
}

fn is_hashed(machine: &Machine) -> bool {
    machine.space().levels().is_empty()
}

/// A Macintosh is big-endian. Any other machine with a hashed table has a hypervisor.
fn has_hypervisor(machine: &Machine) -> bool {
    machine.arch().endian() == Endian::Little
}

fn hashed_table(machine: &Machine) -> Vec<u8> {
    let endian = if has_hypervisor(machine) { machine.arch().endian() } else { Endian::Big };
    powerpc64_hash::table(machine, endian)
}

fn header(machine: &Machine) -> Header {
    let layout = machine.space().layout();
    Header::Powerpc64 {
        mmu: match (is_hashed(machine), has_hypervisor(machine)) {
            (false, _) => "mmu_radix",
            (true, false) => "mmu_g5",
            (true, true) => "mmu_phyp",
        },
        kernel_map: layout.kernel_map.clone(),
        direct_map: layout.direct_map.clone().unwrap_or(DIRECT_MAP..DIRECT_MAP),
        image: machine.image(),
    }
}
