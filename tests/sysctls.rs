//! Sysctls over built images: values as their handlers would copy them out, and trees
//! that damage has bent.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::Limits;
use vnetkvm::value::model::{ErrorKind, Value};
use vnetkvm::views::sysctls::{Oid, SysctlTree};

/// A kernel and its dump, whose bytes can be changed.
struct Machine {
    kernel: Vec<u8>,
    core: Vec<u8>,
    whole: Session,
}

impl Machine {
    /// From a scenario: lists of oids in `demo`, trees of them in `newer`.
    fn new(scenario: &str, format: Format) -> Self {
        let path = format!("{}/fixtures/scenarios/{scenario}.toml", env!("CARGO_MANIFEST_DIR"));
        let scenario = Scenario::open(path).unwrap();
        let kernel = scenario.open_kernel().unwrap();
        let bytes = kernel.main().source().bytes().to_vec();
        let image = image::build(&scenario, kernel).unwrap();
        let mut core = Cursor::new(Vec::new());
        image.write(format, &mut core).unwrap();
        let whole = open(&bytes, core.get_ref());
        Self { kernel: bytes, core: core.into_inner(), whole }
    }

    fn oid(&self, name: &str) -> Oid {
        let tree = self.whole.sysctls(&[name.into()]).unwrap();
        tree.oids.into_iter().find(|oid| &*oid.name == name).unwrap()
    }

    /// Where an oid's node lies: its `oid_parent` is the node's list of children.
    fn place(&self, oid: &Oid, member: &str) -> VirtAddr {
        let types = self.whole.types().unwrap();
        let id = types.find("struct sysctl_oid").unwrap();
        oid.address.wrapping_add(types.path(id, member).unwrap().offset)
    }

    /// The session when a word of memory is another.
    fn with(&self, at: VirtAddr, word: u64) -> Session {
        let mut core = self.core.clone();
        let mut around = [0; 64];
        self.whole.memory().read(at, &mut around).unwrap();
        let place = memchr::memmem::find(&core, &around).unwrap();
        core[place..place + 8].copy_from_slice(&word.to_le_bytes());
        open(&self.kernel, &core)
    }
}

fn open(kernel: &[u8], core: &[u8]) -> Session {
    let source = |name: &str, bytes: &[u8]| Source::from_vec(name, bytes.to_vec());
    Session::from_sources(source("kernel", kernel), source("core", core)).unwrap()
}

fn value(session: &Session, vnet: usize, name: &str) -> Value {
    let vnet = session.select(&Selector::Index(vnet)).unwrap().stacks[0];
    let tree = session.sysctls(&[name.into()]).unwrap();
    let reader = session.sysctl_reader(&Limits::default());
    reader.read(vnet, &tree.oids[0]).value.unwrap()
}

fn error(session: &Session, name: &str) -> ErrorKind {
    match value(session, 1, name) {
        Value::Error(error) => error.kind,
        other => panic!("{other:?}"),
    }
}

fn names(tree: &SysctlTree) -> Vec<&str> {
    let mut names: Vec<&str> = tree.oids.iter().map(|oid| &*oid.name).collect();
    names.sort_unstable();
    names
}

const IP: [&str; 3] = ["net.inet.ip.forwarding", "net.inet.ip.redirect", "net.inet.ip.ttl"];

#[test]
fn lists_and_trees_hold_the_same_oids() {
    let demo = Machine::new("demo", Format::MinidumpV2);
    let newer = Machine::new("newer", Format::MinidumpV3);
    let [of_demo, of_newer] = [&demo, &newer].map(|m| m.whole.sysctls(&[]).unwrap());
    assert_eq!(names(&of_demo), names(&of_newer));
    assert!(names(&of_demo).len() >= 25);
    assert_eq!(value(&demo.whole, 1, "net.inet.ip.ttl"), Value::Int(42));
    assert_eq!(value(&demo.whole, 2, "net.inet.ip.ttl."), Value::Int(128));
    assert_eq!(value(&newer.whole, 1, "net.inet.ip.ttl"), Value::Int(42));
    for machine in [&demo, &newer] {
        assert_eq!(value(&machine.whole, 1, "debug.feat.u64"), Value::Int(1 << 63));
        assert_eq!(value(&machine.whole, 1, "debug.feat.constant"), Value::Int(8));
        assert_eq!(value(&machine.whole, 1, "kern.ostype"), Value::Text("FreeBSD".into()));
    }
}

