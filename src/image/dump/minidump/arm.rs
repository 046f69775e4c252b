//! armv7 minidumps, versions 1 and 2.
//!
//! `sys/arm/arm/minidump_machdep.c` and `sys/arm/include/minidump.h`: version 1
//! until 12, version 2 (`dump_avail`) since 13.0. The page map has an entry for
//! every page from KERNBASE on; sections are split up.

use super::style::Style;
use crate::image::machine::Machine;
use crate::writing::minidump::Header;

pub(super) fn style(machine: &Machine) -> Style {
    let kernbase = machine.image().start;
    Style {
        level: machine.space().levels().len() - 1,
        covered: kernbase..machine.kernel_vm_end(),
        whole: None,
        header: Header::Arm { kernbase, long: machine.space().layout().entry_size == 8 },
    }
}
