//! arm64 minidumps, versions 1, 2 and 3.
//!
//! `sys/arm64/arm64/minidump_machdep.c` and `sys/arm64/include/minidump.h`:
//! version 1 until 12, version 2 (`dump_avail`) since 13.0, version 3 (the size of
//! a page) since 14.0. The page map has an entry for every page, from the start of
//! the kernel's address space; blocks are split up.

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
