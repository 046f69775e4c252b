//! Every architecture in every format: what the builder wrote is what the reader reads.
//!
//! The matrix is generated: each kernel below, with each kind of page tables that it can have,
//! in each format that its architecture has; and each kernel once in everything that may be
//! around a dump. Each image has the same history, whose results are read back through the
//! whole library: kernel, types, dump, page tables, vnets, values.

#![cfg(feature = "image")]

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use vnetkvm::addr::{FileOffset, VirtAddr};
use vnetkvm::dump::{MemorySegment, open_raw};
use vnetkvm::image::{DumpFile, Format, Image, ImageError, Scenario, Wrapping, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::Session;
use vnetkvm::source::Source;
use vnetkvm::target::Target;
use vnetkvm::types::Types;
use vnetkvm::value::model::ErrorKind;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::{Stack, Vnet};
use vnetkvm::writing::WriteError;

/// A kernel in `fixtures/kernel/`, and the machine, where it is not the ordinary one: a kind of
/// page tables, or where the kernel is loaded.
const MACHINES: [(&str, &str); 19] = [
    ("classic-clang-dwarf4", ""),
    ("newer-clang-dwarf4", "la57"),
    ("newer-clang-dwarf4", "6M"),
    ("arm64", ""),
    ("arm64-newer", ""),
    ("arm64-newer", "16k"),
    ("arm64-newer", "0x40600000"),
    ("riscv64", ""),
    ("riscv64", "sv48"),
    ("i386", ""),
    ("i386-pae", ""),
    ("i386-newer", "pae"),
    ("armv7", ""),
    ("armv7", "lpae"),
    ("powerpc64", ""),
    ("powerpc64", "5M"),
    ("powerpc64", "hashed"),
    ("powerpc64le", "16M"),
    ("powerpc64le", "hashed"),
];

const SCENARIO: &str = r#"
hostname = "gw.example.org"
cpus = 2
memory = "32M"
formats = ["minidump-v1"]
messages = ["the first line", "the last line"]

[host]
values = { ip_defttl = 64 }

[[step]]
do = "jail"
name = "one"
values = { ip_defttl = 1, feat_in_addr = "198.51.100.1", feat_enum_signed = "FEAT_PLUS" }
[step.statistics.ipstat]
ips_total = [60, 5]

[[step]]
do = "jail"
name = "two"
values = { ip_defttl = 2, feat_in6_addr = "2001:db8::2" }
"#;

fn image(kernel: &str, machine: &str) -> Image {
    let mut text = SCENARIO.to_owned();
    let is_place = machine.ends_with('M') || machine.starts_with("0x");
    if !machine.is_empty() {
        let key = if is_place { "load_address" } else { "paging" };
        text += &format!("[machine]\n{key} = \"{machine}\"\n");
    }
    let kernel = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    let kernel = Kernel::open(kernel, None).unwrap();
    build(&Scenario::parse(&text).unwrap(), kernel).unwrap()
}

/// The dump, or `None` where the architecture has no such format.
fn core(image: &Image, file: &DumpFile) -> Option<Source> {
    let mut core = Cursor::new(Vec::new());
    match image.write(file, &mut core) {
        Err(ImageError::Format(_) | ImageError::Dump(WriteError::NoSuchVersion { .. })) => None,
        other => {
            other.unwrap();
            Some(Source::from_vec(file.name(), core.into_inner()))
        }
    }
}

fn session(kernel: &str, core: Source) -> Session {
    let kernel = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    Session::from_sources(kernel, core).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Raw memory does not say what it is, so it is opened with what is known of the machine. Every
/// live object of the heap must be found, and what the kernel's segments hold. Then without.
fn check_raw(kernel: &str, image: &Image, raw: Source) {
    check(&session(kernel, raw.clone()));
    let kernel = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    let kernel = Kernel::open(kernel, None).unwrap();
    let built = image.runtime().kernel();
    let page_size = built.machine().page_size();
    let start = built.machine().memory_ranges().next().unwrap().start;
    let segment = MemorySegment { phys: start, len: raw.len(), offset: FileOffset::new(0) };
    let core = open_raw(Arc::new(raw), kernel.arch(), &[segment]).unwrap();
    let types = Types::load(&kernel);
    let target = Target::open(kernel, core, types).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(target.memory().page_size(), page_size);
    let heap = built.machine().allocations().map(|(at, object)| (at, object.size));
    let image = built.kernel().segments().map(|part| (built.running(part.virt), part.mem_size));
    for (at, size) in heap.chain(image) {
        let (mut expected, mut got) = (vec![0; size as usize], vec![0; size as usize]);
        built.machine().read(at, &mut expected).unwrap();
        target.memory().read(at, &mut got).unwrap();
        assert!(expected == got, "{size} bytes at {at} differ");
    }
}

/// What no variable may be.
const UNREAD: [ErrorKind; 4] =
    [ErrorKind::NotMapped, ErrorKind::NotDumped, ErrorKind::Truncated, ErrorKind::NoType];

/// What the scenario says, read from the dump, and every variable; panics where it is not so.
fn check(session: &Session) {
    check_history(session);
    let vnets = &session.vnets().unwrap().all;
    let every_variable = session.variables(&[]).unwrap();
    let reader = session.reader(&Limits::default());
    for variable in &every_variable {
        let (_, value) = session.value_by(&reader, Stack::from(&vnets[1]), variable);
        let unread = matches!(&value, Value::Error(error) if UNREAD.contains(&error.kind));
        assert!(!unread, "{}: {value:?}", variable.name);
    }
    check_places(session);
}

/// What the scenario says, and what it does not.
fn check_history(session: &Session) {
    assert_eq!(session.warnings(), [""; 0]);
    assert!(session.vnets().unwrap().problems.is_empty());
    let vnets = &session.vnets().unwrap().all;
    let jails: Vec<&str> =
        vnets.iter().map(|vnet| &*vnet.jails.as_ref().unwrap()[0].name).collect();
    assert_eq!(jails, ["0", "one", "two"]);
    for (vnet, ttl) in vnets.iter().zip([64, 1, 2]) {
        assert!(vnet.problems.is_empty(), "{:?}", vnet.problems);
        assert_eq!(print(session, vnet, "V_ip_defttl"), Value::Int(ttl));
    }
    let total = print(session, &vnets[1], "V_ipstat[0]");
    assert!(matches!(total, Value::Counter { sum: 65, .. }), "{total:?}");
    let total = print(session, &vnets[2], "V_ipstat[0]");
    assert!(matches!(total, Value::Counter { sum: 0, .. } | Value::Error(_)), "{total:?}");
    let ipstat = &session.counter_variables(&["ipstat".into()], &[]).unwrap()[0];
    assert_eq!(&*ipstat.type_name, "struct ipstat");
    let sums = session.counter_sums((&vnets[1]).into(), ipstat);
    let cpus = sums.members[0].cpus.iter().map(|slot| slot.value.clone().unwrap());
    assert_eq!(cpus.collect::<Vec<_>>(), [60, 5]);
    let plus = print(session, &vnets[1], "V_feat_enum_signed");
    assert!(matches!(&plus, Value::Enum(found) if found.name.as_deref() == Some("FEAT_PLUS")));
    assert_eq!(session.memory().u8(VirtAddr::new(16)).unwrap_err().address.get(), 16);
}

/// Names, addresses, types and what the file has of memory agree, wherever the kernel runs.
fn check_places(session: &Session) {
    let (kernel, memory) = (session.kernel(), session.memory());
    let version = kernel.symbol("version").unwrap();
    let mut bytes = [0; 8];
    memory.read(version.address, &mut bytes).unwrap();
    assert_eq!(&bytes, b"FreeBSD ");
    assert_eq!(*kernel.initial_bytes(version.address, 8).unwrap(), bytes);
    let host = &session.vnets().unwrap().all[0];
    let prison = print(session, host, "proc0.p_ucred->cr_prison");
    let Value::Pointer(prison) = prison else { panic!("{prison:?}") };
    assert_eq!(Some(prison.address), kernel.symbol("prison0").map(|symbol| symbol.address));
    let at = prison.symbol().unwrap();
    assert_eq!((&*at.name, at.offset), ("prison0", 0));
    assert_eq!(kernel.set_vnet(), kernel.section_range("set_vnet"));
    let ttl = session.variables(&["ip_defttl".into()]).unwrap().remove(0);
    let typed = session.target().variable_at(ttl.master).unwrap();
    assert_eq!((&*typed.name, typed.address), ("vnet_entry_ip_defttl", ttl.master));
}

fn print(session: &Session, vnet: &Vnet, expression: &str) -> Value {
    session.print(vnet.into(), expression, &Limits::default()).unwrap().value
}

#[test]
fn every_machine_reads_back_from_every_format() {
    let mut wrong = Vec::new();
    let mut right = 0;
    for (kernel, machine) in MACHINES {
        let image = image(kernel, machine);
        for format in Format::ALL {
            let Some(core) = core(&image, &format.into()) else { continue };
            let result = catch_unwind(AssertUnwindSafe(|| match format {
                Format::Raw => check_raw(kernel, &image, core),
                _ => check(&session(kernel, core)),
            }));
            match result {
                Ok(()) => right += 1,
                Err(_) => wrong.push(format!("{kernel} {machine} {}", format.name())),
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(right > 95, "{right} pairs");
}

/// What a dump of this kernel may be wrapped in, the innermost first.
const WRAPPINGS: [&[Wrapping]; 9] = [
    &[Wrapping::Gzip],
    &[Wrapping::Zstd],
    &[Wrapping::DeviceV1],
    &[Wrapping::DeviceV4],
    &[Wrapping::Gzip, Wrapping::DeviceV4],
    &[Wrapping::Zstd, Wrapping::DeviceV4],
    &[Wrapping::DeviceV1, Wrapping::Gzip],
    &[Wrapping::Live],
    &[Wrapping::Zstd, Wrapping::Live],
];

/// One machine of each architecture, and its newest minidump.
fn one_of_each() -> Vec<(&'static str, &'static str, Format)> {
    let mut chosen: Vec<(&str, &str, Format)> = Vec::new();
    let arch = |kernel: &'static str| kernel.split('-').next().unwrap_or(kernel);
    for (kernel, machine) in MACHINES {
        if chosen.iter().all(|(other, ..)| arch(other) != arch(kernel)) {
            let is_amd64 = kernel.starts_with("classic") || kernel.starts_with("newer");
            let format = if is_amd64 { Format::MinidumpV3 } else { Format::MinidumpV2 };
            chosen.push((kernel, machine, format));
        }
    }
    chosen
}

/// The header around a dump says what the kernel said.
fn check_wrapped(session: &Session, image: &Image, file: &DumpFile, len: u64) {
    check_history(session);
    let core = session.core();
    // Around a live dump there is nothing but its header.
    let header_len = if file.wrappings == [Wrapping::Live] { 512 } else { 0 };
    assert_eq!(core.facts.file_len, len + header_len);
    let has_header = file.wrappings.iter().any(|w| !matches!(w, Wrapping::Gzip | Wrapping::Zstd));
    let header = core.header.as_ref();
    assert_eq!(header.is_some(), has_header);
    if let Some(header) = header {
        let arch = image.runtime().kernel().machine().arch();
        assert_eq!((&*header.host, &*header.architecture), ("gw.example.org", arch.name()));
        assert!(header.kernel_version.starts_with("FreeBSD "), "{}", header.kernel_version);
        assert!(header.parity_holds);
    }
    let packed = file.wrappings.iter().any(|w| matches!(w, Wrapping::Gzip | Wrapping::Zstd));
    assert_eq!(core.packed.is_some(), packed);
    let messages = core.saved_messages().unwrap();
    assert!(messages.starts_with(&["the first line".to_owned(), "the last line".to_owned()]));
}

#[test]
fn every_machine_reads_back_from_every_wrapping() {
    let mut wrong = Vec::new();
    for (kernel, machine, format) in one_of_each() {
        let image = image(kernel, machine);
        let plain = core(&image, &format.into()).unwrap().len();
        for wrappings in WRAPPINGS {
            let file = DumpFile { format, wrappings: wrappings.to_vec() };
            let result = catch_unwind(AssertUnwindSafe(|| {
                let session = session(kernel, core(&image, &file).unwrap());
                check_wrapped(&session, &image, &file, plain);
            }));
            wrong.extend(result.is_err().then(|| format!("{kernel} {machine} {file}")));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
