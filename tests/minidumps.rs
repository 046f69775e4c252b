//! Minidumps of every architecture, written by hand, read back; and damaged in
//! every field and at every boundary, they never lead to garbage.

mod synth;

use synth::flat::{FlatDump, word_at};
use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Core, Format, Hints};
use vnetkvm::error::{DumpError, Fault, FaultKind, Stage};
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging;
use vnetkvm::source::Source;

fn open(bytes: Vec<u8>) -> Result<Core, DumpError> {
    dump::open(Source::from_vec("vmcore.0", bytes))
}

fn memory(core: Core) -> KernelMemory {
    let Hints::PageMap(map) = core.hints.clone() else { panic!("{core:?}") };
    KernelMemory::from_core(core, paging::page_map(map))
}

fn fault(memory: &KernelMemory, at: u64) -> (FaultKind, Stage) {
    let Fault { kind, stage, .. } = memory.u64(VirtAddr::new(at)).unwrap_err();
    (kind, stage)
}

#[test]
fn every_machine_and_version_reads_back() {
    for dump in FlatDump::all() {
        let core = open(dump.write().0).unwrap_or_else(|error| panic!("{}: {error}", dump.name));
        assert_eq!(core.warnings, Vec::<String>::new(), "{}", dump.name);
        assert_eq!(core.format, Format::Minidump { version: dump.version as u32 });
        assert_eq!(core.facts.page_size, dump.page);
        assert_eq!(core.facts.pages, (dump.pages.len() + dump.tables.len()) as u64);
        let memory = memory(core);
        for (virt, phys) in &dump.truth {
            let value = memory.u64(VirtAddr::new(*virt));
            assert_eq!(value, Ok(word_at(*phys)), "{}: {virt:#x}", dump.name);
        }
    }
}

#[test]
fn the_faults_of_every_machine_are_told_apart() {
    for dump in FlatDump::all() {
        let memory = memory(open(dump.write().0).unwrap());
        let name = &dump.name;
        let (at, index, value) = dump.invalid;
        let (kind, stage) = fault(&memory, at);
        assert_eq!(kind, FaultKind::NotMapped, "{name}");
        if name.contains("radix") {
            assert!(matches!(stage, Stage::Entry { level: "L4", .. }), "{name}: {stage}");
        } else if name.contains("powerpc64") {
            assert!(matches!(stage, Stage::HashGroup { .. }), "{name}: {stage}");
        } else {
            assert_eq!(stage, Stage::Pmap { index, value }, "{name}");
        }
        let (at, page) = dump.left_out;
        let expected = (FaultKind::NotDumped, Stage::Page(PhysAddr::new(page)));
        assert_eq!(fault(&memory, at), expected, "{name}");
        assert_eq!(fault(&memory, 16), (FaultKind::BadAddress, Stage::Range), "{name}");
        if name.contains("powerpc64") {
            continue;
        }
        let kernbase = memory.core().facts.minidump.as_ref().unwrap().kernbase.get();
        let beyond = kernbase + dump.page_map.len() as u64 * dump.page;
        assert_eq!(fault(&memory, beyond), (FaultKind::NotMapped, Stage::Range), "{name}");
        assert_eq!(
            fault(&memory, 0xdead_c0de_dead_c0d8),
            (FaultKind::BadAddress, Stage::Range),
            "{name}"
        );
    }
}

/// A name, and what it does to a field.
type Damage = (&'static str, fn(u64) -> u64);

const DAMAGES: [Damage; 4] = [
    ("zero", |_| 0),
    ("all ones", |_| u64::MAX),
    ("a page up", |value| value.wrapping_add(4096)),
    ("a page down", |value| value.wrapping_sub(4096)),
];

/// Opens `bytes`, and checks that every word that can be read is the right one.
/// Gives how many could be read, and whether the dump warned.
fn survey(what: &str, dump: &FlatDump, bytes: Vec<u8>) -> Result<(usize, bool), String> {
    let core = open(bytes).map_err(|error| error.to_string())?;
    let warned = !core.warnings.is_empty();
    let memory = memory(core);
    let mut readable = 0;
    for (virt, phys) in &dump.truth {
        if let Ok(value) = memory.u64(VirtAddr::new(*virt)) {
            assert_eq!(value, word_at(*phys), "{what}: garbage at {virt:#x}");
            readable += 1;
        }
    }
    Ok((readable, warned))
}

#[test]
fn damaged_fields_never_lead_to_garbage() {
    for dump in FlatDump::all() {
        let (bytes, _) = dump.write();
        for (field, at, size, value) in dump.header_fields() {
            for (name, damage) in DAMAGES {
                let what = format!("{}, {field} {name}", dump.name);
                let mut bytes = bytes.clone();
                let value = damage(value);
                match dump.big_endian {
                    true => bytes[at..at + size].copy_from_slice(&value.to_be_bytes()[8 - size..]),
                    false => bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]),
                }
                match survey(&what, &dump, bytes) {
                    Ok((readable, warned)) => {
                        assert!(warned || readable == dump.truth.len(), "{what}: silently less");
                    }
                    Err(message) => {
                        assert!(message.len() < 400, "{what}: {message}");
                        // Sizes explain each other: the message names the field or one it
                        // disagrees with.
                        let named = message.contains(field)
                            || [
                                "page map",
                                "dumpavailsize",
                                "memory ranges",
                                "dump_avail",
                                "not supported",
                            ]
                            .iter()
                            .any(|said| message.contains(said));
                        assert!(named, "{what}: {message}");
                    }
                }
            }
        }
    }
}

#[test]
fn files_cut_at_any_boundary_are_errors_or_read_less() {
    for dump in FlatDump::all() {
        let (bytes, boundaries) = dump.write();
        for (part, at) in boundaries {
            for cut in [at.saturating_sub(1), at, at + 1, at + 100, at + dump.page as usize] {
                if cut >= bytes.len() {
                    continue;
                }
                let what = format!("{} cut at {cut:#x}, {part}", dump.name);
                match survey(&what, &dump, bytes[..cut].to_vec()) {
                    Ok((_, warned)) => assert!(warned, "{what}: no warning"),
                    Err(message) => {
                        let said = ["the file ends at", "an empty file", "no format"];
                        assert!(said.iter().any(|said| message.contains(said)), "{message}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_format_that_the_entries_do_not_bear_out_is_refused() {
    // Without PAE the upper halves of its entries would be entries of their own.
    let dump = FlatDump::i386(2, true);
    let (mut bytes, _) = dump.write();
    bytes[44] = 0;
    let message = open(bytes).unwrap_err().to_string();
    assert!(message.contains("page map"), "{message}");
    let (mut bytes, _) = FlatDump::i386(2, false).write();
    bytes[44] = 1;
    let message = open(bytes).unwrap_err().to_string();
    assert!(message.contains("page map"), "{message}");
}

#[test]
fn a_kernel_that_runs_elsewhere_than_it_is_linked_says_where() {
    for dump in FlatDump::all() {
        let core = open(dump.write().0).unwrap();
        let displaced = dump.name.contains("powerpc64");
        let start = displaced.then_some(VirtAddr::new(0xc000_0000_0020_0100));
        assert_eq!(core.clues.start, start, "{}", dump.name);
        if displaced {
            // An address of the file is none of the running kernel.
            let fault = memory(core).u64(VirtAddr::new(0x10_0108)).unwrap_err();
            assert_eq!(fault.kind, FaultKind::NotMapped, "{}", dump.name);
        }
    }
}
