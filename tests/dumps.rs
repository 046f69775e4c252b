//! Each dump format, written by hand, reads back: every way an address can be
//! translated, and every way it can fail.

mod synth;

use synth::{DMAP, DumpHeader, FullDump, KERNBASE, KERNEL, LOAD, Minidump, word_at};
use vnetkvm::addr::{FileOffset, PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Core, Format, Hints};
use vnetkvm::error::{Fault, FaultKind, Stage};
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging::amd64::{Paging, page_tables};
use vnetkvm::paging::{self, KernelImage};
use vnetkvm::source::Source;

fn core(bytes: Vec<u8>) -> Core {
    dump::open(Source::from_vec("vmcore", bytes)).unwrap()
}

fn minidump(version: u32) -> KernelMemory {
    let core = core(Minidump::sample(version).write().0);
    assert_eq!(core.warnings, Vec::<String>::new());
    let Hints::PageMap(map) = core.hints.clone() else { panic!("{core:?}") };
    KernelMemory::from_core(core, paging::page_map(map))
}

fn full_dump(paging: Paging) -> KernelMemory {
    let core = core(FullDump::sample().write().0);
    assert_eq!(core.warnings, Vec::<String>::new());
    let root = match paging {
        Paging::FourLevel => 0x10_0000,
        Paging::FiveLevel => 0x10_6000,
    };
    KernelMemory::from_core(core, Box::new(page_tables(PhysAddr::new(root), paging)))
}

fn word(memory: &KernelMemory, at: u64) -> u64 {
    memory.u64(VirtAddr::new(at)).unwrap()
}

fn fault(memory: &KernelMemory, at: u64) -> (FaultKind, Stage) {
    let Fault { address, kind, stage } = memory.u64(VirtAddr::new(at)).unwrap_err();
    assert_eq!(address, VirtAddr::new(at));
    (kind, stage)
}

#[test]
fn every_version_of_the_minidump_reads_back() {
    for version in 1..=3 {
        let memory = minidump(version);
        assert_eq!(memory.core().format, Format::Minidump { version });
        for phys in [0x1_0000, 0x9_eff8, 0x11_1008, 0x20_0ff8, 0x20_1000] {
            assert_eq!(word(&memory, DMAP + phys), word_at(phys));
        }
        assert_eq!(word(&memory, KERNBASE + 0x10), word_at(0x11_1010));
        assert_eq!(word(&memory, KERNBASE + 0x3ff8), word_at(0x9_eff8));
        if version > 1 {
            // The entry of a large page has PAT where a small one's frame begins.
            assert_eq!(word(&memory, KERNBASE + 0x20_0020), word_at(0x20_0020));
            assert_eq!(word(&memory, KERNBASE + 0x20_1000), word_at(0x20_1000));
        }
    }
}

#[test]
fn a_minidump_tells_what_it_is() {
    for version in 1..=3 {
        let memory = minidump(version);
        let facts = &memory.core().facts;
        let parts = if version == 3 { 6 } else { 5 };
        assert_eq!(facts.pages, if version == 1 { 5 } else { 6 });
        assert_eq!(facts.file_len, (parts + facts.pages) * 4096);
        assert_eq!((facts.page_size, facts.pages_cut_off), (4096, 0));
        let minidump = facts.minidump.as_ref().unwrap();
        assert_eq!(minidump.message_buffer.len(), 26 * 200);
        assert!(minidump.message_buffer.bytes().starts_with(b"<118>Hello"));
        assert_eq!((minidump.bitmap_len, minidump.page_map_len), (4096, 4096));
    }
}

