//! amd64 minidumps, versions 1, 2 and 3.
//!
//! `sys/amd64/amd64/minidump_machdep.c` and `sys/amd64/include/minidump.h`:
//! version 1 until 8.1 (page map of 8-byte page-table entries, one per 4 KB),
//! version 2 until 13.0 (page-directory entries, one per 2 MB), version 3 since
//! (`dump_avail` in front of the bitmap, which then skips what is no memory).

use super::style::Style;
use crate::addr::VirtAddr;
use crate::image::machine::Machine;
use crate::image::machine::amd64::{DIRECT_MAP, DIRECT_MAP_END, KERNEL_BASE};
use crate::writing::minidump::Header;

/// The page map goes on to the end of the gigabyte that holds the kernel image.
const MAP_END: VirtAddr = VirtAddr::new(KERNEL_BASE.get() + (1 << 30));

pub(super) fn style(machine: &Machine, version: u32) -> Style {
    let page_tables = machine.space().levels().len() - 1;
    let kernbase = machine.kernel_map_start();
    Style {
        level: if version == 1 { page_tables } else { page_tables - 1 },
        covered: kernbase..MAP_END,
        whole: None,
        header: Header::Amd64 { kernbase, direct_map: DIRECT_MAP..DIRECT_MAP_END },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Cursor;

    use super::super::write;
    use super::*;
    use crate::addr::PhysAddr;
    use crate::arch::Arch;
    use crate::image::ImageError;
    use crate::image::dump::Contents;
    use crate::image::machine::amd64::KERNEL_MAP;
    use crate::image::machine::{ImagePart, MachineOptions, Rights};

    const FRAME: u64 = 4096;

    const LOW_KERNEL_MAP: VirtAddr = VirtAddr::new(0xffff_fffe_4000_0000);
    const IMAGE: VirtAddr = VirtAddr::new(0xffff_ffff_8020_0000);

    /// A machine with a 2M image page, an object in the direct map and one in the kernel map.
    fn machine(kernel_map: VirtAddr) -> (Machine, VirtAddr, VirtAddr) {
        let rights = Rights { write: true, execute: true };
        let image = ImagePart { at: IMAGE, to: PhysAddr::new(2 << 20), len: 2 << 20, rights };
        let kernel_map = Some(kernel_map);
        let options = MachineOptions { kernel_map, memory: 8 << 20, ..Default::default() };
        let mut machine = Machine::new(Arch::Amd64, options, &[image], None).unwrap();
        machine.write(IMAGE.wrapping_add(0x3010), b"in the kernel image").unwrap();
        let small = machine.malloc("test", 64).unwrap();
        machine.write(small, b"in the direct map").unwrap();
        let large = machine.malloc("test", 2 * FRAME).unwrap();
        machine.write(large.wrapping_add(FRAME - 4), b"across two pages").unwrap();
        (machine, small, large)
    }

    fn dump(machine: &Machine, version: u32, left_out: &BTreeSet<PhysAddr>) -> Vec<u8> {
        let message_buffer = [b'm'; 0x1000];
        let mut file = Cursor::new(Vec::new());
        let contents = Contents {
            machine,
            message_buffer: &message_buffer,
            message_size: 0xfb8,
            cpus: 1,
            left_out,
        };
        write(&contents, version, &mut file).unwrap();
        file.into_inner()
    }

    fn u32_at(file: &[u8], at: usize) -> usize {
        u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
    }

    fn u64_at(file: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(file[at..at + 8].try_into().unwrap())
    }

    /// A decoder written from the description of the format, for these tests alone: the bytes of
    /// the page that holds physical address `at`.
    fn page(file: &[u8], at: u64) -> Option<&[u8]> {
        let round = |size: usize| size.next_multiple_of(4096);
        let version = u32_at(file, 24);
        let avail = if version == 3 { u32_at(file, 64) } else { 0 };
        let avail_at = 4096 + round(u32_at(file, 28));
        let bitmap_at = avail_at + round(avail);
        let pages_at = bitmap_at + round(u32_at(file, 32)) + round(u32_at(file, 36));
        let bit = if version == 3 {
            let mut before = 0;
            let pairs = (avail_at..).step_by(16).map(|i| (u64_at(file, i), u64_at(file, i + 8)));
            let mut pairs = pairs.take_while(|(_, end)| *end != 0);
            pairs.find_map(|(start, end)| {
                let bit = before + (at.wrapping_sub(start)) / 4096;
                before += end.div_ceil(4096) - start / 4096;
                (start..end).contains(&at).then_some(bit)
            })?
        } else {
            at / 4096
        };
        let set = |bit: u64| file[bitmap_at + (bit / 8) as usize] >> (bit % 8) & 1 == 1;
        let rank = (0..bit).filter(|bit| set(*bit)).count();
        let start = pages_at + rank * 4096;
        set(bit).then(|| &file[start..start + 4096])
    }

    /// The page-map entry for `at`, and the page it leads to.
    fn mapped(file: &[u8], at: VirtAddr) -> Option<&[u8]> {
        let version = u32_at(file, 24);
        let avail = if version == 3 { u32_at(file, 64) } else { 0 };
        let map_at = 4096
            + [u32_at(file, 28), avail, u32_at(file, 32)]
                .map(|size| size.next_multiple_of(4096))
                .iter()
                .sum::<usize>();
        let distance = at.get() - u64_at(file, 40);
        let shift = if version == 1 { 12 } else { 21 };
        let entry = u64_at(file, map_at + (distance >> shift) as usize * 8);
        let frame = |entry: u64| (entry & 1 == 1).then_some(entry & 0x000f_ffff_ffff_f000);
        if version == 1 {
            return page(file, frame(entry)?);
        }
        if entry & 0x80 != 0 {
            let large = entry & 0x000f_ffff_ffe0_0000;
            return page(file, large + (at.get() & 0x1f_f000));
        }
        let table = page(file, frame(entry)?)?;
        page(file, frame(u64_at(table, (at.get() >> 12 & 511) as usize * 8))?)
    }

    #[test]
    fn headers_follow_the_version() {
        let (machine, ..) = machine(KERNEL_MAP);
        for (version, dump_avail) in [(2, 0), (3, 4096)] {
            let file = dump(&machine, version, &BTreeSet::new());
            assert_eq!(&file[..24], b"minidump FreeBSD/amd64\0\0");
            assert_eq!(u32_at(&file, 24), version as usize);
            assert_eq!(u32_at(&file, 28), 0xfb8);
            assert_eq!(u32_at(&file, 32), 4096);
            assert_eq!(u32_at(&file, 36), 2047 * 4096, "a page per gigabyte, as in 12.1");
            assert_eq!(u64_at(&file, 40), 0xffff_fe00_0000_0000);
            assert_eq!(u64_at(&file, 48), 0xffff_f800_0000_0000);
            assert_eq!(u64_at(&file, 56), 0xffff_fc00_0000_0000);
            assert_eq!(u32_at(&file, 64), dump_avail);
            assert_eq!(file[4096], b'm');
        }
    }

    #[test]
    fn every_version_leads_to_the_same_pages() {
        for (version, kernel_map) in
            [(1, LOW_KERNEL_MAP), (2, LOW_KERNEL_MAP), (2, KERNEL_MAP), (3, KERNEL_MAP)]
        {
            let (machine, small, large) = machine(kernel_map);
            let file = dump(&machine, version, &BTreeSet::new());
            let image = mapped(&file, IMAGE.wrapping_add(0x3000)).unwrap();
            assert_eq!(&image[16..35], b"in the kernel image");
            let direct = page(&file, small.get() - 0xffff_f800_0000_0000).unwrap();
            assert_eq!(&direct[..17], b"in the direct map");
            assert_eq!(&mapped(&file, large).unwrap()[4092..], b"acro");
            assert_eq!(&mapped(&file, large.wrapping_add(FRAME)).unwrap()[..12], b"ss two pages");
            assert!(mapped(&file, large.wrapping_add(2 * FRAME)).is_none(), "{version:?}");
        }
    }

    #[test]
    fn pages_can_be_left_out() {
        let (machine, _, large) = machine(KERNEL_MAP);
        let gone = machine.physical(large).unwrap();
        for version in [2, 3] {
            let whole = dump(&machine, version, &BTreeSet::new());
            let file = dump(&machine, version, &BTreeSet::from([gone]));
            assert_eq!(file.len(), whole.len() - 4096);
            assert!(mapped(&whole, large).is_some() && mapped(&file, large).is_none());
            assert_eq!(&mapped(&file, large.wrapping_add(FRAME)).unwrap()[..2], b"ss");
        }
    }

    #[test]
    fn version_1_refuses_a_distant_kernel_map() {
        let (machine, ..) = machine(KERNEL_MAP);
        let contents = Contents {
            machine: &machine,
            message_buffer: &[],
            message_size: 0,
            cpus: 1,
            left_out: &BTreeSet::new(),
        };
        let error = write(&contents, 1, &mut Cursor::new(Vec::new())).unwrap_err();
        assert!(matches!(error, ImageError::PageMapTooLarge { bytes, .. } if bytes > 1 << 31));
    }
}
