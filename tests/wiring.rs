//! Interfaces and what ties them together: what the runtime did is what comes out, on every kind of
//! kernel; what is broken is called out, and what is hostile ends in an error.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::interfaces::{Entry, Question};
use vnetkvm::answers::topology::{EdgeKind, Topology};
use vnetkvm::answers::{self, Answer, Chosen};
use vnetkvm::image::object::Object;
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::render::{dot, svg};
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::model::ErrorKind;

/// 12.1, 13.2, 14 and 15; by gcc; both orders of bytes, both sizes of pointers; no VIMAGE.
const KERNELS: [&str; 13] = [
    "classic-clang-dwarf2",
    "classic-gcc-dwarf5",
    "newer-clang19-dwarf5",
    "stable13-clang-dwarf4",
    "stable14-clang-dwarf4",
    "stable15-clang-dwarf4",
    "plain-clang-dwarf4",
    "arm64",
    "i386",
    "i386-newer",
    "armv7",
    "riscv64",
    "powerpc64",
];

/// What every kernel has.
const HOST: &str = r#"
memory = "64M"
[machine]
trash_freed = true

[[step]]
do = "process"
name = "openvpn"
pid = 812

[[step]]
do = "interface"
name = "lo0"
driver = "lo"
flags = 0x8049
addresses = ["127.0.0.1/8", "::1/128", "fe80::1/64"]

[[step]]
do = "interface"
name = "em0"
driver = "em"
ether = "02:00:00:00:00:01"
description = "uplink"
groups = ["egress"]
addresses = ["10.0.0.1/0", "10.0.0.2/31", "10.0.0.3/32", "fe80::2/64 tentative"]
ipackets = [30]
counters = { ibytes = [4000], oqdrops = [2] }

[[step]]
do = "interface"
name = "em1"
driver = "em"

[[step]]
do = "interface"
name = "lagg0"
driver = "lagg"
ports = ["em1"]

[[step]]
do = "interface"
name = "vlan7"
driver = "vlan"
parent = "em0"
tag = 7

[[step]]
do = "interface"
name = "gre0"
driver = "gre"
source = "10.0.0.1"
destination = "10.9.0.1"

[[step]]
do = "interface"
name = "tun0"
driver = "tun"
process = "openvpn"
"#;

const JAIL: &str = r#"
[[step]]
do = "jail"
name = "web"

[[step]]
do = "epair"
name = "epair0"
b = { jail = "web", addresses = ["172.16.0.2/24"] }
"#;

const BRIDGE: &str = r#"
[[step]]
do = "interface"
name = "bridge0"
driver = "bridge"
members = ["em0", "epair0a"]
"#;

fn image(kernel: &str, text: &str) -> Image {
    let kernel = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    build(&Scenario::parse(text).unwrap(), Kernel::open(kernel, None).unwrap()).unwrap()
}

fn session(kernel: &str, image: &Image) -> Session {
    let mut core = Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut core).unwrap();
    let kernel = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    Session::from_sources(kernel, Source::from_vec("vmcore", core.into_inner())).unwrap()
}

fn entries(session: &Session) -> Vec<Entry> {
    let chosen = Chosen::ask(session, &Selector::All).unwrap();
    let answer = answers::interfaces(session, chosen, Question::default()).unwrap();
    answer.to_vec().into_iter().flat_map(|(_, answer)| answer.elements().to_vec()).collect()
}