#[test]
fn a_minidump_has_a_fault_for_every_stage() {
    for version in 1..=3 {
        let memory = minidump(version);
        let left_out = |at: u64| (FaultKind::NotDumped, Stage::Page(PhysAddr::new(at)));
        assert_eq!(fault(&memory, DMAP + 0xb_8000), left_out(0xb_8000));
        assert_eq!(fault(&memory, DMAP + 0x7fff_f000), left_out(0x7fff_f000));
        assert_eq!(fault(&memory, KERNBASE + 0x2008), left_out(0x11_2000));
        assert_eq!(fault(&memory, 8), (FaultKind::BadAddress, Stage::Range));
        assert_eq!(fault(&memory, 0xdead_c0de_dead_c0d8), (FaultKind::BadAddress, Stage::Range));
        assert_eq!(fault(&memory, DMAP - 8), (FaultKind::NotMapped, Stage::Range));
        assert_eq!(fault(&memory, KERNBASE + (2 << 30)), (FaultKind::NotMapped, Stage::Range));
        let invalid = match version {
            1 => Stage::Pmap { index: 1, value: 0x11_1000 },
            _ => Stage::Entry { level: "PT", at: PhysAddr::new(0x11_0008), value: 0x11_1000 },
        };
        assert_eq!(fault(&memory, KERNBASE + 0x1000), (FaultKind::NotMapped, invalid));
        if version > 1 {
            let table = Stage::Table { level: "PT", at: PhysAddr::new(0x11_3000) };
            assert_eq!(fault(&memory, KERNBASE + 0x40_0000), (FaultKind::NotDumped, table));
            let empty = Stage::Pmap { index: 3, value: 0 };
            assert_eq!(fault(&memory, KERNBASE + 0x60_0000), (FaultKind::NotMapped, empty));
            assert_eq!(fault(&memory, KERNBASE + 0x20_2000), left_out(0x20_2000));
        }
    }
}

#[test]
fn page_tables_of_four_and_five_levels_are_walked() {
    for paging in [Paging::FourLevel, Paging::FiveLevel] {
        let memory = full_dump(paging);
        assert_eq!(memory.core().format, Format::ElfCore);
        assert_eq!(memory.core().facts.pages, 12);
        assert_eq!(word(&memory, KERNBASE + 8), word_at(0x9_e008));
        assert_eq!(word(&memory, KERNEL + 0x20_1000), word_at(LOAD + 0x1000));
        assert_eq!(word(&memory, DMAP + 0x9_d000), word_at(0x9_d000));
        let translated = memory.translate(VirtAddr::new(DMAP + 0x3fff_ffff)).unwrap();
        assert_eq!(translated, PhysAddr::new(0x3fff_ffff));
    }
}

#[test]
fn a_walk_names_the_level_that_failed() {
    let memory = full_dump(Paging::FourLevel);
    let entry = |level, at, value| {
        (FaultKind::NotMapped, Stage::Entry { level, at: PhysAddr::new(at), value })
    };
    assert_eq!(fault(&memory, KERNBASE + 0x2000), entry("PT", 0x10_5010, 0x9_e000));
    assert_eq!(fault(&memory, KERNBASE + (2 << 21)), entry("PD", 0x10_4010, 0));
    assert_eq!(fault(&memory, DMAP + (1 << 30)), entry("PDPT", 0x10_2008, 0));
    assert_eq!(fault(&memory, DMAP + (1 << 39)), entry("PML4", 0x10_0000 + 497 * 8, 0));
    let table = Stage::Table { level: "PT", at: PhysAddr::new(0x7f_0000) };
    assert_eq!(fault(&memory, KERNBASE + (1 << 21)), (FaultKind::NotDumped, table));
    let hole = Stage::Page(PhysAddr::new(0xa_0000));
    assert_eq!(fault(&memory, KERNBASE + 0x1000), (FaultKind::NotDumped, hole));
    let odd = (FaultKind::BadAddress, Stage::Range);
    assert_eq!(fault(&memory, 0x1234_ffff_0000_0000), odd);
    assert_eq!(fault(&memory, 0xff00_0000_0000_0000), odd);
    let five = full_dump(Paging::FiveLevel);
    assert_eq!(fault(&five, 0xff00_0000_0000_0000), entry("PML5", 0x10_6000 + 256 * 8, 0));
    assert_eq!(fault(&five, 0xfe00_0000_0000_0000), odd);
}

#[test]
fn the_root_is_found_through_a_variable_of_the_kernel() {
    let mut dump = FullDump::sample();
    // KPML4phys at kernel + 2M + 0x100.
    let kernel = dump.memory.0.get_mut(&(LOAD / 4096)).unwrap();
    kernel[0x100..0x108].copy_from_slice(&0x10_0000_u64.to_le_bytes());
    let core = core(dump.write().0);
    assert!(matches!(core.hints, Hints::Physical));
    let kernbase = VirtAddr::new(KERNEL);
    let image = KernelImage::amd64_candidates(core.memory(), kernbase, None).next().unwrap();
    let variable = image.phys(VirtAddr::new(KERNEL + 0x20_0100));
    let mut root = [0; 8];
    core.memory().read(variable, &mut root).unwrap();
    let root = PhysAddr::new(u64::from_le_bytes(root));
    let tables = page_tables(root, Paging::FourLevel);
    let memory = KernelMemory::from_core(core, Box::new(tables));
    assert_eq!(word(&memory, KERNEL + 0x20_0100), 0x10_0000);
}

