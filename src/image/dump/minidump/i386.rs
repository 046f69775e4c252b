//! i386 minidumps, versions 1 and 2.
//!
//! `sys/i386/i386/minidump_machdep_base.c` and `sys/i386/include/minidump.h`:
//! version 1 until 12, version 2 (`dump_avail`) since 13.0. The page map has an
//! entry of 4 bytes, or 8 with PAE, for every page from KERNBASE on; large pages
//! are split up.

use super::header::Header;
use super::style::{Sizes, Style};
use crate::bytes::Endian;
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
    let mut header = Header::new("minidump FreeBSD/i386", 24, Endian::Little);
    header.sizes(sizes);
    header.u32(machine.image().start.get() as u32);
    header.u32((machine.space().layout().entry_size == 8).into());
    header.u32(sizes.dump_avail);
    header.bytes
}
