//! A dump in another form holds the same memory, and every question has the same answer.

#![cfg(all(feature = "image", feature = "cli"))]

mod converted;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::process::{Command, Output};

use converted::json;
use serde_json::Value;
use vnetkvm::Session;
use vnetkvm::answers::converted::Question;
use vnetkvm::answers::{self, Answer, Chosen, Remark};
use vnetkvm::budget::Allowance;
use vnetkvm::convert::{ConvertError, Form};
use vnetkvm::dump::{self, Hints};
use vnetkvm::error::Error;
use vnetkvm::image::{DumpFile, Format, Image, ImageError, Scenario, build};
use vnetkvm::kernel::{Kernel, LinkerSet};
use vnetkvm::memory::KernelMemory;
use vnetkvm::session::Selector;
use vnetkvm::source::Source;
use vnetkvm::value::Limits;
use vnetkvm::value::model::ErrorKind;

/// A kernel in `fixtures/kernel/`, and what is special about its machine.
const MACHINES: [(&str, &str); 14] = [
    ("classic-clang-dwarf4", ""),
    ("newer-clang-dwarf4", "paging = \"la57\""),
    ("newer-clang-dwarf4", "load_address = \"6M\""),
    ("arm64", ""),
    ("arm64-newer", "paging = \"16k\""),
    ("riscv64", ""),
    ("riscv64", "paging = \"sv48\""),
    ("i386", ""),
    ("i386-pae", ""),
    ("armv7", ""),
    ("armv7", "paging = \"lpae\""),
    ("powerpc64", ""),
    ("powerpc64", "paging = \"hashed\""),
    ("powerpc64le", "load_address = \"16M\""),
];

fn image(kernel: &str, machine: &str) -> Image {
    let text = std::fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    let kernel = Kernel::open(source(kernel), None).unwrap();
    build(&Scenario::parse(&format!("{text}\n[machine]\n{machine}\n")).unwrap(), kernel).unwrap()
}

fn source(kernel: &str) -> Source {
    Source::open(format!("fixtures/kernel/{kernel}")).unwrap()
}

/// The dump, or `None` where the architecture has no such format.
fn core(image: &Image, format: Format) -> Option<Vec<u8>> {
    let mut core = Cursor::new(Vec::new());
    match image.write(format, &mut core) {
        Err(ImageError::Format(_) | ImageError::Dump(_) | ImageError::PageMapTooLarge { .. }) => {
            None
        }
        other => other.map(|()| Some(core.into_inner())).unwrap(),
    }
}

fn session(kernel: &str, core: Vec<u8>) -> Session {
    Session::from_sources(source(kernel), Source::from_vec("vmcore", core)).unwrap()
}

fn convert(session: &Session, form: Form) -> Result<(Vec<u8>, Value), Error> {
    converted::convert(session, form, false)
}

/// What a session says that does not depend on the form of the dump.
fn told(session: &Session) -> BTreeMap<&'static str, Value> {
    let chosen = || answers::Chosen::ask(session, &Selector::All).unwrap();
    let of_vnets = vnetkvm::answers::interfaces::Question { names: &[], long: true };
    BTreeMap::from([
        ("vnets", json(&answers::vnets(session, None, true).unwrap())),
        ("jails", json(&answers::jails(session, &Selector::Default).unwrap())),
        ("threads", json(&answers::threads(session, &Selector::Default, true).unwrap())),
        ("interfaces", json(&answers::interfaces(session, chosen(), of_vnets).unwrap())),
        ("locks", json(&answers::locks(session).unwrap())),
        ("modspace", json(&answers::modspace(session, LinkerSet::Vnet).unwrap())),
    ])
}