#[test]
fn a_hypervisor_core_is_read_in_spite_of_its_header() {
    let mut dump = FullDump::sample();
    (dump.os, dump.ehsize) = (0, 8);
    let core = core(dump.write().0);
    assert_eq!(core.warnings, Vec::<String>::new());
    let mut bytes = [0; 8];
    core.memory().read(PhysAddr::new(0x9_e000), &mut bytes).unwrap();
    assert_eq!(u64::from_le_bytes(bytes), word_at(0x9_e000));
}

#[test]
fn reads_cross_pages_and_stop_at_the_first_that_is_missing() {
    let memory = full_dump(Paging::FourLevel);
    // 0x9d000 and 0x9e000 follow each other in the direct map, then comes the hole.
    let at = VirtAddr::new(DMAP + 0x9_dff8);
    let mut bytes = [0; 16];
    memory.read(at, &mut bytes).unwrap();
    assert_eq!(bytes[8..], word_at(0x9_e000).to_le_bytes());
    let mut bytes = vec![0xee; 3 * 4096];
    let (len, fault) = memory.read_prefix(at, &mut bytes);
    let fault = fault.unwrap();
    assert_eq!((len, fault.kind), (8 + 4096, FaultKind::NotDumped));
    assert_eq!(fault.address, VirtAddr::new(DMAP + 0x9_f000));
    assert_eq!(bytes[4096..4104], word_at(0x9_eff8).to_le_bytes());
    assert_eq!(memory.read(at, &mut bytes).unwrap_err(), fault);
    let (len, fault) = memory.read_prefix(VirtAddr::new(KERNBASE), &mut bytes);
    assert_eq!((len, fault.unwrap().address), (4096, VirtAddr::new(KERNBASE + 4096)));
    assert_eq!(memory.read_prefix(at, &mut []), (0, None));
}

#[test]
fn a_read_does_not_wrap_around_the_address_space() {
    let mut dump = Minidump::sample(2);
    // The last page there is: one entry for each 2 MB from kernbase to the top.
    dump.page_map.resize(2048 * 512, 0);
    dump.page_map[2048 * 512 - 1] = synth::large(0x20_0000);
    dump.memory.page(0x3f_f000);
    let core = core(dump.write().0);
    let Hints::PageMap(map) = core.hints.clone() else { panic!("{core:?}") };
    let memory = KernelMemory::from_core(core, paging::page_map(map));
    let mut bytes = [0; 16];
    let (len, fault) = memory.read_prefix(VirtAddr::new(u64::MAX - 7), &mut bytes);
    assert_eq!((len, fault.unwrap().kind), (8, FaultKind::BadAddress));
    assert_eq!(bytes[..8], word_at(0x3f_fff8).to_le_bytes());
}

#[test]
fn strings_end_at_their_nul_their_limit_or_their_fault() {
    let mut dump = Minidump::sample(3);
    let page = dump.memory.0.get_mut(&0x9e).unwrap();
    page[4090..].copy_from_slice(b"web01x");
    page[100..106].copy_from_slice(b"web01\0");
    let core = core(dump.write().0);
    let Hints::PageMap(map) = core.hints.clone() else { panic!("{core:?}") };
    let memory = KernelMemory::from_core(core, paging::page_map(map));
    let string = |at, max| memory.c_string(VirtAddr::new(DMAP + 0x9_e000 + at), max);
    assert_eq!(string(100, 64).unwrap(), b"web01");
    assert_eq!(string(100, 3).unwrap(), b"web");
    assert_eq!(string(4090, 6).unwrap(), b"web01x");
    assert_eq!(string(4090, 7).unwrap_err().kind, FaultKind::NotDumped);
}

#[test]
fn numbers_have_the_size_that_is_asked_for() {
    let memory = minidump(3);
    let at = VirtAddr::new(DMAP + 0x1_0008);
    assert_eq!(memory.u8(at).unwrap(), 0x09);
    assert_eq!(memory.u16(at).unwrap(), 0x0009);
    assert_eq!(memory.u32(at).unwrap(), 0x0001_0009);
    assert_eq!(memory.uint(at, 3).unwrap(), 0x01_0009);
    assert_eq!(memory.pointer(at).unwrap(), VirtAddr::new(word_at(0x1_0008)));
}

