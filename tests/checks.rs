//! Checks: each reports its own sick scenario and no other, and none reports a sound kernel.
//!
//! The head of a sick scenario says in comments what is found: `# fault 1: what is wrong with
//! vnet 1`, `# warning -: what is wrong with none of them`. Addresses are written as `0x`.

#![cfg(feature = "image")]

mod every_kernel;

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use every_kernel::KERNELS;
use vnetkvm::answers::checks::{Checked, Verdicts};
use vnetkvm::answers::{self};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::views::checks::{CHECKS, Verdict};

const SICK: &str = "fixtures/scenarios/sick";

fn built(path: &Path) -> Image {
    let scenario = Scenario::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let kernel = scenario.open_kernel().unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    build(&scenario, kernel).unwrap_or_else(|why| panic!("{}: {why:?}", path.display()))
}

/// All checks of a dump of the image.
fn checked(image: &Image) -> Vec<Checked> {
    let place = tempfile::tempdir().unwrap();
    let kernel = image.save_kernel(place.path()).unwrap().swap_remove(0);
    let core = image.save(Format::MinidumpV2, place.path()).unwrap();
    let options = Options { kernel: Some(kernel), core, ..Options::default() };
    verdicts(&Session::open(&options).unwrap()).findings.to_vec()
}

fn verdicts(session: &Session) -> Verdicts {
    answers::checks(session, &Selector::Default, &[]).unwrap()
}

/// What is worse than unknown, as the scenarios write it, each with the name of its check.
fn alarms(found: &[Checked]) -> Vec<(&'static str, String)> {
    let bad = found.iter().filter(|it| matches!(it.verdict, Verdict::Fault | Verdict::Warning));
    let line = |it: &Checked| {
        let vnet = it.vnet.map_or("-".to_owned(), |vnet| without_addresses(&vnet.to_string()));
        let message = without_addresses(&it.message);
        (it.name, format!("{} {vnet}: {message}", it.verdict.name()))
    };
    bad.map(line).collect()
}

/// `0x` for each address: a number of more than 8 digits, or of 8 in kernels of 32 bits.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split("0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.chars().take_while(char::is_ascii_hexdigit).count();
        out += "0x";
        out += if digits > 8 { &part[digits..] } else { part };
    }
    out
}

fn scenarios() -> Vec<(String, PathBuf)> {
    let files = fs::read_dir(SICK).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: PathBuf| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path);
    let mut all: Vec<_> = files.map(named).collect();
    all.sort();
    all
}

