//! Damaged dumps: each field of each header set to what it cannot be, each file
//! cut where it hurts. The answer is an error that names the field, or a dump that
//! reads less; what it does read is right. Never a panic.

mod synth;

use proptest::prelude::*;
use synth::{DMAP, FullDump, KERNBASE, KERNEL, LOAD, Minidump, word_at};
use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Core, Hints};
use vnetkvm::error::DumpError;
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging;
use vnetkvm::paging::amd64::{Paging, page_tables};
use vnetkvm::source::Source;

/// A field of a header: name, offset, size.
type Field = (&'static str, usize, usize);

const MINIDUMP_FIELDS: &[Field] = &[
    ("magic", 0, 8),
    ("architecture", 17, 5),
    ("version", 24, 4),
    ("msgbufsize", 28, 4),
    ("bitmapsize", 32, 4),
    ("pmapsize", 36, 4),
    ("kernbase", 40, 8),
    ("dmapbase", 48, 8),
    ("dmapend", 56, 8),
];
const DUMP_AVAIL_SIZE: Field = ("dumpavailsize", 64, 4);

const ELF_FIELDS: &[Field] = &[
    ("magic", 0, 4),
    ("EI_CLASS", 4, 1),
    ("EI_DATA", 5, 1),
    ("EI_OSABI", 7, 1),
    ("e_type", 16, 2),
    ("e_machine", 18, 2),
    ("e_version", 20, 4),
    ("e_entry", 24, 8),
    ("e_phoff", 32, 8),
    ("e_shoff", 40, 8),
    ("e_flags", 48, 4),
    ("e_ehsize", 52, 2),
    ("e_phentsize", 54, 2),
    ("e_phnum", 56, 2),
    ("e_shentsize", 58, 2),
    ("e_shnum", 60, 2),
    ("e_shstrndx", 62, 2),
];
const SEGMENT_FIELDS: &[Field] = &[
    ("p_type", 0, 4),
    ("p_flags", 4, 4),
    ("p_offset", 8, 8),
    ("p_vaddr", 16, 8),
    ("p_paddr", 24, 8),
    ("p_filesz", 32, 8),
    ("p_memsz", 40, 8),
    ("p_align", 48, 8),
];

/// A name, and what it does to a field.
type Damage = (&'static str, fn(u64) -> u64);

const DAMAGES: [Damage; 4] = [
    ("zero", |_| 0),
    ("all ones", |_| u64::MAX),
    ("a page up", |value| value.wrapping_add(4096)),
    ("a page down", |value| value.wrapping_sub(4096)),
];

fn damaged(bytes: &[u8], (_, at, size): Field, damage: fn(u64) -> u64) -> Vec<u8> {
    let mut value = [0; 8];
    value[..size].copy_from_slice(&bytes[at..at + size]);
    let value = damage(u64::from_le_bytes(value)).to_le_bytes();
    let mut bytes = bytes.to_vec();
    bytes[at..at + size].copy_from_slice(&value[..size]);
    bytes
}

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

/// Kernel addresses that lead to a page of words, and what they lead to.
fn truth(minidump: Option<u32>) -> Vec<(u64, u64)> {
    let mut all = vec![(DMAP + 0x9_e000, 0x9_e000), (DMAP + LOAD, LOAD)];
    match minidump {
        Some(1) => all.extend([(KERNBASE, 0x11_1000), (KERNBASE + 0x3000, 0x9_e000)]),
        Some(_) => all.extend([(KERNBASE, 0x11_1000), (KERNBASE + 0x20_1000, 0x20_1000)]),
        None => all.extend([(KERNBASE, 0x9_e000), (KERNEL + 0x20_1000, 0x20_1000)]),
    }
    all
}

/// Opens `bytes`, and checks that every word that can be read is the right one.
/// Gives how many could be read, and whether the dump warned.
fn survey(what: &str, bytes: Vec<u8>, minidump: Option<u32>) -> Result<(usize, bool), String> {
    let core = match open(bytes) {
        Ok(core) => core,
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 400, "{what}: {message}");
            return Err(message);
        }
    };
    let warned = !core.warnings.is_empty();
    let memory = memory(core);
    let mut readable = 0;
    for (virt, phys) in truth(minidump) {
        if let Ok(value) = memory.u64(VirtAddr::new(virt)) {
            assert_eq!(value, word_at(phys), "{what}: garbage at {virt:#x}");
            readable += 1;
        }
    }
    Ok((readable, warned))
}

/// The survey of a damaged field: an error, or as good as new, or less with a warning.
fn check_damage(what: &str, field: &str, bytes: Vec<u8>, minidump: Option<u32>) {
    match survey(what, bytes, minidump) {
        Ok((readable, warned)) => {
            assert!(warned || readable == truth(minidump).len(), "{what}: silently less");
        }
        Err(message) => {
            // Sizes explain each other: the message names the field or one it disagrees with.
            let named = message.contains(field)
                || ["not a crash dump", "not supported", "wrong", "each segment begins", "p_"]
                    .iter()
                    .any(|said| message.contains(said));
            assert!(named, "{what}: {message}");
        }
    }
}

#[test]
fn damaged_fields_of_a_minidump_never_lead_to_garbage() {
    for version in 1..=3 {
        let (bytes, _) = Minidump::sample(version).write();
        let newer = (version == 3).then_some(&DUMP_AVAIL_SIZE);
        for field in MINIDUMP_FIELDS.iter().chain(newer) {
            for (name, damage) in DAMAGES {
                let what = format!("version {version}, {} {name}", field.0);
                check_damage(&what, field.0, damaged(&bytes, *field, damage), Some(version));
            }
        }
    }
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
fn damaged_fields_of_a_full_dump_never_lead_to_garbage() {
    let (bytes, _) = FullDump::sample().write();
    let count = usize::from(bytes[56]);
    for field in ELF_FIELDS {
        for (name, damage) in DAMAGES {
            let what = format!("{} {name}", field.0);
            check_damage(&what, field.0, damaged(&bytes, *field, damage), None);
        }
    }
    for segment in 0..count {
        for (field, at, size) in SEGMENT_FIELDS {
            for (name, damage) in DAMAGES {
                let what = format!("segment {segment}, {field} {name}");
                let at = 64 + segment * 56 + at;
                check_damage(&what, field, damaged(&bytes, (field, at, *size), damage), None);
            }
        }
    }
}

#[test]
fn a_file_cut_at_any_boundary_is_an_error_or_a_warning() {
    let mut dumps = vec![(None, FullDump::sample().write())];
    dumps.extend((1..=3).map(|version| (Some(version), Minidump::sample(version).write())));
    for (version, (bytes, boundaries)) in dumps {
        let end = bytes.len();
        for (part, at) in boundaries {
            for cut in [at.saturating_sub(1), at, at + 1, at + 100, at + 4096] {
                if cut >= end {
                    continue;
                }
                let what = format!("{version:?} cut at {cut:#x}, {part}");
                match survey(&what, bytes[..cut].to_vec(), version) {
                    Ok((_, warned)) => assert!(warned, "{what}: no warning"),
                    Err(message) => {
                        let said = ["the file ends at", "an empty file", "no format", "cut off"];
                        assert!(said.iter().any(|said| message.contains(said)), "{message}");
                    }
                }
            }
        }
    }
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
        "the minidump header says dmapbase is 0x0, which cannot be: \
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
    assert_eq!(message(17, 4, 0x0034_3678), "a minidump of \"x64\" is not supported");
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