#[test]
fn every_answer_is_the_same_in_every_form() {
    for (kernel, machine) in MACHINES {
        let image = image(kernel, machine);
        for format in Format::ALL {
            // They are physical memory as a full dump is, and one kernel's suffice.
            let is_alike = matches!(format, Format::Raw | Format::Qemu | Format::Virtual);
            if is_alike && kernel != "classic-clang-dwarf4" {
                continue;
            }
            let Some(old) = core(&image, format) else { continue };
            let what = format!("{kernel} {machine} {}", format.name());
            let old = session(kernel, old);
            let expected = told(&old);
            for form in [Form::Full, Form::Raw, Form::Minidump] {
                let converted = convert(&old, form);
                // Nothing but a minidump says of these how addresses are translated.
                let only_minidump = machine.contains("hashed") || machine.contains("lpae");
                if format == Format::Virtual || only_minidump && form != Form::Minidump {
                    let why = converted.unwrap_err().to_string();
                    let known = why.contains("by virtual addresses") || why.contains("no page map");
                    assert!(known, "{what}: {why}");
                    continue;
                }
                let (new, said) = converted.unwrap_or_else(|why| panic!("{what}: {why:?}"));
                assert_eq!(said["pages_left_out"], 0, "{what}");
                assert_eq!(said["unreachable"], 0, "{what}");
                let new = session(kernel, new);
                assert_eq!(told(&new), expected, "{what} as {}", form.name());
            }
        }
    }
}

/// What the builder wrote is what a conversion to the same version gives.
#[test]
fn a_minidump_of_a_minidump_is_the_same_file() {
    for (kernel, machine) in MACHINES {
        let image = image(kernel, machine);
        for format in [Format::MinidumpV1, Format::MinidumpV2, Format::MinidumpV3] {
            let Some(old) = core(&image, format) else { continue };
            let (new, _) = convert(&session(kernel, old.clone()), Form::Minidump).unwrap();
            assert!(new == old, "{kernel} {machine} {}", format.name());
        }
    }
}

/// What was around a dump is not around the new one.
#[test]
fn what_is_around_a_dump_is_taken_off() {
    let image = image("classic-clang-dwarf4", "");
    let plain = core(&image, Format::MinidumpV2).unwrap();
    for name in ["minidump-v2.zst", "minidump-v2.device-v4", "minidump-v2.gz.device-v4"] {
        let mut old = Cursor::new(Vec::new());
        image.write(DumpFile::try_from(name.to_owned()).unwrap(), &mut old).unwrap();
        let old = session("classic-clang-dwarf4", old.into_inner());
        let (new, _) = convert(&old, Form::Minidump).unwrap();
        assert!(new == plain, "{name}");
    }
}

/// A minidump made of a full dump has the version that the kernel writes.
#[test]
fn a_minidump_of_a_full_dump_has_the_version_of_the_kernel() {
    for (kernel, version) in [
        ("classic-clang-dwarf4", 2),
        ("stable13-clang-dwarf4", 3),
        ("arm64", 1),
        ("arm64-newer", 3),
        ("riscv64", 2),
        ("i386", 1),
        ("i386-pae", 1),
        ("armv7", 1),
        ("powerpc64", 2),
    ] {
        let full = session(kernel, core(&image(kernel, ""), Format::Full).unwrap());
        let (new, _) = convert(&full, Form::Minidump).unwrap();
        let new = dump::open(Source::from_vec("vmcore", new)).unwrap();
        assert_eq!(new.format, dump::Format::Minidump { version }, "{kernel}");
        assert_eq!(new.warnings, [""; 0], "{kernel}");
        assert_eq!(new.facts.pages, full.core().facts.pages, "{kernel}");
        let Hints::PageMap(map) = new.hints.clone() else { panic!("{kernel}") };
        let of_kernel =
            |at| at >= map.kernbase || map.direct_map.iter().any(|map| map.range.contains(&at));
        let memory = KernelMemory::without_kernel(new).unwrap();
        // Everything that the page tables map is mapped to the same place by the page map.
        let (mut same, mut at) = (0, full.memory().page_size());
        while let Some((address, mapping)) = full.memory().next_mapping(at.into()) {
            // The page tables also map themselves, which a page map leaves out.
            if of_kernel(address) {
                assert_eq!(memory.translate(address), Ok(mapping.phys), "{kernel} {address}");
                same += 1;
            }
            let Some(next) = address.checked_add(mapping.len) else { break };
            at = next.get();
        }
        assert!(same > 10, "{kernel}: {same}");
    }
}

