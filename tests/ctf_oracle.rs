//! Types out of CTF against types out of DWARF: each fixture with CTF is a kernel or
//! module with DWARF whose types another program wrote anew (`fixtures/kernel/ctf/`). Every
//! type and variable must be the same in both, but for what CTF cannot tell. That is listed here.

#![cfg(feature = "image")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::{Kernel, Symbol, SymbolKind};
use vnetkvm::render::c;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::types::declaration::Declaration;
use vnetkvm::types::model::Type;
use vnetkvm::types::{TypeId, Types};
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
    for (ctf, dwarf) in KERNELS {
        let (ctf_kernel, dwarf_kernel) = (kernel(ctf), kernel(dwarf));
        let by_ctf = Types::load(&ctf_kernel).unwrap();
        let by_dwarf = Types::load(&dwarf_kernel).unwrap();
        let names = &names(&by_dwarf, &dwarf_kernel) | &names(&by_ctf, &ctf_kernel);
        let mut differences = Vec::new();
        for name in &names {
            let ours = declarations(&by_ctf, name);
            let theirs = declarations(&by_dwarf, name);
            if ours != theirs {
                differences.push(format!("{name}: {ours:#?} {theirs:#?}"));
            }
        }
        println!("{ctf}: {} names", names.len());
        assert!(differences.is_empty(), "{ctf}: {} {}", differences.len(), differences.join("\n"));
    }
}

/// Every data symbol that DWARF knows a variable at.
#[test]
fn every_variable_has_the_same_type() {
    for (ctf, dwarf) in KERNELS {
        let (ctf_kernel, dwarf_kernel) = (kernel(ctf), kernel(dwarf));
        let by_ctf = Types::load(&ctf_kernel).unwrap();
        let by_dwarf = Types::load(&dwarf_kernel).unwrap();
        let (mut unknown, mut different, mut same) = (Vec::new(), Vec::new(), 0);
        for symbol in objects(&dwarf_kernel) {
            let Some(theirs) = by_dwarf.variable_linked_at(symbol.address) else { continue };
            let Some(ours) = by_ctf.variable_linked_at(symbol.address) else {
                unknown.push(symbol.name);
                continue;
            };
            let text = |types: &Types, id| (types.name(id), types.size_of(id).ok());
            let told = (text(&by_ctf, ours.type_id), text(&by_dwarf, theirs.type_id));
            match ours.name == theirs.name && told.0 == told.1 {
                true => same += 1,
                false => different.push(format!("{} {} {told:?}", ours.name, theirs.name)),
            }
        }
        assert_eq!(different, Vec::<String>::new(), "{ctf}");
        println!("{ctf}: {same} variables, {unknown:?}");
    }
}

/// An image that the builder made by one kernel's types is that which it makes by the other's.
#[test]
fn the_same_history_makes_the_same_image() {
    for (ctf, dwarf) in KERNELS {
        let [by_ctf, by_dwarf] = [ctf, dwarf].map(|name| core(&image(name)));
        assert!(by_ctf == by_dwarf, "{ctf}");
    }
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
        let mut different = Vec::new();
        for (name, theirs) in &by_dwarf {
            let ours = by_ctf.get(name);
            if ours != Some(theirs) {
                different.push(format!("{name}: {ours:?} {theirs:?}"));
            }
        }
        assert!(by_dwarf.len() > 1000, "{dwarf}: {}", by_dwarf.len());
        assert!(different.is_empty(), "{ctf}: {}", different.join("\n"));
    }
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
            for (name, value) in &expected {
                assert_eq!(found.get(name), Some(value), "{arch} {kernel} {modules_in}: {name}");
            }
        }
    }
}

/// The types and values of all virtualized variables, by vnet and name.
fn typed(session: &Session) -> BTreeMap<String, String> {
    let limits = Limits::default();
    let reader = session.reader(&limits);
    let types = session.matching_target().unwrap().types().unwrap();
    let mut found = BTreeMap::new();
    for vnet in session.select(&Selector::All).unwrap().stacks {
        for variable in session.variables(&[]).unwrap() {
            let (address, value) = session.value_by(&reader, vnet, &variable);
            let type_name = variable.type_id.map(|id| types.name(id));
            let text = format!("{type_name:?} {}", c::block(&value, 0));
            found.insert(format!("{} at {address}", variable.name), text);
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

/// All different types of that name, without their files, in an order of their own.
fn declarations(types: &Types, name: &str) -> Vec<Declaration> {
    let Ok(definitions) = types.definitions(name) else { return Vec::new() };
    let declared = definitions.iter().map(|one| types.declaration(one.type_id).unwrap());
    let mut declared: Vec<Declaration> = declared.collect();
    declared.sort_by_key(|one| format!("{one:?}"));
    declared
}