fn entry(session: &Session, name: &str) -> Entry {
    let found = entries(session).into_iter().find(|it| it.interface.name.as_deref() == Ok(name));
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

/// Each tie as `from kind to`, but not what holds what.
fn ties(topology: &Topology) -> Vec<String> {
    let name = |id: VirtAddr| {
        let node = topology.nodes.iter().find(|node| node.id == id).unwrap();
        node.name.clone()
    };
    let ties = topology.edges.iter().filter(|edge| edge.kind != EdgeKind::Holds);
    let told = ties.map(|it| format!("{} {} {}", name(it.from), it.kind.name(), name(it.to)));
    told.collect()
}

fn faults(session: &Session) -> Vec<(String, &'static str)> {
    let entries = entries(session);
    let faults = entries.iter().flat_map(|entry| {
        let name = entry.interface.name.as_deref().unwrap_or("?").to_owned();
        entry.call_outs.iter().map(move |it| (name.clone(), it.what))
    });
    faults.collect()
}

fn expect(session: &Session, expected: &[(&str, &str)]) {
    let found = faults(session);
    let found: Vec<(&str, &str)> = found.iter().map(|(name, what)| (&**name, *what)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_sound_kernel_of_every_kind_has_its_ties_and_no_call_out() {
    for kernel in KERNELS {
        let has_vnets = kernel != "plain-clang-dwarf4";
        let newer = ["newer", "stable", "riscv", "powerpc"].iter().any(|it| kernel.contains(it));
        let parts = [Some(HOST), has_vnets.then_some(JAIL), newer.then_some(BRIDGE)];
        let text: String = parts.into_iter().flatten().collect();
        let session = session(kernel, &image(kernel, &text));
        expect(&session, &[]);
        let topology = answers::topology(&session, None).unwrap();
        assert!(topology.problems().is_empty(), "{kernel}: {:?}", topology.problems());
        let expected = [
            Some("lagg0 lagg em1"),
            Some("vlan7 vlan em0"),
            has_vnets.then_some("epair0a epair epair0b"),
            newer.then_some("bridge0 bridge em0"),
            newer.then_some("bridge0 bridge epair0a"),
        ];
        let (mut found, mut expected) =
            (ties(&topology), expected.into_iter().flatten().collect::<Vec<_>>());
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{kernel}");

        let em0 = entry(&session, "em0");
        let addresses: Vec<&str> = em0.addresses.iter().map(|found| &*found.text).collect();
        assert_eq!(
            addresses,
            ["10.0.0.1/0", "10.0.0.2/31", "10.0.0.3/32", "fe80::2%em0/64"],
            "{kernel}"
        );
        assert_eq!(em0.addresses[3].flags, ["tentative"]);
        assert_eq!(em0.interface.hardware.as_deref(), Some("02:00:00:00:00:01"));
        assert_eq!(em0.interface.flags, Ok(0x8843));
        assert_eq!(em0.interface.description.as_ref().unwrap().as_deref(), Some("uplink"));
        assert_eq!(
            em0.interface.groups.as_deref().unwrap(),
            ["all".into(), Box::<str>::from("egress")]
        );
        let counts = ["ipackets", "ibytes", "oqdrops", "ierrors"];
        let counts = counts.map(|name| em0.interface.traffic.get(name).unwrap().clone().unwrap());
        assert_eq!(counts, [30, 4000, 2, 0], "{kernel}");
        let tun = entry(&session, "tun0");
        assert_eq!(tun.ties.owner, Some(Ok(Some(812))), "{kernel}");
        let gre = entry(&session, "gre0").ties.tunnel.unwrap().unwrap().unwrap();
        assert_eq!(gre.destination, Some("10.9.0.1".parse().unwrap()), "{kernel}");
    }
}

/// Where a bridge is a module, its types are in the module's file.
#[test]
fn bridges_of_a_module_are_known_if_its_types_are() {
    for (arch, kernel) in [("amd64", "classic-clang-dwarf4"), ("arm64", "arm64"), ("i386", "i386")]
    {
        let module = |name: &str| {
            format!("[[step]]\ndo = \"module\"\nfile = \"fixtures/kernel/modules/{arch}/{name}\"\n")
        };
        let modules = module("bridgestp.ko") + &module("if_bridge.ko");
        let image = image(kernel, &format!("{HOST}{modules}{JAIL}{BRIDGE}"));
        let directory = tempfile::tempdir().unwrap();
        let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
        let open = || {
            let kernel = Some(directory.path().join("kernel"));
            Session::open(&Options { kernel, core: core.clone(), ..Options::default() }).unwrap()
        };
        image.save_kernel(directory.path()).unwrap();
        let known = open();
        expect(&known, &[]);
        let members = entry(&known, "bridge0").ties.members.unwrap().unwrap();
        let names: Vec<String> = members.iter().map(|it| it.title()).collect();
        assert_eq!(names, ["em0", "epair0a"], "{kernel}");
        assert_eq!(entry(&known, "em0").ties.bridge.unwrap().unwrap().title(), "bridge0");

        std::fs::remove_file(directory.path().join("if_bridge.ko")).unwrap();
        let unknown = open();
        expect(&unknown, &[]);
        let why = entry(&unknown, "bridge0").ties.members.unwrap().unwrap_err();
        assert_eq!((why.kind, &*why.message), (ErrorKind::NoType, "no types of if_bridge.ko"));
        let topology = answers::topology(&unknown, None).unwrap();
        let bridge = topology.nodes.iter().find(|node| node.name == "bridge0").unwrap();
        assert_eq!(bridge.notes, ["members unknown: no types of if_bridge.ko"]);
    }
}

/// An interface that a thread may be moving is on no list for a while, which is no fault.
#[test]
fn an_interface_on_its_way_is_not_called_out() {
    let kernel = "classic-clang-dwarf4";
    let host = HOST.replace("trash_freed = true", "trash_freed = false");
    let gone =
        "[[step]]\ndo = \"break-interface\"\ninterface = \"epair0b\"\nfault = \"half-destroyed\"\n";
    let thread = |calls: &str| {
        let process = "[[step]]\ndo = \"process\"\nname = \"ifconfig\"\nin_network_stack = true\n";
        let rest =
            "\"prison_deref\", \"sys_jail_remove\", \"amd64_syscall\", \"fast_syscall_common\"";
        let stack = "[[step]]\ndo = \"stack\"\nprocess = \"ifconfig\"\n";
        format!("{process}\n{stack}calls = [{calls}, {rest}]\n")
    };
    let faults =
        |rest: &str| faults(&session(kernel, &image(kernel, &format!("{host}{JAIL}{gone}{rest}"))));
    let lost = [("epair0a".to_owned(), "half-destroyed-epair")];
    assert_eq!(faults(""), lost);
    assert_eq!(faults(&thread("\"tcp_destroy+0x1\"")), lost);
    assert_eq!(faults(&thread("\"tcp_destroy+0x1\", \"vnet_destroy\"")), []);
}

/// An interface that is destroyed takes its ties along.
#[test]
fn what_is_destroyed_leaves_nothing_behind() {
    let kernel = "stable14-clang-dwarf4";
    let destroy = "[[step]]\ndo = \"destroy-interface\"\ninterface = \"epair0b\"\n";
    let session = session(kernel, &image(kernel, &format!("{HOST}{JAIL}{BRIDGE}{destroy}")));
    expect(&session, &[]);
    let found = ties(&answers::topology(&session, None).unwrap());
    assert_eq!(found, ["lagg0 lagg em1", "vlan7 vlan em0", "bridge0 bridge em0"]);
}

const KERNEL: &str = "newer-clang-dwarf4";

/// A session of the healthy network after `harm`.
fn harmed(harm: impl FnOnce(&mut Image)) -> Session {
    let mut image = image(KERNEL, &format!("{HOST}{JAIL}{BRIDGE}"));
    harm(&mut image);
    session(KERNEL, &image)
}

fn interface(image: &Image, name: &str) -> Object {
    image.runtime().interface(name).unwrap()
}

fn softc(image: &Image, name: &str, type_name: &str) -> Object {
    let kernel = image.runtime().kernel();
    let at = kernel.get(interface(image, name), "if_softc").unwrap();
    kernel.object(VirtAddr::new(at), type_name).unwrap()
}

fn set(image: &mut Image, object: Object, path: &str, value: u64) {
    image.runtime_mut().kernel_mut().set(object, path, value).unwrap();
}

#[test]
fn a_tie_that_the_other_end_does_not_confirm_is_called_out() {
    let session = harmed(|image| {
        let (peer, other) =
            (softc(image, "epair0b", "struct epair_softc"), interface(image, "em0"));
        set(image, peer, "oifp", other.address.get());
    });
    // em0 is no epair: it has no epair_softc to confirm anything.
    expect(&session, &[("epair0a", "half-destroyed-epair"), ("epair0b", "half-destroyed-epair")]);

    let session = harmed(|image| {
        let member = interface(image, "em0");
        set(image, member, "if_bridge", 0);
        let port = interface(image, "em1");
        set(image, port, "if_lagg", 0);
    });
    expect(&session, &[("lagg0", "lost-port"), ("bridge0", "lost-member")]);
    let topology = answers::topology(&session, None).unwrap();
    let faults = topology.edges.iter().filter(|edge| !edge.problems.is_empty());
    assert_eq!(
        faults.map(|edge| edge.kind).collect::<Vec<_>>(),
        [EdgeKind::Lagg, EdgeKind::Bridge]
    );

    let session = harmed(|image| {
        let parent = interface(image, "em0");
        set(image, parent, "if_vlantrunk", 0);
    });
    expect(&session, &[("vlan7", "lost-parent")]);

    let session = harmed(|image| {
        let away = interface(image, "epair0b");
        set(image, away, "if_home_vnet", away.address.get());
    });
    expect(&session, &[("epair0b", "lost-home")]);
}

/// Since 15 a member of a bridge points at its own entry on the bridge's list.
#[test]
fn members_may_point_at_their_entries() {
    let session = harmed(|image| {
        let bridge = softc(image, "bridge0", "struct bridge_softc");
        let kernel = image.runtime().kernel();
        let newest = kernel.get(bridge, "sc_iflist.clh_first").unwrap();
        let member = interface(image, "epair0a");
        set(image, member, "if_bridge", newest);
    });
    expect(&session, &[]);
    let bridge = entry(&session, "epair0a").ties.bridge.unwrap().unwrap();
    assert_eq!(bridge.title(), "bridge0");
}

/// Cycles, and pointers to nowhere and into the middle of things. None hides the others.
#[test]
fn hostile_pointers_are_errors_in_their_places() {
    let nowhere = 0xffff_f800_dead_0000;
    for (what, harm) in [
        (
            "softc",
            Box::new(move |image: &mut Image| {
                for name in ["epair0a", "bridge0", "lagg0", "vlan7", "gre0", "tun0"] {
                    let it = interface(image, name);
                    set(image, it, "if_softc", nowhere);
                }
            }) as Box<dyn FnOnce(&mut Image)>,
        ),
        (
            "pointers",
            Box::new(move |image: &mut Image| {
                for member in ["if_bridge", "if_lagg", "if_carp", "if_dname", "if_description"] {
                    let it = interface(image, "em0");
                    set(image, it, member, nowhere + 1);
                }
            }),
        ),
        (
            "cycles",
            Box::new(|image: &mut Image| {
                let bridge = softc(image, "bridge0", "struct bridge_softc");
                let kernel = image.runtime().kernel();
                let first = kernel.get(bridge, "sc_iflist.clh_first").unwrap();
                let first = kernel.object(VirtAddr::new(first), "struct bridge_iflist").unwrap();
                set(image, first, "bif_next.cle_next", first.address.get());
                let it = interface(image, "em0");
                let kernel = image.runtime().kernel();
                let ifaddr = kernel.get(it, "if_addrhead.cstqh_first").unwrap();
                let ifaddr = kernel.object(VirtAddr::new(ifaddr), "struct ifaddr").unwrap();
                set(image, ifaddr, "ifa_link.cstqe_next", ifaddr.address.get());
                let group = image.runtime().kernel().get(it, "if_groups.cstqh_first").unwrap();
                let group = image
                    .runtime()
                    .kernel()
                    .object(VirtAddr::new(group), "struct ifg_list")
                    .unwrap();
                set(image, group, "ifgl_next.cstqe_next", group.address.get());
            }),
        ),
        (
            "self",
            Box::new(|image: &mut Image| {
                let end = softc(image, "epair0a", "struct epair_softc");
                let own = interface(image, "epair0a");
                set(image, end, "oifp", own.address.get() + 1);
                let trunk = softc(image, "vlan7", "struct ifvlan");
                set(image, trunk, "ifv_trunk", trunk.address.get());
            }),
        ),
    ] {
        let session = harmed(harm);
        let entries = entries(&session);
        assert_eq!(entries.len(), 10, "{what}");
        let topology = answers::topology(&session, None).unwrap();
        let mut out = Vec::new();
        svg::write(&topology, &mut out).unwrap();
        dot::write(&topology, &mut out).unwrap();
        serde_json::to_string(&topology).unwrap();
        match what {
            "softc" => {
                let bridge = entry(&session, "bridge0").ties;
                assert!(bridge.members.unwrap().is_err());
                assert!(entry(&session, "gre0").ties.tunnel.unwrap().is_err());
            }
            "pointers" => {
                let em0 = entry(&session, "em0");
                assert!(em0.interface.driver.is_err() && em0.interface.description.is_err());
                assert!(em0.ties.bridge.unwrap().is_err() && em0.ties.lagg.unwrap().is_err());
            }
            "cycles" => {
                assert!(entry(&session, "bridge0").ties.members.unwrap().is_err());
                let em0 = entry(&session, "em0");
                assert!(em0.interface.groups.is_err() && !em0.interface.problems.is_empty());
            }
            _ => assert!(faults(&session).iter().any(|(_, what)| *what == "half-destroyed-epair")),
        }
    }
}

#[test]
fn names_are_data_in_graphs_and_drawings() {
    let text = r#"
[[step]]
do = "jail"
name = "<script>&\"'\u001b[31m\\"
[[step]]
do = "interface"
name = "</text>\u0007\"]&"
driver = "em"
description = "x"
"#;
    let session = session(KERNEL, &image(KERNEL, text));
    let topology = answers::topology(&session, None).unwrap();
    let (mut drawing, mut graph) = (Vec::new(), Vec::new());
    svg::write(&topology, &mut drawing).unwrap();
    dot::write(&topology, &mut graph).unwrap();
    let (drawing, graph) = (String::from_utf8(drawing).unwrap(), String::from_utf8(graph).unwrap());
    assert!(drawing.contains("&lt;script&gt;&amp;&quot;&#39;\\033[31m"), "{drawing}");
    assert!(!drawing.contains("<script") && !drawing.contains("</text>\\a"), "{drawing}");
    assert!(graph.contains(r#"<script>&\"'\\033[31m\\"#), "{graph}");
    for text in [&drawing, &graph] {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}

/// With 3, 30 and 300 interfaces: nothing overlaps, and no line crosses an interface.
#[test]
fn drawings_of_any_size_are_readable() {
    for jails in [1, 9, 98] {
        let mut text = "memory = \"256M\"\n".to_owned();
        let step = |text: &mut String, step: &str| {
            text.push_str("[[step]]\n");
            text.push_str(step);
        };
        for n in 0..jails {
            step(&mut text, &format!("do = \"jail\"\nname = \"jail{n}\"\n"));
            step(
                &mut text,
                &format!("do = \"epair\"\nname = \"epair{n}\"\nb = {{ jail = \"jail{n}\" }}\n"),
            );
            step(
                &mut text,
                &format!(
                    "do = \"interface\"\nname = \"lo0\"\nhome = \"jail{n}\"\njail = \"jail{n}\"\n"
                ),
            );
        }
        let members: Vec<String> = (0..jails).map(|n| format!("\"epair{n}a\"")).collect();
        let members = members.join(", ");
        step(
            &mut text,
            &format!(
                "do = \"interface\"\nname = \"bridge0\"\ndriver = \"bridge\"\nmembers = [{members}]\n"
            ),
        );
        let session = session(KERNEL, &image(KERNEL, &text));
        let topology = answers::topology(&session, None).unwrap();
        let mut out = Vec::new();
        svg::write(&topology, &mut out).unwrap();
        let drawing = String::from_utf8(out).unwrap();
        let cells = rectangles(&drawing, "class=\"cell");
        assert_eq!(cells.len(), 3 * jails + 1);
        for (at, a) in cells.iter().enumerate() {
            assert!(cells[at + 1..].iter().all(|b| !overlap(*a, *b)), "{jails}: {a:?}");
        }
        let boxes = rectangles(&drawing, "class=\"box");
        for (at, a) in boxes.iter().enumerate() {
            assert!(boxes[at + 1..].iter().all(|b| !overlap(*a, *b)), "{jails}: {a:?}");
        }
        let lines = lines(&drawing);
        assert!(lines.len() >= 5 * jails);
        for line in lines {
            // A line begins at the border of a cell.
            let crossed = cells.iter().find(|cell| overlap(**cell, line));
            assert_eq!(crossed, None, "{jails}: {line:?}");
        }
    }
}

type Rectangle = [i64; 4];

fn overlap(a: Rectangle, b: Rectangle) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

fn attribute(element: &str, name: &str) -> i64 {
    let start = element.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
    element[start..].split('"').next().unwrap().parse().unwrap()
}

fn rectangles(drawing: &str, class: &str) -> Vec<Rectangle> {
    let found = drawing.lines().filter(|line| line.contains("<rect") && line.contains(class));
    let rectangle = |line: &str| {
        let [x, y] = ["x", "y"].map(|name| attribute(line, name));
        let [width, height] = ["width", "height"].map(|name| attribute(line, name));
        [x, y, x + width, y + height]
    };
    found.map(rectangle).collect()
}

/// The lines of all ties, each one pixel wide.
fn lines(drawing: &str) -> Vec<Rectangle> {
    let paths = drawing.lines().filter(|line| line.starts_with("<g>") && line.contains("<path"));
    let paths = paths.flat_map(|line| line.split(" d=\"").nth(1).unwrap().split('"').next());
    let lines = paths.flat_map(|path| path.split('M').skip(1)).map(|line| {
        let numbers = line.replace('L', " ");
        let numbers: Vec<i64> = numbers.split_whitespace().map(|it| it.parse().unwrap()).collect();
        let [x1, y1, x2, y2] = numbers[..] else { panic!("{line}") };
        [x1.min(x2), y1.min(y2), x1.max(x2) + 1, y1.max(y2) + 1]
    });
    lines.collect()
}
