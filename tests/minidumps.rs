//! Minidumps of every architecture, written by hand, read back.

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
