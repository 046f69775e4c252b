//! Physical memory of every architecture: page tables walked from their root, in
//! full dumps, hypervisor dumps, raw memory and cores by virtual addresses.

mod synth;

use std::sync::Arc;

use synth::flat::word_at;
use synth::physical::{Image, Machine};
use vnetkvm::addr::{FileOffset, PhysAddr, VirtAddr};
use vnetkvm::arch::Arch;
use vnetkvm::dump::{self, Core, Format, Hints, MemorySegment};
use vnetkvm::error::{FaultKind, Stage};
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging::{self, KernelImage, Sample, Translate, amd64, arm, arm64, i386, riscv64};
use vnetkvm::source::Source;

fn source(bytes: Vec<u8>) -> Source {
    Source::from_vec("vmcore", bytes)
}

fn tables(machine: &Machine) -> Box<dyn Translate> {
    let root = PhysAddr::new(machine.root);
    match machine.name {
        "arm64 4K" => Box::new(arm64::page_tables(root, 4096)),
        "arm64 16K" => Box::new(arm64::page_tables(root, 16384)),
        "riscv64 Sv39" => Box::new(riscv64::page_tables(root, riscv64::Paging::Sv39)),
        "riscv64 Sv48" => Box::new(riscv64::page_tables(root, riscv64::Paging::Sv48)),
        "i386" => Box::new(i386::page_tables(root, i386::Paging::Plain)),
        "i386 PAE" => Box::new(i386::page_tables(root, i386::Paging::Pae)),
        "armv7" => Box::new(arm::page_tables(root, arm::Paging::Short)),
        "armv7 LPAE" => Box::new(arm::page_tables(root, arm::Paging::Long)),
        "amd64" => Box::new(amd64::page_tables(root, amd64::Paging::FourLevel)),
        other => panic!("{other}"),
    }
}

fn check(machine: &Machine, core: Core) {
    assert_eq!(core.warnings, Vec::<String>::new(), "{}", machine.name);
    assert_eq!(core.arch.elf_machine(), machine.elf_machine, "{}", machine.name);
    let memory = KernelMemory::from_core(core, tables(machine));
    for (virt, phys) in &machine.truth {
        let value = memory.u64(VirtAddr::new(*virt));
        assert_eq!(value, Ok(word_at(*phys)), "{}: {virt:#x}", machine.name);
    }
    for (virt, level, at, value) in &machine.invalid {
        let fault = memory.u64(VirtAddr::new(*virt)).unwrap_err();
        let stage = Stage::Entry { level, at: PhysAddr::new(*at), value: *value };
        assert_eq!((fault.kind, fault.stage), (FaultKind::NotMapped, stage), "{}", machine.name);
    }
}

#[test]
fn page_tables_of_every_machine_are_walked_in_full_dumps() {
    for machine in Machine::all() {
        let core = dump::open(source(machine.full_dump())).unwrap();
        assert_eq!(core.format, Format::ElfCore);
        check(&machine, core);
    }
}

#[test]
fn raw_memory_reads_the_same() {
    for machine in Machine::all() {
        let arch = Arch::ALL.into_iter().find(|arch| arch.elf_machine() == machine.elf_machine);
        let (bytes, segments) = machine.raw();
        let segments = segments.into_iter().map(|(phys, len, offset)| MemorySegment {
            phys: PhysAddr::new(phys),
            len,
            offset: FileOffset::new(offset),
        });
        let segments = segments.collect::<Vec<_>>();
        let core = dump::open_raw(Arc::new(source(bytes)), arch.unwrap(), &segments).unwrap();
        assert_eq!(core.format, Format::Raw);
        check(&machine, core);
    }
}

#[test]
fn a_memory_map_that_cannot_be_is_refused() {
    let open = |segments: &[(u64, u64, u64)]| {
        let segments = segments.iter().map(|(phys, len, offset)| MemorySegment {
            phys: PhysAddr::new(*phys),
            len: *len,
            offset: FileOffset::new(*offset),
        });
        let bytes = Arc::new(source(vec![1; 0x3000]));
        dump::open_raw(bytes, Arch::Amd64, &segments.collect::<Vec<_>>())
    };
    let message = |segments| open(segments).unwrap_err().to_string();
    assert!(message(&[(0, 0x2000, 0), (0x1000, 0x1000, 0x2000)]).contains("start is 0x1000"));
    assert!(message(&[(0, 0, 0)]).contains("length is 0x0"));
    assert!(message(&[(u64::MAX, 2, 0)]).contains("wraps around"));
    assert!(message(&[(0, 2, u64::MAX)]).contains("offset is 0xffffffffffffffff"));
    let core = open(&[(0x10_0000, 0x4000, 0)]).unwrap();
    assert_eq!(core.facts.pages_cut_off, 1);
    assert!(core.warnings[0].contains("memory map"), "{:?}", core.warnings);
    assert!(dump::open_raw(Arc::new(source(Vec::new())), Arch::Amd64, &[]).is_err());
}