/// Every page that the old dump holds is in the new one, with the same bytes, and no other.
#[test]
fn a_full_dump_has_the_pages_of_the_minidump_and_no_other() {
    let image = image("classic-clang-dwarf4", "");
    let old = session("classic-clang-dwarf4", core(&image, Format::MinidumpV2).unwrap());
    let (full, said) = convert(&old, Form::Full).unwrap();
    let full = dump::open(Source::from_vec("full", full)).unwrap();
    assert_eq!(full.warnings, [""; 0]);
    assert_eq!(said["pages"], full.facts.pages);
    assert_eq!(full.facts.pages, old.core().facts.pages);
    let (mut was, mut is) = ([0; 4096], [0; 4096]);
    for frame in 0..full.memory().ranges().last().unwrap().end.get() / 4096 {
        let at = vnetkvm::addr::PhysAddr::new(frame * 4096);
        let read = old.core().memory().read(at, &mut was);
        assert_eq!(full.memory().read(at, &mut is), read, "{at}");
        assert!(was == is, "{at}");
    }
}

/// Raw memory of a machine whose memory is all dumped is what its memory is.
#[test]
fn raw_memory_is_byte_for_byte() {
    for kernel in ["classic-clang-dwarf4", "arm64"] {
        let image = image(kernel, "");
        let full = session(kernel, core(&image, Format::Full).unwrap());
        let (raw, said) = convert(&full, Form::Raw).unwrap();
        assert!(raw == core(&image, Format::Raw).unwrap(), "{kernel}");
        let start = if kernel == "arm64" { "0x40000000" } else { "0x0" };
        assert_eq!(said["start"], start);
    }
}

/// A minidump that is cut off gives what it has.
#[test]
fn what_is_cut_off_is_not_made_up() {
    let image = image("classic-clang-dwarf4", "");
    let mut cut = core(&image, Format::MinidumpV2).unwrap();
    cut.truncate(cut.len() - 10 * 4096 - 100);
    let old = session("classic-clang-dwarf4", cut);
    let (full, said) = convert(&old, Form::Full).unwrap();
    assert_eq!(said["pages"], old.core().facts.pages - 11);
    let full = dump::open(Source::from_vec("full", full)).unwrap();
    assert_eq!(full.facts.pages, old.core().facts.pages - 11);
}

fn convert_for(session: &Session, form: Form, jail: &str) -> Result<(Vec<u8>, Value), Error> {
    let wanted = Chosen::ask(session, &Selector::Jail(jail.into()))?;
    let mut out = Cursor::new(Vec::new());
    let question = Question { form, wanted: Some(&wanted), only_mapped: false, redact: false };
    let answer = answers::convert(session, question, &mut out, &mut |_| {})?;
    let remarks = answer.remarks().into_iter().map(|remark| match remark {
        Remark::Note(text) | Remark::Warning(text) => text,
    });
    let said = serde_json::json!({
        "left_out": json(&answer)["converted"][0]["pages_left_out"],
        "remarks": remarks.collect::<Vec<_>>(),
    });
    Ok((out.into_inner(), said))
}

/// V_ip_defttl of every vnet, or which kind of error it is.
fn defttl(session: &Session) -> Vec<Result<i128, ErrorKind>> {
    let of = |vnet| {
        let value = session.print(vnet, "V_ip_defttl", &Limits::default()).unwrap().value;
        match value {
            vnetkvm::value::Value::Int(value) => Ok(value),
            vnetkvm::value::Value::Error(why) => Err(why.kind),
            other => panic!("{other:?}"),
        }
    };
    session.vnets().unwrap().all.iter().map(|vnet| of(vnet.into())).collect()
}

/// With a choice of vnets, the variables of the others are not in the new dump. The vnets are.
#[test]
fn the_variables_of_other_vnets_can_be_left_out() {
    for (kernel, machine) in MACHINES {
        let image = image(kernel, machine);
        let old = session(
            kernel,
            core(&image, Format::MinidumpV2)
                .unwrap_or_else(|| core(&image, Format::MinidumpV3).unwrap()),
        );
        let built = image.runtime().kernel();
        let set = built.kernel().set_vnet().unwrap();
        let page = old.memory().page_size();
        let block = set.end.offset_from(set.start).unwrap().div_ceil(page);
        let (new, said) = convert_for(&old, Form::Minidump, "web01").unwrap();
        assert_eq!(said["left_out"], 2 * block, "{kernel} {machine}");
        let note = "the variables of 2 other vnets are left out; their jails, interfaces, sockets \
                    and routes are not";
        assert_eq!(said["remarks"], serde_json::json!([note]));
        let new = session(kernel, new);
        assert_eq!(defttl(&old), [Ok(64), Ok(42), Ok(128)], "{kernel} {machine}");
        let gone = Err(ErrorKind::NotDumped);
        assert_eq!(defttl(&new), [gone, Ok(42), gone], "{kernel} {machine}");
        assert_eq!(
            json(&answers::vnets(&new, None, true).unwrap())["vnets"],
            json(&answers::vnets(&old, None, true).unwrap())["vnets"]
        );
    }
}

