//! i386 minidumps, versions 1 and 2.
//!
//! `sys/i386/i386/minidump_machdep_base.c` and `sys/i386/include/minidump.h`:
//! version 1 until 12, version 2 (`dump_avail`) since 13.0. The page map has an
//! entry of 4 bytes, or 8 with PAE, for every page from KERNBASE on; large pages
//! are split up.

use super::style::Style;
use crate::image::machine::Machine;
use crate::writing::minidump::Header;

pub(super) fn style(machine: &Machine) -> Style {
    let kernbase = machine.image().start;
    Style {
        level: machine.space().levels().len() - 1,
        covered: kernbase..machine.kernel_vm_end(),
        whole: None,
        header: Header::I386 { kernbase, pae: machine.space().layout().entry_size == 8 },
    }
}
