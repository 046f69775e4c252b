//! riscv64 minidumps, versions 1 and 2.
//!
//! `sys/riscv/riscv/minidump_machdep.c` and `sys/riscv/include/minidump.h`:
//! version 1 in 12, version 2 (`dump_avail`) since 13.0. The page map has an entry
//! for every page, from KERNBASE on; large pages are split up.

use super::style::{Style, with_physical};
use crate::image::machine::Machine;

pub(super) fn style(machine: &Machine) -> Style {
    Style {
        level: machine.space().levels().len() - 1,
        covered: machine.image().start..machine.kernel_vm_end(),
        whole: None,
        header: with_physical(machine),
    }
}