#[test]
fn each_sick_scenario_is_reported_by_its_own_check_alone() {
    let mut wrong = Vec::new();
    for (name, path) in scenarios() {
        let text = fs::read_to_string(&path).unwrap();
        let wanted: Vec<(&str, String)> =
            wanted(&text).into_iter().map(|it| (&*name, it)).collect();
        assert!(!wanted.is_empty(), "{name} does not say what is found");
        let found = alarms(&checked(&built(&path)));
        let found: Vec<(&str, String)> = found.into_iter().collect();
        if found != wanted {
            wrong.push(format!("{name}:\n  found {found:#?}\n  wanted {wanted:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said at the head of a sick scenario.
fn wanted(text: &str) -> Vec<String> {
    let comments = text.lines().filter_map(|line| line.strip_prefix("# "));
    let wanted = comments.filter(|it| it.starts_with("fault ") || it.starts_with("warning "));
    wanted.map(str::to_owned).collect()
}

/// Whether a check is about interfaces, routes or sockets.
fn is_of_network(name: &str) -> bool {
    const STARTS: [&str; 11] = [
        "interface",
        "epair",
        "bridge",
        "vlan-p",
        "lagg",
        "route",
        "neighbor",
        "pcb",
        "unix",
        "socket",
        "list-links",
    ];
    STARTS.iter().any(|start| name.starts_with(start))
}

/// Interfaces, routes and sockets look different in every release.
#[test]
fn what_is_wrong_is_found_in_newer_releases_too() {
    const NEWER: [&str; 5] = [
        "stable13-clang-dwarf4",
        "stable14-clang-dwarf4",
        "stable15-clang-dwarf4",
        "newer-clang-dwarf4",
        "powerpc64",
    ];
    // Messages that name an index, or what points where, differ by release.
    const DIFFERENT: [&str; 2] = ["interface-index", "route-interfaces"];
    let mut wrong = Vec::new();
    for (name, path) in scenarios().into_iter().filter(|(name, _)| is_of_network(name)) {
        let text = fs::read_to_string(&path).unwrap();
        // Bridges are no module there, and since 14 a tcpcb begins with its control block.
        let steps = text.split("\n[[step]]\n");
        let steps = steps.filter(|it| !it.contains("if_bridge.ko") && !it.contains("bridgestp.ko"));
        let steps: Vec<&str> = steps.filter(|it| !it.contains("other-tcpcb")).collect();
        let scenario = Scenario::parse(&steps.join("\n[[step]]\n")).unwrap();
        let mut wanted: Vec<(&str, String)> =
            wanted(&text).into_iter().map(|it| (&*name, it)).collect();
        wanted.retain(|(_, message)| !message.contains("its struct tcpcb"));
        for kernel in NEWER {
            let image = build(&scenario, Kernel::open(open(kernel), None).unwrap());
            let image = image.unwrap_or_else(|why| panic!("{name}, {kernel}: {why:?}"));
            let found = alarms(&checked(&image));
            let alike = match DIFFERENT.contains(&&*name) {
                true => {
                    found.len() == wanted.len() && found.iter().all(|(check, _)| *check == name)
                }
                false => found == wanted,
            };
            if !alike {
                wrong.push(format!("{name}, {kernel}:\n  found {found:#?}\n  wanted {wanted:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Memory that malloc(9) takes for a block is in the kernel map. The direct map shows it again.
#[test]
fn a_block_in_the_direct_map_is_nobodys() {
    let text = fs::read_to_string("fixtures/scenarios/sick/vnet-block.toml").unwrap();
    let text = text.replace("\"&__start_set_vnet\"", "\"0xfffff80000100000\"");
    let scenario = Scenario::parse(&text).unwrap();
    for kernel in ["classic-clang-dwarf4", "stable14-clang-dwarf4"] {
        let image = build(&scenario, Kernel::open(open(kernel), None).unwrap()).unwrap();
        let found = alarms(&checked(&image));
        let wanted = "fault 3: its block lies in the direct map, outside the kernel map";
        assert!(found.contains(&("vnet-block", wanted.to_owned())), "{kernel}: {found:#?}");
    }
}

/// The others on other releases and architectures, where the steps of the scenario are possible.
/// What is said may differ.
#[test]
fn sick_kernels_of_other_releases_are_reported_too() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for kernel in ["stable13-clang-dwarf4", "stable15-clang-dwarf4", "i386", "arm64"] {
        for (name, path) in scenarios().into_iter().filter(|(name, _)| !is_of_network(name)) {
            let scenario = Scenario::open(&path).unwrap();
            let Ok(image) = build(&scenario, Kernel::open(open(kernel), None).unwrap()) else {
                continue;
            };
            let found = alarms(&checked(&image));
            seen.insert(format!("{kernel} {name}"));
            if found.is_empty() || found.iter().any(|(check, _)| *check != name) {
                wrong.push(format!("{kernel}: {name}: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 60, "{seen:?}");
}

#[test]
fn each_check_has_a_scenario_and_a_paragraph() {
    let names: BTreeSet<String> = CHECKS.iter().map(|check| check.name.to_owned()).collect();
    assert_eq!(names.len(), CHECKS.len(), "two checks have the same name");
    let sick: BTreeSet<String> = scenarios().into_iter().map(|(name, _)| name).collect();
    assert_eq!(sick, names, "{SICK}");
    let page = fs::read_to_string("docs/checks.md").unwrap();
    let told = page.lines().filter_map(|line| line.strip_prefix("### "));
    let told: Vec<String> = told.map(str::to_owned).collect();
    let wanted: Vec<String> = CHECKS.iter().map(|check| check.name.to_owned()).collect();
    assert_eq!(told, wanted, "docs/checks.md, in the order of the checks");
}

fn open(name: &str) -> Source {
    Source::open(format!("fixtures/kernel/{name}")).unwrap()
}

#[test]
fn no_check_reports_a_sound_kernel() {
    let text = fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    let scenario = Scenario::parse(&text).unwrap();
    let mut wrong = Vec::new();
    for kernel in KERNELS {
        let image = build(&scenario, Kernel::open(open(kernel), None).unwrap()).unwrap();
        let mut dump = Cursor::new(Vec::new());
        image.write(Format::MinidumpV2, &mut dump).unwrap();
        let dump = Source::from_vec("vmcore", dump.into_inner());
        let session = Session::from_sources(open(kernel), dump).unwrap();
        let found = verdicts(&session).findings.to_vec();
        let not_ok = found.iter().filter(|it| it.verdict != Verdict::Ok);
        wrong.extend(not_ok.map(|it| format!("{kernel}: {it:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const HEADS: [&str; 9] = [
    "vnet_head",
    "vnet0",
    "vnet_rwlock",
    "vnet_constructors",
    "vnet_data_free_head",
    "allprison",
    "prison0",
    "linker_files",
    "sysctl__children",
];

/// What a dump lacks is unknown, whatever it is. Each of these dumps lacks other pages.
#[test]
fn what_a_dump_lacks_is_no_fault() {
    let text = fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    let scenario = Scenario::parse(&text).unwrap();
    let kernel = Kernel::open(open("classic-clang-dwarf4"), None).unwrap();
    let demo = build(&scenario, kernel).unwrap();
    lacking_pages("classic-clang-dwarf4", &demo, None);
    lacking_pages("classic-clang-dwarf4", &healthy("sockets", "# Faults"), None);
    lacking_pages("stable14-clang-dwarf4", &healthy("network-newer", "# From here on"), None);
    // Vnets that are on no list are found by what points at them.
    let sick = "vnet-construction";
    let image = built(Path::new(&format!("{SICK}/{sick}.toml")));
    lacking_pages("classic-clang-dwarf4", &image, Some(sick));
}

/// Checks dumps of the image that lack pages. Only the check of the name `sick` may report
/// anything.
fn lacking_pages(name: &str, image: &Image, sick: Option<&str>) {
    let mut dump = Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut dump).unwrap();
    let whole = Minidump::parse(dump.into_inner());
    let pages = whole.pages();
    let mut groups: Vec<Vec<usize>> =
        (0..pages).collect::<Vec<_>>().chunks(pages / 16 + 1).map(<[usize]>::to_vec).collect();
    // Those of the heap one by one, and of the heads of lists: each has many objects.
    let kernel = image.runtime().kernel();
    let small = kernel.machine().allocations().filter(|(_, object)| object.size < 4096);
    let small = small.map(|(at, _)| at);
    let heads = HEADS.iter().map(|name| kernel.variable(name).unwrap().address);
    let frames = small.chain(heads).filter_map(|at| kernel.machine().physical(at));
    let frames: BTreeSet<u64> = frames.map(|at| at.get() / 4096).collect();
    groups.extend(frames.iter().filter_map(|frame| Some(vec![whole.place(*frame)?])));
    assert!(groups.len() > 30, "{} groups of {pages} pages", groups.len());
    let mut unknown = 0;
    for group in &groups {
        let Ok(session) = Session::from_sources(open(name), whole.without(group)) else { continue };
        let Ok(verdicts) = answers::checks(&session, &Selector::Default, &[]) else { continue };
        let found = verdicts.findings.to_vec();
        let mut alarms = alarms(&found);
        alarms.retain(|(name, _)| Some(*name) != sick);
        assert_eq!(alarms, [], "without {group:?}");
        unknown += usize::from(verdicts.count(Verdict::Unknown) > 0);
    }
    assert!(unknown > 15, "only {unknown} of {} dumps leave something unknown", groups.len());
}

/// A file that ends early lacks all pages from there on, page tables among them.
#[test]
fn what_a_file_lacks_is_no_fault() {
    let text = fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    let scenario = Scenario::parse(&text).unwrap();
    for (name, format) in [
        ("classic-clang-dwarf4", Format::Full),
        ("newer-clang-dwarf4", Format::MinidumpV3),
        ("i386", Format::MinidumpV2),
        ("arm64", Format::Full),
        ("riscv64", Format::Full),
        ("powerpc64", Format::MinidumpV2),
    ] {
        let image = build(&scenario, Kernel::open(open(name), None).unwrap()).unwrap();
        let mut dump = Cursor::new(Vec::new());
        image.write(format, &mut dump).unwrap();
        let whole = dump.into_inner();
        for part in 1..12 {
            let cut = whole[..whole.len() * part / 12].to_vec();
            let session = Session::from_sources(open(name), Source::from_vec("vmcore", cut));
            let Ok(session) = session else { continue };
            let verdicts = answers::checks(&session, &Selector::Default, &[]);
            let Ok(verdicts) = verdicts else { continue };
            let found = alarms(&verdicts.findings.to_vec());
            assert_eq!(found, [], "{name}: {part} of 12 parts");
        }
    }
}

/// A minidump of amd64, version 2, in its parts.
struct Minidump {
    /// What is before the bitmap.
    head: Vec<u8>,
    bitmap: Vec<u8>,
    /// What is between the bitmap and the pages.
    map: Vec<u8>,
    data: Vec<u8>,
}

impl Minidump {
    const PAGE: usize = 4096;

    fn parse(mut bytes: Vec<u8>) -> Self {
        let size = |at: usize| {
            let field = bytes[at..at + 4].try_into().unwrap();
            (u32::from_le_bytes(field) as usize).next_multiple_of(Self::PAGE)
        };
        // struct minidumphdr of amd64: the magic, the version, and then these.
        let (messages, bitmap, map) = (size(28), size(32), size(36));
        let data = bytes.split_off(Self::PAGE + messages + bitmap + map);
        let map = bytes.split_off(Self::PAGE + messages + bitmap);
        let bitmap = bytes.split_off(Self::PAGE + messages);
        Self { head: bytes, bitmap, map, data }
    }

    fn pages(&self) -> usize {
        self.data.len() / Self::PAGE
    }

    fn has(&self, frame: usize) -> bool {
        self.bitmap.get(frame / 8).is_some_and(|byte| byte >> (frame % 8) & 1 == 1)
    }

    /// The place of a frame among the pages, if it is dumped.
    fn place(&self, frame: u64) -> Option<usize> {
        let frame = frame as usize;
        self.has(frame).then(|| (0..frame).filter(|before| self.has(*before)).count())
    }

    /// The dump without the pages at these places.
    fn without(&self, places: &[usize]) -> Source {
        let (mut bitmap, mut data, mut place) = (self.bitmap.clone(), Vec::new(), 0);
        for frame in (0..bitmap.len() * 8).filter(|frame| self.has(*frame)) {
            if places.contains(&place) {
                bitmap[frame / 8] &= !(1 << (frame % 8));
            } else {
                data.extend(&self.data[place * Self::PAGE..(place + 1) * Self::PAGE]);
            }
            place += 1;
        }
        let bytes = [&self.head[..], &bitmap, &self.map, &data].concat();
        Source::from_vec("vmcore", bytes)
    }
}

/// The scenario of that name up to `end`, without the steps that break something.
fn healthy(name: &str, end: &str) -> Image {
    let text = fs::read_to_string(format!("fixtures/scenarios/{name}.toml")).unwrap();
    let text = text.split(end).next().unwrap().replace("../kernel/", "fixtures/kernel/");
    let breaks = |step: &&str| step.contains("do = \"break") || step.contains("do = \"move");
    let steps = text.split("\n[[step]]\n").filter(|step| !breaks(step));
    let scenario = Scenario::parse(&steps.collect::<Vec<_>>().join("\n[[step]]\n")).unwrap();
    let kernel = scenario.open_kernel().unwrap();
    build(&scenario, kernel).unwrap_or_else(|why| panic!("{name}: {why:?}"))
}

/// Interfaces of all kinds, sockets in every state, routes with several next hops; connections in
/// TIME_WAIT, jails that are dying.
#[test]
fn no_check_reports_a_network_at_work() {
    let mut wrong = Vec::new();
    for (name, end) in [
        ("network", "# From here on"),
        ("network-newer", "# From here on"),
        ("sockets", "# Faults"),
        ("sockets-newer", "# Faults"),
        ("routes", "# Nothing else"),
        ("routes-newer", "# Nothing else"),
        ("jails", "# From here on"),
        ("jails-newer", "# From here on"),
        ("zones", "# Nothing else"),
        ("stacks", "# Nothing else"),
    ] {
        let found = alarms(&checked(&healthy(name, end)));
        wrong.extend(found.iter().map(|it| format!("{name}: {it:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The lines of the checks of these names about some vnets: verdict, check, vnet and message.
fn lines(session: &Session, which: &Selector, names: &[&str]) -> (Vec<String>, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let verdicts = answers::checks(session, which, &names).unwrap();
    let line = |it: Checked| {
        let vnet = it.vnet.map_or("-".to_owned(), |vnet| without_addresses(&vnet.to_string()));
        format!("{} {} {vnet}: {}", it.verdict.name(), it.name, without_addresses(&it.message))
    };
    (verdicts.findings.to_vec().into_iter().map(line).collect(), verdicts.summary())
}

fn opened(path: &str) -> Session {
    let image = built(Path::new(path));
    let place = tempfile::tempdir().unwrap();
    let kernel = image.save_kernel(place.path()).unwrap().swap_remove(0);
    let core = image.save(Format::MinidumpV2, place.path()).unwrap();
    Session::open(&Options { kernel: Some(kernel), core, ..Options::default() }).unwrap()
}

const SOCKETS: [&str; 3] = ["pcb-lists", "pcb-sockets", "socket-pointers"];

/// The variables of a vnet whose base is damaged cannot be read, and so are not ok.
#[test]
fn a_vnet_whose_variables_cannot_be_read_is_unknown() {
    let session = opened("fixtures/scenarios/sick/vnet-data-base.toml");
    let (found, summary) = lines(&session, &Selector::Default, &SOCKETS);
    let damaged = "V_tcbinfo of vnet 1 (0x): the vnet's data_base does not match its data_mem: one of them \
         is damaged";
    assert_eq!(found, SOCKETS.map(|name| format!("unknown {name} 1: {damaged}")));
    assert_eq!(summary, "3 cannot tell; 0 of 3 checks are ok");

    let names = ["counters", "function-pointers"];
    let (found, summary) = lines(&session, &Selector::Index(1), &names);
    let damaged = "its variables cannot be read: its data_base 0x1000 does not match its data_mem \
                   0x, which implies 0x";
    assert_eq!(found, names.map(|name| format!("unknown {name} 1: {damaged}")));
    assert_eq!(summary, "2 cannot tell; 0 of 2 checks are ok");
}

/// Without types, hardly anything is known.
#[test]
fn no_list_is_ok_in_a_kernel_without_debug_information() {
    let image = built(Path::new("fixtures/scenarios/machinery-newer.toml"));
    let place = tempfile::tempdir().unwrap();
    let kernel = image.save_kernel(place.path()).unwrap().swap_remove(0);
    let core = image.save(Format::MinidumpV2, place.path()).unwrap();
    let stripped = stripped(&fs::read(kernel).unwrap());
    let core = Source::open(core).unwrap();
    let session = Session::from_sources(Source::from_vec("kernel", stripped), core).unwrap();
    let verdicts = verdicts(&session);
    let found = verdicts.findings.to_vec();
    let ok = found.iter().filter(|it| it.verdict == Verdict::Ok).map(|it| it.name);
    let ok: BTreeSet<&str> = ok.collect();
    // They need no debug information.
    let known = [
        "module-list",
        "vnet-block",
        "vnet-data-base",
        "vnet-list",
        "vnet-magic",
        "vnet-pristine",
        "vnet-state",
    ];
    assert!(ok.iter().all(|name| known.contains(name)), "{ok:?}");
    assert!(found.iter().any(|it| it.name == "unix-sockets"));
}

/// The kernel with the names of its debug sections changed.
fn stripped(kernel: &[u8]) -> Vec<u8> {
    let mut bytes = kernel.to_vec();
    for at in 0..bytes.len() - 7 {
        if &bytes[at..at + 7] == b".debug_" {
            bytes[at + 1] = b'x';
        }
    }
    bytes
}

/// What a check says of a vnet that is chosen, and that it is not about it.
#[test]
fn a_check_that_is_not_about_the_chosen_vnet_is_not_counted() {
    let session = opened("fixtures/scenarios/trouble.toml");
    let vnets = session.vnets().unwrap();
    let destroyed = vnets.all.iter().find(|vnet| vnet.is_freed()).unwrap().address;
    let names = ["vnet-magic", "vnet-unlisted", "vnet-block", "jail-vnet"];
    let (found, summary) = lines(&session, &Selector::Address(destroyed), &names);
    let wanted = [
        "warning vnet-magic 0x: it is destroyed: its magic is 0xdeadbeef",
        "warning vnet-unlisted 0x: it is destroyed, and on no list",
        "ok jail-vnet -: 4 jails are in vnets on the list; 1 being removed",
    ];
    assert_eq!(found, wanted);
    let told = "2 warnings; 1 of 3 checks are ok; 1 other is not about the chosen vnet";
    assert_eq!(summary, told);

    // What is wrong is in another vnet.
    let (found, summary) = lines(&session, &Selector::Index(1), &["interface-vnet"]);
    assert_eq!(found, ["ok interface-vnet 1: nothing is wrong with it"]);
    assert_eq!(summary, "the check is ok");
}

/// Which vnets are on a list is unknown if it is broken.
#[test]
fn vnets_on_a_broken_list_are_unknown() {
    let session = opened("fixtures/scenarios/sick/vnet-list.toml");
    let (found, summary) = lines(&session, &Selector::Default, &["vnet-state", "jail-v*"]);
    let broken = "it is up; but the links of the list of vnets disagree about where it is";
    assert_eq!(found[0], "ok vnet-state 0: it is up");
    assert_eq!(found[1], format!("unknown vnet-state 0x: {broken}"));
    assert_eq!(found[2], format!("unknown vnet-state 0x: {broken}"));
    assert!(found[3].starts_with("unknown jail-vnet -: the list of vnets: "), "{}", found[3]);
    assert!(found[3].ends_with("; there may be other vnets"), "{}", found[3]);
    assert_eq!((found.len(), &*summary), (4, "3 cannot tell; 0 of 2 checks are ok"));
}

/// A kernel without VIMAGE has nothing that checks of vnets are about.
#[test]
fn checks_of_vnets_do_not_apply_without_vimage() {
    let session = opened("fixtures/scenarios/plain.toml");
    let verdicts = verdicts(&session);
    let applies = |name: &str| verdicts.findings.to_vec().iter().any(|it| it.name == name);
    assert!(applies("jail-tree") && !applies("vnet-magic"));
    let told = "all 19 checks are ok; 24 others do not apply: the kernel has no VIMAGE";
    assert_eq!(verdicts.summary(), told);
}