#[test]
fn statistics_are_a_struct_of_sums() {
    let demo = Machine::new("demo", Format::MinidumpV2);
    let Value::Record(stats) = value(&demo.whole, 1, "net.inet.tcp.stats") else { panic!() };
    let member =
        |name: &str| stats.members().find(|(known, _)| *known == name).map(|(_, value)| value);
    assert_eq!(member("tcps_accepts"), Some(&Value::Int(11)));
    assert!(matches!(member("_pad"), Some(Value::Array(_))));
    assert_eq!(error(&demo.whole, "net.inet.tcp.states"), ErrorKind::Unallocated);
}

#[test]
fn damage_costs_itself_and_is_told() {
    let demo = Machine::new("demo", Format::MinidumpV2);
    let [forwarding, redirect, ttl] = IP.map(|name| demo.oid(name));
    let ip = |session: &Session| {
        let tree = session.sysctls(&["net.inet.ip".into()]).unwrap();
        (names(&tree).into_iter().map(String::from).collect::<Vec<_>>(), told(&tree))
    };
    assert_eq!(ip(&demo.whole), (IP.map(String::from).to_vec(), String::new()));
    for oid in [&forwarding, &redirect, &ttl] {
        let (found, problems) = ip(&demo.with(demo.place(oid, "oid_link"), oid.address.get()));
        assert!(
            problems.starts_with("net.inet.ip: ") && problems.contains("a cycle"),
            "{problems}"
        );
        assert!(found.contains(&oid.name.to_string()));
    }
    let (found, problems) = ip(&demo.with(demo.place(&ttl, "oid_name"), 0x10));
    assert_eq!(found, IP[..2]);
    assert!(problems.contains("cannot be read"), "{problems}");
    // Its arg1 is an address that no vnet has a copy of.
    let outside = demo.with(demo.place(&ttl, "oid_arg1"), ttl.address.get());
    assert_eq!(error(&outside, "net.inet.ip.ttl"), ErrorKind::BadAddress);
    let structure = demo.oid("debug.feat.struct");
    let huge = demo.with(demo.place(&structure, "oid_arg2"), i64::MAX as u64);
    assert_eq!(error(&huge, "debug.feat.struct"), ErrorKind::TooLarge);
}

#[test]
fn a_node_below_itself_ends() {
    let demo = Machine::new("demo", Format::MinidumpV2);
    let ttl = demo.oid("net.inet.ip.ttl");
    // The list of net.inet.ip's children is the first member of its oid.
    let node = demo.whole.memory().pointer(demo.place(&ttl, "oid_parent")).unwrap();
    let bent = demo.with(node, node.get());
    let tree = bent.sysctls(&["net.inet".into()]).unwrap();
    assert!(tree.has("net.inet.udp") && !tree.has("net.inet.ip"));
    assert!(told(&tree).contains("comes back to"), "{:?}", tree.problems);
}

#[test]
fn trees_are_walked_without_their_parents_and_colours() {
    let newer = Machine::new("newer", Format::MinidumpV3);
    let [forwarding, redirect, ttl] = IP.map(|name| newer.oid(name));
    let links = |oid: &Oid, index: u64| newer.place(oid, "oid_link").wrapping_add(index * 8);
    for oid in [&forwarding, &redirect, &ttl] {
        let wrong = newer.with(links(oid, 0), 0xdead_beef_dead_beef);
        let tree = wrong.sysctls(&["net.inet.ip".into()]).unwrap();
        assert_eq!((names(&tree), told(&tree)), (IP.to_vec(), String::new()));
        for side in [1, 2] {
            let cyclic = newer.with(links(oid, side), oid.address.get());
            let tree = cyclic.sysctls(&["net.inet.ip".into()]).unwrap();
            assert!(told(&tree).contains("a cycle"), "{:?}", tree.problems);
            assert!(names(&tree).contains(&&*oid.name));
            let broken = newer.with(links(oid, side), 0x10);
            let tree = broken.sysctls(&["net.inet.ip".into()]).unwrap();
            assert!(!tree.problems.is_empty() && names(&tree).contains(&&*oid.name));
        }
    }
}

fn told(tree: &SysctlTree) -> String {
    tree.problems.iter().map(|problem| format!("{problem}\n")).collect()
}
