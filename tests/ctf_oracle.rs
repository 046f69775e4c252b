//! Types out of CTF against types out of DWARF: each fixture with CTF is a kernel or
//! module with DWARF whose types another program wrote anew (`fixtures/kernel/ctf/`). Every
//! type and variable must be the same in both, but for what CTF cannot tell. That is listed here.

#![cfg(feature = "image")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::{Kernel, Symbol, SymbolKind};
use vnetkvm::render::c;
use vnetkvm::session::{Selector, Session};
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
    ("classic-clang-dwarf4", "classic-clang-dwarf4"),
    ("stable14-clang-dwarf4", "stable14-clang-dwarf4"),
    ("i386", "i386"),
    ("powerpc64", "powerpc64"),
    ("small-statics-dwarf4", "small-statics-dwarf4"),
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
