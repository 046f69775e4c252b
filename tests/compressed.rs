//! Compressed dumps answer as the plain ones do.

mod synth;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use synth::{FullDump, KERNBASE, Minidump, word_at};
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
    let message = |bytes| {
        let error = open(bytes).unwrap_err();
        (error.to_string(), error.hint().to_owned())
    };
    assert!(message(zstd(b"hello")).0.contains("no format that is known"));
    assert!(message(gzip(b"\x7fELF\x02\x01\x01\x09\0\0\0\0\0\0\0\0\x02\0")).0.contains("a kernel"));
    assert!(message(gzip(&zstd(b"hello"))).0.contains("compressed once more"));
    let mut damaged = gzip(&Minidump::sample(2).write().0);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 20].fill(0xff);
    let error = open(damaged).unwrap_err();
    assert!(matches!(error, DumpError::Unpack(UnpackError::Damaged { .. })), "{error:?}");
}
