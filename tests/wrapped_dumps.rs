//! Dumps that are compressed, or lie on a dump device, answer as the plain ones do.

mod synth;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use synth::{DumpHeader, FullDump, KERNBASE, Minidump, word_at};
use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Core, Hints};
use vnetkvm::error::{DumpError, UnpackError};
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging;
use vnetkvm::source::Source;
use vnetkvm::source::unpack::Packing;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn open(bytes: Vec<u8>) -> Result<Core, DumpError> {
    dump::open(Source::from_vec("vmcore.0", bytes))
}

#[test]
fn minidumps_are_unpacked_and_read() {
    for version in 1..=3 {
        let (plain, _) = Minidump::sample(version).write();
        let forms = [(Packing::Gzip, gzip(&plain)), (Packing::Zstd, zstd(&plain))];
        for (packing, mut packed) in forms {
            let len = packed.len();
            packed.resize(len.next_multiple_of(4096), 0);
            let core = open(packed).unwrap();
            let told = core.packed.unwrap();
            assert_eq!((told.packing, told.len), (packing, len.next_multiple_of(4096) as u64));
            assert_eq!(core.facts.file_len, plain.len() as u64);
            assert_eq!(core.warnings, Vec::<String>::new());
            let Hints::PageMap(map) = core.hints.clone() else { panic!("{core:?}") };
            let memory = KernelMemory::from_core(core, paging::page_map(map));
            assert_eq!(memory.u64(VirtAddr::new(KERNBASE)).unwrap(), word_at(0x11_1000));
        }
    }
}

#[test]
fn full_dumps_are_unpacked_and_read() {
    let (plain, _) = FullDump::sample().write();
    for packed in [gzip(&plain), zstd(&plain)] {
        let core = open(packed).unwrap();
        let mut word = [0; 8];
        core.memory().read(PhysAddr::new(0x9_e000), &mut word).unwrap();
        assert_eq!(u64::from_le_bytes(word), word_at(0x9_e000));
    }
}

#[test]
fn a_dump_that_is_cut_off_is_read_as_far_as_it_goes() {
    let (plain, _) = Minidump::sample(2).write();
    // Stored, not deflated: what is cut off is as much of what comes out.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&plain).unwrap();
    let mut packed = encoder.finish().unwrap();
    packed.truncate(packed.len() - 6000);
    let core = open(packed).unwrap();
    let [first, second] = core.warnings.as_slice() else { panic!("{:?}", core.warnings) };
    assert!(first.contains("the gzip stream is cut off"), "{first}");
    assert!(second.contains("pages are cut off"), "{second}");
}

#[test]
fn what_is_in_a_compressed_file_is_named_if_it_is_no_dump() {
    let message = |bytes| open(bytes).unwrap_err().to_string();
    assert!(message(zstd(b"hello")).contains("data in an unknown format"));
    assert!(message(gzip(b"\x7fELF\x02\x01\x01\x09\0\0\0\0\0\0\0\0\x02\0")).contains("a kernel"));
    assert!(message(gzip(&zstd(&gzip(&zstd(b"hello"))))).contains("in a compressed file"));
    let mut damaged = gzip(&Minidump::sample(2).write().0);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 20].fill(0xff);
    let error = open(damaged).unwrap_err();
    assert!(matches!(error, DumpError::Unpack(UnpackError::Damaged { .. })), "{error:?}");
}

fn header(version: u32, block: usize, dump: &[u8]) -> DumpHeader {
    let len = dump.len() as u64;
    let extent = len.next_multiple_of(block as u64);
    DumpHeader { version, block, key_len: 0, compression: 0, len, extent }
}

fn read_back(core: Core) {
    let Hints::PageMap(map) = core.hints.clone() else { panic!("{core:?}") };
    let memory = KernelMemory::from_core(core, paging::page_map(map));
    assert_eq!(memory.u64(VirtAddr::new(KERNBASE)).unwrap(), word_at(0x11_1000));
}

