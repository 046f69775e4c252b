//! arm64 minidumps, versions 1, 2 and 3.
//!
//! `sys/arm64/arm64/minidump_machdep.c` and `sys/arm64/include/minidump.h`:
//! version 1 until 12, version 2 (`dump_avail`) since 13.0, version 3 (the size of
//! a page) since 14.0. The page map has an entry for every page, from the start of
//! the kernel's address space; blocks are split up.

use super::header::direct_map_header;
use super::style::{Sizes, Style};
use crate::image::machine::Machine;

/// In the flags of version 3.
const PAGES_OF_16K: u32 = 1;

pub(super) fn style(machine: &Machine) -> Style {
    let is_16k = machine.page_size() != 4 << 10;
    Style {
        oldest: if is_16k { 3 } else { 1 },
        newest: 3,
        dump_avail_since: 2,
        level: machine.space().levels().len() - 1,
        covered: machine.image().start..machine.kernel_vm_end(),
        whole: None,
        header,
    }
}

fn header(machine: &Machine, sizes: &Sizes) -> Vec<u8> {
    let mut header = direct_map_header("minidump FreeBSD/arm64", machine, sizes);
    if sizes.version >= 3 {
        header.u32(if machine.page_size() == 4 << 10 { 0 } else { PAGES_OF_16K });
    }
    header.bytes
}
