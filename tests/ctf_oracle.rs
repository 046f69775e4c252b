//! Types out of CTF against types out of DWARF: each fixture with CTF is a kernel or
//! module with DWARF whose types another program wrote anew (`fixtures/kernel/ctf/`). Every
//! type and variable must be the same in both, but for what CTF cannot tell. That is listed here.

#![cfg(feature = "image")]

mod ctf_limits;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use ctf_limits::{LIMITS, NO_TYPE, OTHER_TYPES, OTHER_VALUES, as_far_as_told};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::{Kernel, Symbol, SymbolKind};
use vnetkvm::render::{c, decl};
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::types::model::Type;
use vnetkvm::types::{Definition, TypeId, Types};
use vnetkvm::value::Limits;

const SCENARIO: &str = r#"
hostname = "gw.example.org"
cpus = 2
memory = "32M"
formats = ["full"]
messages = ["the first line"]
panic = "page fault"

[host]
values = { ip_defttl = 64 }

[[step]]
do = "interface"
name = "em0"
addresses = ["192.0.2.1/24", "2001:db8::1/64"]

[[step]]
do = "jail"
name = "one"
values = { ip_defttl = 1, feat_in_addr = "198.51.100.1", feat_enum_signed = "FEAT_PLUS" }
[step.statistics.ipstat]
ips_total = [60, 5]

[[step]]
do = "interface"
name = "epair0a"
jail = "one"
addresses = ["172.16.0.1/24", "fd00::1/64"]

[[step]]
do = "process"
name = "nginx"
jail = "one"
in_network_stack = true
dumping = true
"#;

/// A kernel with CTF, and the kernel that it was made of.
const KERNELS: [(&str, &str); 5] = [
    ("ctf/classic-ctf2", "classic-clang-dwarf4"),
    ("ctf/stable14-ctf3", "stable14-clang-dwarf4"),
    ("ctf/i386-ctf2", "i386"),
    ("ctf/powerpc64-ctf3", "powerpc64"),
    ("ctf/statics-ctf2-plain", "small-statics-dwarf4"),
];