#[test]
fn a_dump_is_found_at_the_end_of_its_device() {
    let (plain, _) = Minidump::sample(2).write();
    for (version, block) in [(1, 512), (1, 4096), (4, 512), (4, 4096)] {
        let core = open(header(version, block, &plain).device(&plain)).unwrap();
        let told = core.header.clone().unwrap();
        assert_eq!((told.version, told.host.as_str()), (version, "crashed.example.org"));
        assert_eq!(core.facts.file_len, plain.len() as u64);
        assert_eq!(core.warnings, Vec::<String>::new());
        read_back(core);
    }
}

#[test]
fn a_compressed_dump_is_found_by_its_extent() {
    let (plain, _) = Minidump::sample(2).write();
    for (compression, packed) in [(1, gzip(&plain)), (2, zstd(&plain))] {
        let header =
            DumpHeader { compression, extent: plain.len() as u64, ..header(4, 512, &packed) };
        let core = open(header.device(&packed)).unwrap();
        assert_eq!(core.packed.unwrap().len, packed.len() as u64);
        assert_eq!(core.facts.file_len, plain.len() as u64);
        assert_eq!(core.warnings, Vec::<String>::new());
        read_back(core);
        // And all of that compressed by whoever sent it.
        let core = open(zstd(&header.device(&packed))).unwrap();
        assert!(core.header.is_some());
        read_back(core);
    }
}

#[test]
fn a_dump_behind_its_header_needs_no_second_one() {
    let (plain, _) = FullDump::sample().write();
    let mut bytes = header(4, 512, &plain).write();
    bytes.extend(&plain);
    let core = open(bytes.clone()).unwrap();
    assert_eq!(core.header.unwrap().panic, "page fault");
    assert_eq!(core.warnings, Vec::<String>::new());
    bytes.truncate(bytes.len() - 100);
    let warnings = open(bytes).unwrap().warnings;
    assert!(warnings[0].contains("0x64 bytes before the dump does"), "{warnings:?}");
}

#[test]
fn damaged_headers_of_a_device_make_errors_or_warnings() {
    let (plain, _) = Minidump::sample(2).write();
    let whole = header(4, 512, &plain).device(&plain);
    let last = whole.len() - 512;
    for at in (0..512).step_by(4) {
        for value in [0, u32::MAX, 0x1000] {
            let mut bytes = whole.clone();
            bytes[last + at..last + at + 4].copy_from_slice(&value.to_be_bytes());
            if bytes == whole {
                continue;
            }
            match open(bytes) {
                Err(error) => assert!(error.to_string().contains("parity"), "{at}: {error}"),
                // Where it is no header any more, the first one tells all.
                Ok(core) => {
                    assert!(core.warnings[0].contains("damaged or gone"), "{:?}", core.warnings);
                    read_back(core);
                }
            }
        }
    }
    let mut bytes = whole.clone();
    bytes[64 << 10..(64 << 10) + 20].fill(0);
    assert!(open(bytes).unwrap().warnings[0].contains("written over"));
}

#[test]
fn a_device_whose_end_is_missing_is_read_by_its_first_header() {
    let (plain, _) = Minidump::sample(2).write();
    let packed = zstd(&plain);
    let extent = plain.len() as u64;
    let devices = [
        header(1, 512, &plain).device(&plain),
        header(4, 512, &plain).device(&plain),
        header(4, 4096, &plain).device(&plain),
        DumpHeader { compression: 2, extent, ..header(4, 512, &packed) }.device(&packed),
    ];
    for (number, device) in devices.iter().enumerate() {
        for missing in [1, 512, 4096] {
            let cut_off = device[..device.len() - missing].to_vec();
            for bytes in [gzip(&cut_off), cut_off] {
                let core = open(bytes).unwrap();
                assert!(core.header.is_some());
                let warning = &core.warnings[0];
                assert!(warning.contains("end of the dump device"), "{number} {missing} {warning}");
                read_back(core);
            }
        }
    }
}

#[test]
fn a_live_dump_keeps_its_header_at_the_end() {
    let (mut bytes, _) = Minidump::sample(3).write();
    let len = bytes.len();
    bytes.extend(header(4, 512, &bytes).write());
    bytes.resize(len + 4096, 0);
    let core = open(bytes).unwrap();
    assert_eq!(core.header.as_ref().unwrap().host, "crashed.example.org");
    assert_eq!(core.warnings, Vec::<String>::new());
}