#[test]
fn raw_memory_leaves_nothing_out() {
    let image = image("classic-clang-dwarf4", "");
    let old = session("classic-clang-dwarf4", core(&image, Format::MinidumpV2).unwrap());
    let why = convert_for(&old, Form::Raw, "web01").unwrap_err();
    assert!(matches!(why, Error::Convert(ConvertError::ZerosForMissing)), "{why}");
    let (full, said) = convert_for(&old, Form::Full, "0").unwrap();
    assert_eq!(said["left_out"], 144);
    let gone = Err(ErrorKind::NotDumped);
    assert_eq!(defttl(&session("classic-clang-dwarf4", full)), [Ok(64), gone, gone]);
}

/// What a damaged vnet says of its block may be the kernel's own memory, or another's block.
#[test]
fn a_damaged_vnet_takes_nothing_with_it() {
    let scenario = Scenario::open("fixtures/scenarios/sick/vnet-block.toml").unwrap();
    let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let old = session("classic-clang-dwarf4", core(&image, Format::MinidumpV2).unwrap());
    let (new, said) = convert_for(&old, Form::Minidump, "0").unwrap();
    assert_eq!(said["left_out"], 144);
    let why = said["remarks"][1].as_str().unwrap();
    assert!(why.starts_with("the variables of another vnet are not left out: vnet 3 "), "{why}");
    assert!(why.ends_with("its block is on pages that something else is on"), "{why}");
    let new = session("classic-clang-dwarf4", new);
    assert_eq!(new.warnings(), [""; 0]);
}

/// Whatever is in the headers, the page map and the page tables, a conversion ends, and what it
/// writes is no longer than what it was given allows.
#[test]
fn damaged_dumps_give_an_error_or_a_dump() {
    let (mut state, mut written, mut refused) = (0x9e37_79b9_7f4a_7c15_u64, 0, 0);
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for (kernel, format) in [
        ("classic-clang-dwarf4", Format::MinidumpV2),
        ("classic-clang-dwarf4", Format::Full),
        ("arm64", Format::MinidumpV1),
        ("i386", Format::Full),
        ("powerpc64", Format::MinidumpV2),
    ] {
        let whole = core(&image(kernel, ""), format).unwrap();
        for round in 0..12 {
            let mut damaged = whole.clone();
            match round % 4 {
                0 => damaged.truncate(random(whole.len())),
                1 => damaged[random(4096)] ^= 1 << random(8),
                // Whole words, most of them in tables or the bitmap.
                _ => {
                    for _ in 0..64 {
                        let at = random(whole.len().min(4 << 20) / 8) * 8;
                        let word = [0, u64::MAX, random(1 << 30) as u64][random(3)];
                        damaged[at..at + 8].copy_from_slice(&word.to_le_bytes());
                    }
                }
            }
            let core = Source::from_vec("vmcore", damaged);
            let Ok(session) = Session::from_sources(source(kernel), core) else { continue };
            for form in [Form::Full, Form::Minidump] {
                let mut out = Counted::default();
                let question = Question { form, wanted: None, only_mapped: false, redact: false };
                match answers::convert(&session, question, &mut out, &mut |_| {}) {
                    Ok(_) => written += 1,
                    Err(_) => refused += 1,
                }
                // The page map of a minidump may be longer than what it is made of.
                assert!(out.written < 3 * whole.len() as u64 + (64 << 20), "{kernel} {round}");
            }
        }
    }
    assert!(written > 30 && refused > 0, "{written} were written, {refused} refused");
}