/// An architecture, the first two kernels for it, and its modules.
const MODULES: [(&str, (&str, &str), &[&str]); 3] = [
    ("amd64", KERNELS[0], &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("i386", KERNELS[2], &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("powerpc64", KERNELS[3], &["if_gif.ko"]),
];

fn kernel(name: &str) -> Kernel {
    Kernel::open(Source::open(format!("fixtures/kernel/{name}")).unwrap(), None).unwrap()
}

#[test]
fn every_type_is_declared_the_same() {
    let mut needed = BTreeSet::new();
    for (ctf, dwarf) in KERNELS {
        let (ctf_kernel, dwarf_kernel) = (kernel(ctf), kernel(dwarf));
        let by_ctf = Types::load(&ctf_kernel).unwrap();
        let by_dwarf = Types::load(&dwarf_kernel).unwrap();
        let names = &names(&by_dwarf, &dwarf_kernel) | &names(&by_ctf, &ctf_kernel);
        assert!(names.len() > 500, "{dwarf}: {}", names.len());
        for name in &names {
            let ours = declarations(&by_ctf, name);
            let theirs = declarations(&by_dwarf, name);
            if ours != theirs {
                let expected = as_far_as_told(name, &theirs, &mut needed);
                let found = as_far_as_told(name, &ours, &mut BTreeSet::new());
                assert_eq!(found, expected, "{ctf}: {name}");
            }
        }
    }
    let listed = LIMITS.iter().flat_map(|(_, types)| types.iter());
    let listed = listed.flat_map(|(name, words)| words.iter().map(|word| (*name, *word)));
    let needless: Vec<_> = listed.filter(|one| !needed.contains(one)).collect();
    assert!(needless.is_empty(), "listed as limits, and the same: {needless:?}");
}

/// Every data symbol that DWARF knows a variable at.
#[test]
fn every_variable_has_the_same_type() {
    for (ctf, dwarf) in KERNELS {
        let (ctf_kernel, dwarf_kernel) = (kernel(ctf), kernel(dwarf));
        let by_ctf = Types::load(&ctf_kernel).unwrap();
        let by_dwarf = Types::load(&dwarf_kernel).unwrap();
        let (mut same, mut limited) = (0, BTreeSet::new());
        for symbol in objects(&dwarf_kernel) {
            let Some(theirs) = by_dwarf.variable_linked_at(symbol.address) else { continue };
            let Some(ours) = by_ctf.variable_linked_at(symbol.address) else {
                assert!(NO_TYPE.contains(&symbol.name), "{ctf}: {}", symbol.name);
                continue;
            };
            assert_eq!(ours.name, theirs.name, "{ctf}");
            assert_eq!(by_ctf.size_of(ours.type_id), by_dwarf.size_of(theirs.type_id), "{ctf}");
            let (found, expected) = (by_ctf.name(ours.type_id), by_dwarf.name(theirs.type_id));
            match OTHER_TYPES.contains(&&*ours.name) {
                true => drop(limited.insert((ours.name, found, expected))),
                false => assert_eq!(found, expected, "{ctf}: {}", ours.name),
            }
            same += 1;
        }
        assert!(same > 550, "{ctf}: {same}");
        assert_eq!(limited.len(), OTHER_TYPES.len(), "{ctf}");
        for (name, found, expected) in limited {
            let limits = [("(void)", "()"), ("[0]", "[]"), ("signed char", "char")];
            let told = limits.iter().fold(expected, |text, (from, to)| text.replace(from, to));
            assert_eq!(found, told, "{ctf}: {name}");
        }
    }
}

/// An image that the builder made by one kernel's types is that which it makes by the other's.
#[test]
fn the_same_history_makes_the_same_image() {
    for (ctf, dwarf) in KERNELS {
        let [by_ctf, by_dwarf] = [ctf, dwarf].map(|name| core(&image(name)));
        let headers = [ctf, dwarf].map(|name| {
            let file = std::fs::read(format!("fixtures/kernel/{name}")).unwrap();
            file[..64].to_vec()
        });
        // The kernel's first segment has the header of its file, which counts sections.
        let of_images = differences(&by_ctf, &by_dwarf);
        assert!(
            of_images.is_empty() || of_images == differences(&headers[0], &headers[1]),
            "{ctf}: {} bytes differ",
            of_images.len()
        );
    }
}

fn differences(one: &[u8], other: &[u8]) -> Vec<(u8, u8)> {
    assert_eq!(one.len(), other.len());
    let blocks = one.chunks(4096).zip(other.chunks(4096)).filter(|(one, other)| one != other);
    let pairs = blocks.flat_map(|(one, other)| one.iter().copied().zip(other.iter().copied()));
    pairs.filter(|(one, other)| one != other).collect()
}

/// Every virtualized variable in every vnet, and every other variable.
#[test]
fn every_variable_has_the_same_value() {
    for (ctf, dwarf) in KERNELS {
        let image = image(dwarf);
        let [by_ctf, by_dwarf] = [ctf, dwarf].map(|name| {
            let core = Source::from_vec("vmcore", core(&image));
            let kernel = Source::open(format!("fixtures/kernel/{name}")).unwrap();
            values(&Session::from_sources(kernel, core).unwrap())
        });
        assert!(by_dwarf.len() > 1000, "{dwarf}: {}", by_dwarf.len());
        compare(ctf, &by_ctf, &by_dwarf);
    }
}

fn compare(what: &str, ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) {
    for (name, expected) in theirs {
        let (variable, _) = name.split_once(' ').unwrap();
        let bare = variable.strip_prefix("vnet_entry_").unwrap_or(variable);
        let Some(found) = ours.get(name) else {
            assert!(NO_TYPE.contains(&bare), "{what}: {name}");
            continue;
        };
        match bare {
            "feat_bits" if found != expected => {
                let lost = "CTF does not say the width of a bit-field that is an enum";
                assert!(found.contains(&format!("sign = <no-type: {lost}")), "{what}: {found}");
                assert_eq!(without_sign(found), without_sign(expected), "{what}");
            }
            _ if OTHER_VALUES.contains(&bare) => {}
            _ => assert_eq!(found, expected, "{what}: {name}"),
        }
    }
}

/// A struct without the member whose width CTF does not have.
fn without_sign(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("    sign = ")).collect()
}

/// Variables of modules, whether the kernel's types or the modules' or both are from CTF.
#[test]
fn variables_of_modules_have_the_same_values() {
    for (arch, (ctf, dwarf), modules) in MODULES {
        let steps = modules.iter().map(|name| {
            format!("[[step]]\ndo = \"module\"\nfile = \"fixtures/kernel/modules/{arch}/{name}\"\n")
        });
        let text = steps.fold(SCENARIO.to_owned(), |text, step| text + &step);
        let image = build(&Scenario::parse(&text).unwrap(), kernel(dwarf)).unwrap();
        let session = |kernel: &str, modules_in: &str| {
            let directory = tempfile::tempdir().unwrap();
            let mut files = vec![(format!("fixtures/kernel/{kernel}"), "kernel".to_owned())];
            for name in modules {
                let from = format!("fixtures/kernel/{modules_in}/{arch}/{name}");
                files.push((format!("{from}.debug"), format!("{name}.debug")));
                files.push((from, (*name).to_owned()));
            }
            for (from, to) in files.iter().filter(|(from, _)| Path::new(from).exists()) {
                std::fs::copy(from, directory.path().join(to)).unwrap();
            }
            let core = image.save(Format::Full, directory.path()).unwrap();
            let options = Options {
                kernel: Some(directory.path().join("kernel")),
                core,
                ..Options::default()
            };
            let session = Session::open(&options).unwrap();
            let problems = &session.modules().unwrap().problems;
            assert!(problems.is_empty(), "{arch} {kernel} {modules_in}: {problems:?}");
            typed(&session)
        };
        let expected = session(dwarf, "modules");
        let of_modules = expected.keys().filter(|name| name.contains("gif")).count();
        assert!(of_modules > 8, "{arch}: {of_modules}");
        for (kernel, modules_in) in [(ctf, "ctf/modules"), (dwarf, "ctf/modules"), (ctf, "modules")]
        {
            let found = session(kernel, modules_in);
            compare(&format!("{arch} {kernel} {modules_in}"), &found, &expected);
        }
    }
}

/// The values of all virtualized variables, and modules' types too, by vnet and name.
fn typed(session: &Session) -> BTreeMap<String, String> {
    let limits = Limits::default();
    let reader = session.reader(&limits);
    let types = session.matching_target().unwrap().types().unwrap();
    let mut found = BTreeMap::new();
    for vnet in session.select(&Selector::All).unwrap().stacks {
        for variable in session.variables(&[]).unwrap() {
            let (address, value) = session.value_by(&reader, vnet, &variable);
            let name = format!("{} at {address}", variable.name);
            // Only types of modules: those of the kernel are compared elsewhere.
            let type_id = variable.type_id.filter(|_| &*variable.module != "kernel");
            let type_name = type_id.map_or(String::new(), |id| types.name(id));
            found.insert(name, type_name + &c::block(&value, 0));
        }
    }
    found
}

fn image(kernel_name: &str) -> Image {
    build(&Scenario::parse(SCENARIO).unwrap(), kernel(kernel_name)).unwrap()
}

fn core(image: &Image) -> Vec<u8> {
    let mut core = Cursor::new(Vec::new());
    image.write(Format::Full, &mut core).unwrap();
    core.into_inner()
}

/// The values of all variables as text, by vnet and name, or by name and address.
fn values(session: &Session) -> BTreeMap<String, String> {
    let limits = Limits::default();
    let reader = session.reader(&limits);
    let mut found = BTreeMap::new();
    for vnet in session.select(&Selector::All).unwrap().stacks {
        for variable in session.variables(&[]).unwrap() {
            let (address, value) = session.value_by(&reader, vnet, &variable);
            let name = format!("{} at {address}", variable.name);
            found.insert(name, c::block(&value, 0));
        }
    }
    for symbol in objects(session.kernel().linked()) {
        let address = session.kernel().running_at(symbol.address);
        let Some(variable) = session.target().variable_at(address) else { continue };
        let name = format!("{} at {address}", symbol.name);
        found.insert(name, c::block(&reader.read(variable.type_id, address), 0));
    }
    found
}

fn objects(kernel: &Kernel) -> impl Iterator<Item = Symbol<'_>> {
    kernel.symbols().iter().filter(|symbol| symbol.kind == SymbolKind::Object)
}

