//! riscv64 minidumps, versions 1 and 2.
//!
//! `sys/riscv/riscv/minidump_machdep.c` and `sys/riscv/include/minidump.h`:
//! version 1 in 12, version 2 (`dump_avail`) since 13.0. The page map has an entry
//! for every page, from KERNBASE on; large pages are split up.

use super::header::direct_map_header;
use super::style::{Sizes, Style};
use crate::image::machine::Machine;

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
    direct_map_header("minidump FreeBSD/riscv", machine, sizes).bytes
}