/// A page table that points to itself maps everything to one page. The page map ends with the
/// budget.
#[test]
fn tables_that_point_to_themselves_do_not_make_an_endless_page_map() {
    let mut full = core(&image("arm64", ""), Format::Full).unwrap();
    let whole = session("arm64", full.clone());
    let root = whole.memory().translation().root().unwrap().phys.get();
    let end = whole.kernel().symbol("kernel_vm_end").unwrap().address;
    let end = whole.memory().translate(end).unwrap().get();
    let (headers, memory) = (4096, 1 << 30);
    let mut put = |at: u64, entry: u64| {
        let place = (headers + at - memory) as usize;
        full[place..place + 8].copy_from_slice(&entry.to_le_bytes());
    };
    // The kernel's address space is said to have another 512 GB, which an unused page maps.
    put(end, 0xffff_0100_0000_0000);
    let table = memory + (32 << 20);
    put(root + 8, table | 3);
    (0..512).for_each(|number| put(table + number * 8, table | 3));
    let session = session("arm64", full);
    session.memory().translate(0xffff_0080_1234_5000.into()).unwrap();
    session.budget().renew(Allowance { work: 1 << 20, bytes: 1 << 30 });
    let mut out = Counted::default();
    let question =
        Question { form: Form::Minidump, wanted: None, only_mapped: false, redact: false };
    let why = answers::convert(&session, question, &mut out, &mut |_| {}).unwrap_err();
    assert!(matches!(why, Error::Convert(ConvertError::Limit(_))), "{why}");
    assert!(out.written < 64 << 20, "{}", out.written);
}

/// Counts what is written, and keeps nothing.
#[derive(Default)]
struct Counted {
    written: u64,
    at: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len() as u64;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(distance) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.at = self.at.checked_add_signed(distance).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A file system without room leaves no file.
#[cfg(target_os = "linux")]
#[test]
fn a_dump_that_has_no_room_is_not_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let vnetkvm = env!("CARGO_BIN_EXE_vnetkvm");
    let at = directory.path().join("full");
    // The limit is in blocks of 512 or 1024 bytes, and a write beyond it fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" --demo convert --to full -o \"$1\"";
    let output = Command::new("sh").args(["-c", script, vnetkvm]).arg(&at).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{err}");
    assert!(err.starts_with("error: cannot write "), "{err}");
    assert!(err.contains("File too large"), "{err}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

fn run(words: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm")).args(words).output().unwrap();
    let err = String::from_utf8(output.stderr.clone()).unwrap();
    (output, err)
}

#[test]
fn the_command_writes_a_file_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (full, raw) = (at("full"), at("raw"));
    let (said, err) = run(&["--demo", "convert", "--to", "full", "-o", &full]);
    let table =
        "FORM  PAGES  PAGE-SIZE  LEFT-OUT  UNREACHABLE\nfull   1314       4096         0  0\n";
    assert_eq!((said.status.code(), &*said.stdout), (Some(0), table.as_bytes()), "{err}");
    let kernel = at("kernel");
    let packed = std::fs::File::open("fixtures/kernel/classic-demo.zst").unwrap();
    std::fs::write(&kernel, zstd::decode_all(packed).unwrap()).unwrap();
    let (said, err) = run(&["-N", &kernel, "-M", &full, "convert", "--to", "raw", "-o", &raw]);
    assert_eq!(said.status.code(), Some(0), "{err}");
    assert!(err.contains("the file begins with physical address 0x0"), "{err}");
    // The input is neither replaced nor damaged, by whatever name.
    let before = std::fs::read(&full).unwrap();
    let dotted = format!("{}/./full", directory.path().display());
    let (said, err) = run(&["-N", &kernel, "-M", &full, "convert", "--to", "raw", "-o", &dotted]);
    assert_eq!((said.status.code(), &*said.stdout), (Some(2), &b""[..]));
    assert!(err.contains("is being read"), "{err}");
    assert!(std::fs::read(&full).unwrap() == before);
    let words = ["-N", &kernel, "-M", &full, "convert", "--to", "raw", "-o", &kernel];
    let (said, err) = run(&words);
    assert_eq!((said.status.code(), &*said.stdout), (Some(2), &b""[..]));
    assert!(err.contains("kernel is being read"), "{err}");
    // Nothing is left of what could not be written.
    let (said, err) = run(&["--demo", "convert", "--to", "raw", "-o", "/dev/null"]);
    assert_eq!(said.status.code(), Some(2));
    assert!(err.contains("it is no regular file"), "{err}");
    let (said, err) = run(&["--demo", "convert", "--to", "full", "-o", "-"]);
    assert_eq!(said.status.code(), Some(2));
    assert!(err.contains("standard output does not take"), "{err}");
    let names = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(names, 3, "a temporary file was left");
}