#[test]
fn a_dump_cut_among_its_pages_reads_as_far_as_it_goes() {
    let (mut bytes, boundaries) = Minidump::sample(3).write();
    let pages = boundaries.iter().find(|(name, _)| *name == "pages").unwrap().1;
    // Pages in order: 0x10, 0x9e, 0x110 (the page table), 0x111, 0x200, 0x201.
    bytes.truncate(pages + 3 * 4096 + 16);
    let core = core(bytes);
    assert_eq!(core.facts.pages_cut_off, 3);
    assert!(core.warnings[0].contains("3 of 6 pages are cut off"), "{:?}", core.warnings);
    let Hints::PageMap(map) = core.hints.clone() else { panic!("{core:?}") };
    let memory = KernelMemory::from_core(core, paging::page_map(map));
    assert_eq!(word(&memory, KERNBASE + 8), word_at(0x11_1008));
    let end = Stage::File(FileOffset::new((pages + 3 * 4096 + 16) as u64));
    assert_eq!(fault(&memory, KERNBASE + 0x10), (FaultKind::Truncated, end));
    let (len, fault) = memory.read_prefix(VirtAddr::new(KERNBASE), &mut [0; 64]);
    assert_eq!((len, fault.unwrap().kind), (16, FaultKind::Truncated));
}

#[test]
fn a_live_dump_ends_with_its_header() {
    let (mut bytes, _) = Minidump::sample(3).write();
    let (end, len) = (bytes.len(), bytes.len() as u64);
    let mut header =
        DumpHeader { version: 4, block: 4096, key_len: 0, compression: 0, len, extent: len }
            .write();
    header.truncate(512);
    bytes.extend(header);
    let live = core(bytes.clone());
    assert_eq!(live.header.unwrap().host, "crashed.example.org");
    assert_eq!(live.warnings, Vec::<String>::new());
    // One whose parity is wrong is not believed.
    bytes[end + 70] ^= 1;
    let damaged = core(bytes);
    assert_eq!(damaged.header, None);
    assert!(damaged.warnings[0].contains("goes on for 0x200 bytes"), "{:?}", damaged.warnings);
}

#[test]
fn padding_is_no_memory_and_other_bytes_are_worth_a_warning() {
    let (bytes, _) = Minidump::sample(3).write();
    let warnings = |extra: &[u8]| core([&bytes, extra].concat()).warnings;
    assert_eq!(warnings(&[0; 512]), Vec::<String>::new());
    assert!(warnings(b"junk")[0].contains("goes on for 0x4 bytes"));
}

#[test]
fn ranges_of_memory_may_meet_within_a_page() {
    let mut dump = Minidump::sample(3);
    // The page at 0x9e000 has a bit in each of the first two; the first is the one set.
    dump.dump_avail = vec![(0x1000, 0x9_e800), (0x9_e800, 0x9_f000), (0x10_0000, 0x40_0000)];
    let core = core(dump.write().0);
    assert_eq!(core.facts.pages, 6);
    let mut word = [0; 8];
    for phys in [0x1_0000, 0x9_e000, 0x9_eff8, 0x11_1000, 0x20_1000] {
        core.memory().read(PhysAddr::new(phys), &mut word).unwrap();
        assert_eq!(u64::from_le_bytes(word), word_at(phys));
    }
}

#[test]
fn more_segments_than_a_half_word_counts_are_counted_elsewhere() {
    let (mut bytes, _) = FullDump::sample().write();
    let count = u32::from(bytes[56]);
    let section_at = bytes.len() as u64;
    bytes[40..48].copy_from_slice(&section_at.to_le_bytes());
    bytes[56..58].copy_from_slice(&[0xff, 0xff]);
    let mut section = [0; 64];
    section[44..48].copy_from_slice(&count.to_le_bytes());
    bytes.extend(section);
    assert_eq!(core(bytes.clone()).facts.pages, 12);
    bytes.truncate(bytes.len() - 1);
    let error = dump::open(Source::from_vec("vmcore", bytes)).unwrap_err();
    assert!(error.to_string().contains("section header 0"), "{error}");
}

#[test]
fn segments_that_say_the_same_twice_are_merged() {
    let (mut bytes, _) = FullDump { os: 0, ..FullDump::sample() }.write();
    // A second copy of the first program header, in the place of the last.
    let count = usize::from(bytes[56]);
    let first = bytes[64..64 + 56].to_vec();
    bytes[64 + (count - 1) * 56..64 + count * 56].copy_from_slice(&first);
    assert_eq!(core(bytes).facts.pages, 10);
}
