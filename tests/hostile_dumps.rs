//! Damaged dumps: what the messages say, and that any bytes at all get an answer.
//! `hostile_matrix.rs` goes through every field and every boundary of every format.

mod synth;

use proptest::prelude::*;
use synth::{DMAP, FullDump, KERNBASE, KERNEL, Minidump};
use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Core, Hints};
use vnetkvm::error::DumpError;
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging;
use vnetkvm::paging::amd64::{Paging, page_tables};
use vnetkvm::source::Source;

fn open(bytes: Vec<u8>) -> Result<Core, DumpError> {
    dump::open(Source::from_vec("vmcore.0", bytes))
}

fn memory(core: Core) -> KernelMemory {
    let translation = match core.hints.clone() {
        Hints::PageMap(map) => paging::page_map(map),
        Hints::Virtual => paging::identity(),
        Hints::Physical => {
            Box::new(page_tables(PhysAddr::new(0x10_0000), Paging::FourLevel)) as Box<_>
        }
    };
    KernelMemory::from_core(core, translation)
}

#[test]
fn memory_ranges_that_cannot_be_are_refused() {
    let with = |ranges: &[(u64, u64)]| {
        let (mut bytes, boundaries) = Minidump::sample(3).write();
        let at = boundaries.iter().find(|(name, _)| *name == "dump_avail").unwrap().1;
        let pairs = ranges.iter().flat_map(|(start, end)| [*start, *end]);
        for (index, value) in pairs.enumerate() {
            bytes[at + index * 8..at + index * 8 + 8].copy_from_slice(&value.to_le_bytes());
        }
        open(bytes).unwrap_err().to_string()
    };
    assert!(with(&[(0x9_f000, 0x1000)]).contains("dump_avail is 0x9f000..0x1000"));
    assert!(with(&[(0x1000, 0x9_f000), (0x9_0000, 0x40_0000)]).contains("do not overlap"));
    assert!(with(&[(0x1000, 0x9_f000), (0x10_0000, 1 << 40)]).contains("bitmapsize is 0x1000"));
    assert!(with(&[(0, u64::MAX)]).contains("do not overlap"));
    assert!(with(&[(0, 0), (0x10_0000, 0x40_0000)]).contains("data after the end"));
}

#[test]
fn the_message_names_the_field_that_is_wrong() {
    let (bytes, _) = Minidump::sample(3).write();
    let message = |at, size, value: u64| {
        let mut bytes = bytes.clone();
        bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        open(bytes).unwrap_err().to_string()
    };
    assert_eq!(
        message(48, 8, 0),
        "the minidump header says dmapbase is 0x0, which is not possible: \
         it is an address of the kernel's, on a boundary of 2 MB"
    );
    assert_eq!(
        message(24, 4, 9),
        "version 9 of the amd64 minidump (1 to 3 are known) is not supported"
    );
    assert_eq!(
        message(28, 4, 0xffff_f000),
        "the file ends at 0xc000, but the message buffer (msgbufsize) needs 0x100000000 bytes"
    );
    assert_eq!(
        message(17, 4, 0x0034_3678),
        "a minidump of the architecture \"x64\" is not supported"
    );
}

#[test]
fn cores_that_are_none_of_a_kernel_are_told_apart() {
    let (bytes, _) = FullDump { os: 0, ..FullDump::sample() }.write();
    let with = |virt: u64| {
        let mut bytes = bytes.clone();
        for segment in 0..usize::from(bytes[56]) {
            let at = 64 + segment * 56;
            bytes[at + 16..at + 24].copy_from_slice(&(virt + at as u64 * 4096).to_le_bytes());
            bytes[at + 24..at + 32].fill(0);
        }
        open(bytes)
    };
    assert!(with(0x20_0000).unwrap_err().to_string().contains("the core of a process"));
    assert!(matches!(with(0xffff_ffff_8000_0000).unwrap().hints, Hints::Virtual));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a few bytes say, and wherever the file ends: an answer.
    #[test]
    fn any_bytes_get_an_answer(
        version in 0_u32..=3,
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 0..6),
        in_header in any::<bool>(),
        len in 0.0..2.0_f64,
        addresses in prop::collection::vec(any::<u64>(), 8),
    ) {
        let mut bytes = match version {
            0 => FullDump::sample().write().0,
            version => Minidump::sample(version).write().0,
        };
        let reach = if in_header { 400 } else { bytes.len() };
        for (place, value) in changes {
            bytes[(place * reach as f64) as usize] = value;
        }
        bytes.truncate((len * bytes.len() as f64) as usize);
        if let Ok(core) = open(bytes) {
            let memory = memory(core);
            let mut buf = [0; 5000];
            for at in addresses.into_iter().chain([KERNBASE, DMAP, DMAP + 0x9_e000, KERNEL, 0]) {
                let (len, fault) = memory.read_prefix(VirtAddr::new(at), &mut buf);
                prop_assert_eq!(len == buf.len(), fault.is_none());
                let _ = memory.c_string(VirtAddr::new(at), 10_000);
            }
        }
    }
}