#[test]
fn qemu_notes_the_roots_of_the_page_tables() {
    let mut machine = Machine::i386(true);
    machine.class_64 = true;
    machine.os = 0;
    machine.notes = synth::physical::qemu_notes(&[machine.root, 0x1234_5000]);
    let core = dump::open(source(machine.full_dump())).unwrap();
    assert_eq!(core.arch, Arch::I386);
    let roots = [machine.root, 0x1234_5000].map(PhysAddr::new);
    assert_eq!(core.clues.roots, roots);
    check(&machine, core);
}

#[test]
fn more_memory_than_32_bits_count_is_put_where_it_belongs() {
    let machine = Machine::i386(true);
    assert!(machine.pages.keys().any(|phys| *phys >= 1 << 32));
    let bytes = machine.full_dump();
    assert_eq!(bytes[4], 1, "an ELF file of 32 bits");
    check(&machine, dump::open(source(bytes)).unwrap());
}

#[test]
fn arm_says_where_its_kernel_was_loaded() {
    let mut machine = Machine::arm(false);
    machine.delta = Some((0xc000_0000, 0x1000_0000));
    let core = dump::open(source(machine.full_dump())).unwrap();
    let image = (VirtAddr::new(0xc000_0000), PhysAddr::new(0x1000_0000));
    assert_eq!(core.clues.image, Some(image));
    check(&machine, core);
}

#[test]
fn a_core_by_virtual_addresses_is_read_as_it_is() {
    let base = 0xffff_fe00_0000_0000;
    let image = Image { virt: base, pages: vec![0x1000, 0x5000] };
    let core = dump::open(source(image.virtual_core())).unwrap();
    assert_eq!(core.format, Format::VirtualCore);
    assert!(matches!(core.hints, Hints::Virtual));
    let memory = KernelMemory::from_core(core, paging::identity());
    assert_eq!(memory.u64(VirtAddr::new(base + 0x1008)), Ok(word_at(base + 0x1008)));
    let fault = memory.u64(VirtAddr::new(base + 0x2000)).unwrap_err();
    assert_eq!((fault.kind, fault.stage), (FaultKind::NotDumped, Stage::Segment));
    assert!(memory.read_prefix(VirtAddr::new(u64::MAX - 3), &mut [0; 8]).1.is_some());
}

#[test]
fn a_kernel_is_found_by_its_own_bytes() {
    let machine = Machine::arm64(4096);
    let (bytes, _) = machine.raw();
    let ram = *machine.pages.keys().next().unwrap();
    // The image, linked at `virt`, lies 2 MB into memory.
    let (virt, phys) = (VirtAddr::new(0xffff_0000_0000_0000), PhysAddr::new(ram + (2 << 20)));
    let mut memory = vec![0; 4 << 20];
    memory[..bytes.len()].copy_from_slice(&bytes);
    let sample = |offset: u64| Sample {
        at: virt.wrapping_add(offset),
        bytes: std::array::from_fn(|index| (offset as u8 ^ 0x5a).wrapping_mul(index as u8 | 1)),
    };
    let samples = [sample(0x40), sample(0x1040), sample(0x8080), sample(0x1_0010)];
    for sample in &samples[..3] {
        let at = (2 << 20) + (sample.at.get() - virt.get()) as usize;
        memory[at..at + Sample::LEN].copy_from_slice(&sample.bytes);
    }
    let segment =
        MemorySegment { phys: PhysAddr::new(ram), len: 4 << 20, offset: FileOffset::new(0) };
    let core = dump::open_raw(Arc::new(source(memory)), Arch::Arm64, &[segment]).unwrap();
    let found = KernelImage::search(core.memory(), virt, &samples).next();
    assert_eq!(found, Some(KernelImage { virt, phys }), "one sample was patched");
    let strangers = [sample(0x4000), sample(0x5000)];
    assert_eq!(KernelImage::search(core.memory(), virt, &strangers).next(), None);
    assert_eq!(KernelImage::search(core.memory(), virt, &[]).next(), None);
}
