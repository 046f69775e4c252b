//! The memory of a machine without any header: the kernel is found in it by its own
//! bytes, and all questions have the answers that the full dump gives.

#![cfg(feature = "image")]

use std::io::Cursor;
use std::sync::Arc;

use vnetkvm::addr::{FileOffset, PhysAddr, VirtAddr};
use vnetkvm::arch::Arch;
use vnetkvm::dump::{self, Format as Dump, MemorySegment};
use vnetkvm::error::FaultKind;
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::source::unpack::Packing;
use vnetkvm::value::{Limits, Value};

const KERNEL: &str = "fixtures/kernel/classic-clang-dwarf4";

fn image(extra: &str) -> Image {
    let text = std::fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    image_of(KERNEL, &format!("{text}\n{extra}"))
}

fn image_of(kernel: &str, scenario: &str) -> Image {
    let kernel = Kernel::open(Source::open(kernel).unwrap(), None).unwrap();
    build(&Scenario::parse(scenario).unwrap(), kernel).unwrap()
}

/// The full dump's memory: pieces of it, their addresses and lengths.
fn memory(image: &Image) -> Vec<(PhysAddr, Vec<u8>)> {
    let mut file = Cursor::new(Vec::new());
    image.write(Format::Full, &mut file).unwrap();
    let core = dump::open(Source::from_vec("full", file.into_inner())).unwrap();
    let read = |range: std::ops::Range<PhysAddr>| {
        let mut bytes = vec![0; range.end.offset_from(range.start).unwrap() as usize];
        core.memory().read(range.start, &mut bytes).unwrap();
        (range.start, bytes)
    };
    core.memory().ranges().into_iter().map(read).collect()
}

/// Memory from address 0 on, with zeros where there is none.
fn raw(image: &Image) -> Vec<u8> {
    let mut raw = Vec::new();
    for (start, bytes) in memory(image) {
        raw.resize(start.get() as usize, 0);
        raw.extend(bytes);
    }
    raw
}

fn check(session: &Session) {
    assert_eq!(session.target().memory().core().format, Dump::Raw);
    let vnets = &session.vnets().unwrap().all;
    assert_eq!(
        vnets.iter().map(|vnet| vnet.ifcnt).collect::<Vec<_>>(),
        [Some(4), Some(2), Some(2)]
    );
    let vnet = session.select(&Selector::Index(1)).unwrap().stacks[0];
    let value = session.print(vnet, "V_ip_defttl", &Limits::default()).unwrap().value;
    assert_eq!(value, Value::Int(42));
}

#[test]
fn raw_memory_is_found_to_be_the_kernels() {
    let raw = raw(&image(""));
    let kernel = || Source::open(KERNEL).unwrap();
    let packed = zstd::encode_all(&*raw, 1).unwrap();
    let core = Source::from_vec("memory", raw);
    check(&Session::from_sources(kernel(), core).unwrap());
    let session = Session::from_sources(kernel(), Source::from_vec("memory.zst", packed)).unwrap();
    check(&session);
    assert_eq!(session.core().packed.unwrap().packing, Packing::Zstd);
}

/// Its one segment may be written: what does not change in it is known by its sections.
#[test]
fn a_kernel_in_one_writable_segment_is_found_by_its_code_and_constants() {
    for name in ["powerpc64", "powerpc64le"] {
        let path = format!("fixtures/kernel/{name}");
        let kernel = Kernel::open(Source::open(&path).unwrap(), None).unwrap();
        let rights: Vec<_> = kernel.segments().map(|s| (s.writable, s.executable)).collect();
        assert_eq!(rights, [(true, true)], "{name}");
        for load in ["5M", "49M"] {
            let scenario = format!(
                "kernel = \"{name}\"\nmemory = \"64M\"\n[machine]\nload_address = \"{load}\"\n\
                 [host]\nvalues = {{ ip_defttl = 42 }}\n"
            );
            let core = Source::from_vec("memory", raw(&image_of(&path, &scenario)));
            let session = Session::from_sources(Source::open(&path).unwrap(), core).unwrap();
            assert_eq!(session.core().format, Dump::Raw, "{name} at {load}");
            let vnet = session.select(&Selector::Index(0)).unwrap().stacks[0];
            let value = session.print(vnet, "V_ip_defttl", &Limits::default()).unwrap().value;
            assert_eq!(value, Value::Int(42), "{name} at {load}");
        }
    }
}

#[test]
fn memory_with_its_holes_left_out_is_read_by_its_map() {
    let (mut raw, mut memory_map) = (Vec::new(), Vec::new());
    for (phys, bytes) in memory(&image("")) {
        let offset = FileOffset::new(raw.len() as u64);
        memory_map.push(MemorySegment { phys, len: bytes.len() as u64, offset });
        raw.extend(bytes);
    }
    let directory = tempfile::tempdir().unwrap();
    let core = directory.path().join("memory");
    std::fs::write(&core, raw).unwrap();
    let options = Options { kernel: Some(KERNEL.into()), core, memory_map, ..Options::default() };
    check(&Session::open(&options).unwrap());
    let options = Options { kernel_phys: Some(PhysAddr::new(0x20_0000)), ..options };
    check(&Session::open(&options).unwrap());
    let options = Options { kernel_phys: Some(PhysAddr::new(0x40_0000)), ..options };
    assert!(Session::open(&options).is_err());
}

#[test]
fn memory_of_another_machine_is_no_dump() {
    let core = Source::from_vec("memory", b"some text, again and again\n".repeat(100_000));
    let error = Session::from_sources(Source::open(KERNEL).unwrap(), core).unwrap_err();
    assert_eq!(error.to_string(), "memory is not a usable dump");
}

#[test]
fn what_a_device_does_not_give_is_a_fault() {
    let all = MemorySegment { phys: PhysAddr::new(0), len: 1 << 30, offset: FileOffset::new(0) };
    // It has no bytes at all.
    let source = Arc::new(Source::open("/dev/null").unwrap());
    let core = dump::open_raw(source, Arch::Amd64, &[all]).unwrap();
    assert!(core.is_live());
    let memory = KernelMemory::from_core(core, paging::identity());
    let fault = memory.u64(VirtAddr::new(0x5008)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotDumped);
    let said = "0x5008 cannot be read: the machine has no memory at 0x5008";
    assert_eq!(fault.to_string(), said);
}
