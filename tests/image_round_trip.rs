//! What the builder wrote is what the reader reads: every kernel, every format,
//! every byte of every live object.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Hints};
use vnetkvm::error::FaultKind;
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging::amd64::{Paging, page_tables};
use vnetkvm::paging::{self, KernelImage};
use vnetkvm::source::Source;

const KERNBASE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);

fn kernel(name: &str) -> Kernel {
    Kernel::open(Source::open(format!("fixtures/kernel/{name}")).unwrap(), None).unwrap()
}

fn image(name: &str, extra: &str) -> Image {
    let text = std::fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    build(&Scenario::parse(&format!("{text}\n{extra}")).unwrap(), kernel(name)).unwrap()
}

/// Opens the dump as the reader does: minidumps by their page map, full dumps by the kernel's
/// page tables, found from its symbols.
fn read(image: &Image, format: Format) -> KernelMemory {
    let mut file = Cursor::new(Vec::new());
    image.write(format, &mut file).unwrap();
    let core = dump::open(Source::from_vec(format.name(), file.into_inner())).unwrap();
    assert_eq!(core.warnings, Vec::<String>::new());
    let translation = match core.hints.clone() {
        Hints::PageMap(map) => paging::page_map(map),
        Hints::Virtual => paging::identity(),
        Hints::Physical => {
            let kernel = image.runtime().kernel().kernel();
            let address = |name| kernel.symbol(name).map(|symbol| symbol.address);
            let kernphys = address("kernphys").filter(|at| *at >= KERNBASE);
            let mut candidates = KernelImage::amd64_candidates(core.memory(), KERNBASE, kernphys);
            let place = candidates.next().expect("the kernel image is found");
            let mut la57 = [0; 4];
            if let Some(variable) = address("la57") {
                core.memory().read(place.phys(variable), &mut la57).unwrap();
            }
            let (root, paging) = match la57 == [0; 4] {
                true => ("KPML4phys", Paging::FourLevel),
                false => ("KPML5phys", Paging::FiveLevel),
            };
            let root = place.phys(address(root).unwrap());
            let mut value = [0; 8];
            core.memory().read(root, &mut value).unwrap();
            Box::new(page_tables(PhysAddr::new(u64::from_le_bytes(value)), paging))
        }
    };
    KernelMemory::from_core(core, translation)
}

/// Every live heap object and the kernel's whole image are as the builder left them.
fn compare(image: &Image, memory: &KernelMemory, what: &str) {
    let kernel = image.runtime().kernel();
    let heap = kernel.machine().allocations().map(|(at, object)| (at, object.size));
    let segments = kernel.kernel().segments().map(|segment| (segment.virt, segment.mem_size));
    let mut compared = 0;
    for (at, size) in heap.chain(segments) {
        let mut expected = vec![0; size as usize];
        let mut got = expected.clone();
        kernel.machine().read(at, &mut expected).unwrap();
        memory.read(at, &mut got).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        assert!(expected == got, "{what}: {size} bytes at {at} differ");
        compared += size;
    }
    assert!(compared > 300_000, "{what}: only {compared} bytes were compared");
}

#[test]
fn every_format_reads_back_from_every_kernel() {
    let all = "[machine]\nkernel_map = \"0xfffffffe40000000\"";
    for name in ["classic-clang-dwarf4", "classic-gcc-dwarf5", "newer-clang-dwarf4"] {
        let image = image(name, all);
        let formats = [Format::MinidumpV1, Format::MinidumpV2, Format::MinidumpV3, Format::Full];
        for format in formats {
            compare(&image, &read(&image, format), &format!("{name} {}", format.name()));
        }
    }
}

#[test]
fn a_distant_kernel_map_and_small_pages_read_back() {
    let image = image("classic-clang-dwarf4", "[machine]\nsuperpages = false");
    for format in [Format::MinidumpV2, Format::MinidumpV3, Format::Full] {
        compare(&image, &read(&image, format), format.name());
    }
}

#[test]
fn a_relocated_kernel_with_five_levels_reads_back() {
    let moved = "[machine]\npaging = \"la57\"\nload_address = \"0x1400000\"";
    let image = image("newer-clang-dwarf4", moved);
    for format in [Format::MinidumpV2, Format::MinidumpV3, Format::Full] {
        compare(&image, &read(&image, format), format.name());
    }
    let machine = image.runtime().kernel().machine();
    let text = VirtAddr::new(0xffff_ffff_8020_0000);
    assert_eq!(machine.physical(text), Some(PhysAddr::new(0x140_0000)));
}

#[test]
fn memory_above_four_gigabytes_reads_back() {
    let text = std::fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    let text = text.replace("memory = \"64M\"", "memory = \"5G\"");
    let scenario = Scenario::parse(&text).unwrap();
    let image = build(&scenario, kernel("newer-clang-dwarf4")).unwrap();
    let machine = image.runtime().kernel().machine();
    let block = machine.allocations().find(|(_, object)| object.kind == "vnet_data").unwrap().0;
    assert!(machine.physical(block).unwrap().get() > 4 << 30, "the kernel map lies high up");
    for format in [Format::MinidumpV2, Format::MinidumpV3] {
        compare(&image, &read(&image, format), format.name());
    }
}

#[test]
fn what_is_left_out_is_not_dumped_and_what_is_unmapped_is_not_mapped() {
    let step = "[[step]]\ndo = \"leave-out\"\njail = \"web01\"\nvariable = \"modspace\"";
    let image = image("classic-clang-dwarf4", step);
    let runtime = image.runtime();
    let web01 = runtime.jail_scope("web01").unwrap();
    let modspace = runtime.find(web01, "modspace").unwrap().address;
    let last_page = runtime.kernel_map_end().wrapping_add(0x10);
    for format in [Format::MinidumpV2, Format::MinidumpV3, Format::Full] {
        let memory = read(&image, format);
        assert_eq!(memory.u8(modspace).unwrap_err().kind, FaultKind::NotDumped);
        assert_eq!(memory.u8(last_page).unwrap_err().kind, FaultKind::NotMapped);
        let host = runtime.find(runtime.host(), "modspace").unwrap().address;
        assert!(memory.u8(host).is_ok(), "the host's copy is there");
    }
}

#[test]
fn the_demonstration_opens() {
    let demo = vnetkvm::image::demo().unwrap();
    let core = dump::open(demo.core).unwrap();
    assert_eq!(core.facts.pages_cut_off, 0);
    let facts = core.facts.minidump.unwrap();
    let messages = facts.message_buffer.bytes();
    let text = String::from_utf8_lossy(messages);
    assert!(text.contains("panic: tcp_usr_send: inp == NULL\n"), "{text}");
}