/// The names of all types that structs and variables lead to.
fn names(types: &Types, kernel: &Kernel) -> BTreeSet<String> {
    let variables = objects(kernel).filter_map(|symbol| types.variable_linked_at(symbol.address));
    let mut pending: Vec<TypeId> = variables.map(|variable| variable.type_id).collect();
    pending.extend(types.structs_where(|_| true));
    let (mut seen, mut names) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        let found = types.get(id).unwrap();
        let has_name = match &*found {
            Type::Void => false,
            Type::Base(_) => true,
            Type::Pointer(pointer) => {
                pending.push(pointer.target);
                false
            }
            Type::Typedef(typedef) => {
                pending.push(typedef.target);
                true
            }
            Type::Qualified(qualified) => {
                pending.push(qualified.target);
                false
            }
            Type::Record(record) => {
                pending.extend(record.members.iter().map(|member| member.type_id));
                record.name.is_some()
            }
            Type::Enum(enumeration) => enumeration.name.is_some(),
            Type::Array(array) => {
                pending.push(array.element);
                false
            }
            Type::Function(function) => {
                pending.push(function.returns);
                pending.extend(&function.parameters);
                false
            }
        };
        if has_name {
            names.insert(types.name(id));
        }
    }
    names
}

/// The lines of the declarations of all different types of that name, in an order of their own.
/// Spaces do not count: one longer line moves the comments of all.
fn declarations(types: &Types, name: &str) -> Vec<String> {
    let Ok(definitions) = types.definitions(name) else { return Vec::new() };
    let text = |one: Definition| {
        let declaration = types.declaration(one.type_id).unwrap();
        let mut text = Vec::new();
        decl::write_declaration(&mut text, &declaration).unwrap();
        String::from_utf8(text).unwrap()
    };
    let mut texts: Vec<String> = definitions.into_iter().map(text).collect();
    texts.sort();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
