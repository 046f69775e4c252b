//! Routes and neighbours: what the runtime put into the kernel's trees and tables is what comes out, on
//! every kind of kernel, and what is broken or hostile is said.

#![cfg(feature = "image")]

use std::collections::BTreeSet;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::neighbors::Neighbors;
use vnetkvm::answers::routes::{Question, Routes};
use vnetkvm::answers::{self, Answer, Chosen};
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{Gateway, HopOptions, Network, RouteOptions};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::views::family::Family;

/// Radix nodes of 10 (armv7), rtentries of 12, next hops of 13 and later; both orders of bytes, both
/// sizes of pointers; no VIMAGE.
const KERNELS: [&str; 11] = [
    "classic-clang-dwarf4",
    "classic-gcc-dwarf5",
    "newer-clang19-dwarf5",
    "stable13-clang-dwarf4",
    "stable14-clang-dwarf4",
    "stable15-clang-dwarf4",
    "plain-clang-dwarf4",
    "arm64",
    "i386",
    "armv7",
    "powerpc64",
];

const HOST: &str = r#"
memory = "32M"
formats = ["minidump-v2"]
globals = { time_uptime = 3000 }
[machine]
trash_freed = true

[[step]]
do = "interface"
name = "lo0"
addresses = ["127.0.0.1/8", "::1/128", "fe80::1/64"]
values = { if_type = 24 }

[[step]]
do = "interface"
name = "em0"
addresses = ["10.0.0.1/24", "fe80::2/64"]
values = { if_type = 6, if_addrlen = 6 }

[[step]]
do = "bring-up"
interface = "lo0"

[[step]]
do = "bring-up"
interface = "em0"
link = "02:00:00:00:00:01"
"#;

const MORE: &str = r#"
[[step]]
do = "route"
to = "default"
gateway = "10.0.0.254"
interface = "em0"

[[step]]
do = "route"
to = "10.1.0.0/16"
gateway = "10.0.0.2"
interface = "em0"
expire = 3010

[[step]]
do = "route"
to = "default6"
gateway = "fe80::fe"
interface = "em0"

[[step]]
do = "neighbor"
interface = "em0"
address = "10.0.0.254"
link = "02:00:00:00:00:fe"
expire = 3020

[[step]]
do = "neighbor"
interface = "em0"
address = "10.0.0.7"
asked = 2
held = 1
expire = 2999

[[step]]
do = "neighbor"
interface = "em0"
address = "fe80::fe"
link = "02:00:00:00:00:fe"
state = 3
expire = 3001
router = true
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

fn routes(session: &Session, question: Question) -> Vec<Routes> {
    let chosen = Chosen::ask(session, &Selector::All).unwrap();
    let answer = answers::routes(session, chosen, question).unwrap();
    answer.to_vec().into_iter().map(|(_, answer)| answer).collect()
}

fn neighbors(session: &Session) -> Vec<Neighbors> {
    let chosen = Chosen::ask(session, &Selector::All).unwrap();
    let answer = answers::neighbors(session, chosen, None).unwrap();
    answer.to_vec().into_iter().map(|(_, answer)| answer).collect()
}

/// Each route as `destination gateway flags interface`, those of vnet0.
fn told(session: &Session) -> Vec<String> {
    let all = routes(session, Question::default()).remove(0);
    assert_eq!(all.problems().iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    let told = all.routes.unwrap().into_iter().map(|route| {
        assert_eq!(route.problems, [], "{:?}", route.destination);
        let gateway = route.gateway.unwrap().unwrap();
        let (flags, on) = (route.flags.unwrap().letters(), route.interface.unwrap().unwrap());
        let left = route.expires_in.map_or(String::new(), |left| format!(" {left}s"));
        format!("{} {gateway} {flags} {on}{left}", route.destination.unwrap())
    });
    told.collect()
}

#[test]
fn a_sound_kernel_of_every_kind_has_its_routes_and_no_call_out() {
    for kernel in KERNELS {
        let session = session(kernel, &image(kernel, &format!("{HOST}{MORE}")));
        let is_newer =
            ["newer-clang19-dwarf5", "powerpc64"].contains(&kernel) || kernel.starts_with("stable");
        let loopback6 = if is_newer { "::1 link#1 UHS lo0" } else { "::1 link#1 UH lo0" };
        let expected = [
            "default 10.0.0.254 UGS em0",
            "10.0.0.0/24 link#2 U em0",
            "10.0.0.1 link#2 UHS lo0",
            "10.1.0.0/16 10.0.0.2 UGS em0 10s",
            "127.0.0.1 link#1 UH lo0",
            "default fe80::fe%em0 UGS em0",
            loopback6,
            "fe80::%lo0/64 link#1 U lo0",
            "fe80::1%lo0 link#1 UHS lo0",
            "fe80::%em0/64 link#2 U em0",
            "fe80::2%em0 link#2 UHS lo0",
        ];
        assert_eq!(told(&session), expected, "{kernel}");
        for all in routes(&session, Question::default()) {
            assert!(all.tables.iter().all(|table| table.problems.is_empty()), "{kernel}: {all:?}");
        }
    }
}

#[test]
fn a_sound_kernel_of_every_kind_has_its_neighbours() {
    for kernel in KERNELS {
        let session = session(kernel, &image(kernel, &format!("{HOST}{MORE}")));
        let all = neighbors(&session).remove(0);
        assert!(all.problems().is_empty(), "{kernel}: {:?}", all.problems());
        assert!(all.tables.iter().all(|table| table.problems.is_empty()), "{kernel}");
        let told = all.neighbors.unwrap().into_iter().map(|one| {
            assert_eq!(one.problems, [], "{kernel}");
            let link = one.link.unwrap().map_or("?".to_owned(), String::from);
            let left = one.expires_in.map_or("-".to_owned(), |left| left.to_string());
            let router = if one.router { " router" } else { "" };
            let (address, state) = (one.address.unwrap(), one.state.unwrap().name());
            format!("{address} {link} {left} {state} {}{router}", one.held.unwrap())
        });
        let told: BTreeSet<String> = told.collect();
        let expected = [
            "10.0.0.1 02:00:00:00:00:01 - permanent 0",
            "10.0.0.254 02:00:00:00:00:fe 20 reachable 0",
            "10.0.0.7 ? -1 incomplete 1",
            "fe80::2%em0 02:00:00:00:00:01 - permanent 0",
            "fe80::fe%em0 02:00:00:00:00:fe 1 delay 0 router",
        ];
        assert_eq!(told, expected.map(str::to_owned).into(), "{kernel}");
    }
}

/// The interface em0 of vnet0 in a built image.
fn em0(image: &Image) -> Object {
    image.runtime().interface("em0").unwrap()
}

fn add(image: &mut Image, to: &str) -> bool {
    let interface = em0(image);
    let scope = image.runtime().host();
    let options = RouteOptions {
        scope,
        fib: 0,
        to: Network::parse(to).unwrap(),
        hops: vec![HopOptions::new(Gateway::Address(Ipv4Addr::new(10, 0, 0, 2).into()), interface)],
        flags: 0x800,
        expire: 0,
    };
    image.runtime_mut().add_route(&options).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Many networks that overlap, in any order: every one is found again, in the order of the kernel,
    /// and the one that the model says is the best for an address is what `to` finds.
    #[test]
    fn trees_of_many_routes_are_read_whole(
        networks in prop::collection::vec((any::<u32>(), 0..=32u32), 1..120),
        probes in prop::collection::vec(any::<u32>(), 8),
        kernel in 0..3usize,
    ) {
        let kernel = ["classic-clang-dwarf4", "stable14-clang-dwarf4", "armv7"][kernel];
        let mut image = image(kernel, HOST.split("[[step]]\ndo = \"bring-up\"").next().unwrap());
        let mut model: BTreeSet<(u32, u32)> = BTreeSet::new();
        for (address, bits) in networks {
            // Few first bytes, so that keys share their beginnings.
            let address = address & 0x03ff_ffff;
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            let (network, text) = (address & mask, Ipv4Addr::from(address & mask));
            let added = add(&mut image, &format!("{text}/{bits}"));
            prop_assert_eq!(added, model.insert((network, bits)));
        }
        let session = session(kernel, &image);
        let found = routes(&session, Question { family: Some(Family::Inet), ..Question::default() });
        let found = found.into_iter().next().unwrap();
        prop_assert!(found.problems().is_empty());
        prop_assert!(found.tables.iter().all(|table| table.problems.is_empty()));
        let prefixes: Vec<String> =
            found.routes.unwrap().iter().map(|route| route.prefix.as_deref().unwrap().to_owned()).collect();
        // By key, and of one key the longest mask first; all with the zero key come first.
        let mut expected: Vec<(u32, u32)> = model.iter().copied().collect();
        expected.sort_by_key(|(network, bits)| (*network, 32 - *bits));
        let text = |(network, bits): &(u32, u32)| format!("{}/{bits}", Ipv4Addr::from(*network));
        prop_assert_eq!(prefixes, expected.iter().map(text).collect::<Vec<_>>());
        for probe in probes {
            let probe = probe & 0x03ff_ffff;
            let covers = |(network, bits): &&(u32, u32)| {
                probe & u32::MAX.checked_shl(32 - bits).unwrap_or(0) == *network
            };
            let best = model.iter().filter(covers).max_by_key(|(_, bits)| *bits).map(text);
            let to = Some(IpAddr::from(Ipv4Addr::from(probe)));
            let found = routes(&session, Question { to, ..Question::default() }).remove(0);
            let found: Vec<Box<str>> =
                found.routes.unwrap().into_iter().filter_map(|route| route.prefix).collect();
            prop_assert_eq!(found.first().map(|found| found.to_string()), best);
            prop_assert!(found.len() <= 1);
        }
    }
}

/// The head of vnet0's table of IPv4, and the pointer size.
fn head(image: &Image) -> (VirtAddr, u64) {
    let runtime = image.runtime();
    let machine = runtime.kernel().machine();
    let size = machine.arch().pointer_size();
    let variable = runtime.find(runtime.host(), "rt_tables").unwrap();
    let first = machine.pointer(variable.address).unwrap();
    (machine.pointer(first.wrapping_add(2 * size)).unwrap(), size)
}

fn poke(image: &mut Image, at: VirtAddr, to: u64) {
    let machine = image.runtime_mut().kernel_mut().machine_mut();
    machine.set_pointer(at, VirtAddr::new(to)).unwrap();
}

#[test]
fn what_is_hostile_is_said_and_ends() {
    for kernel in ["classic-clang-dwarf4", "stable14-clang-dwarf4"] {
        let text = format!("{HOST}{MORE}");
        for garbage in [0, 1, 0xffff_ffff_ffff_fff8, 0xdead_c0de_dead_c0de, 0xffff_f800_0000_0000] {
            // The top of the tree.
            let mut broken = image(kernel, &text);
            let (at, _) = head(&broken);
            poke(&mut broken, at, garbage);
            let found = routes(&session(kernel, &broken), Question::default()).remove(0);
            assert!(!found.problems().is_empty(), "{kernel}: {garbage:#x}");
            assert!(found.tables.iter().all(|table| table.counted.is_none_or(|count| count < 99)));
            assert!(found.routes.unwrap().iter().all(|route| route.family == Family::Inet6));

            // The array of tables.
            let mut broken = image(kernel, &text);
            let variable = broken.runtime().find(broken.runtime().host(), "rt_tables").unwrap();
            poke(&mut broken, variable.address, garbage);
            let found = routes(&session(kernel, &broken), Question::default()).remove(0);
            assert_eq!(found.problems().is_empty(), garbage == 0, "{kernel}: {garbage:#x}");
            assert_eq!(found.routes.is_some(), garbage == 0, "{kernel}: {garbage:#x}");

            // The list of tables of neighbours.
            let mut broken = image(kernel, &text);
            let variable = broken.runtime().find(broken.runtime().host(), "lltables").unwrap();
            poke(&mut broken, variable.address, garbage);
            let found = neighbors(&session(kernel, &broken)).remove(0);
            assert_eq!(found.problems().is_empty(), garbage == 0, "{kernel}: {garbage:#x}");
            assert_eq!(found.neighbors.is_some(), garbage == 0, "{kernel}: {garbage:#x}");
        }
    }
}

#[test]
fn garbage_counts_end() {
    let (kernel, text) = ("stable14-clang-dwarf4", format!("{HOST}{MORE}"));
    let mut broken = image(kernel, &text);
    let host = broken.runtime().host();
    let count = broken.runtime().find(host, "_rt_numfibs").unwrap();
    let machine = broken.runtime_mut().kernel_mut().machine_mut();
    machine.set_uint(count.address, 4, 0xffff_ffff).unwrap();
    let found = routes(&session(kernel, &broken), Question::default()).remove(0);
    let problems: Vec<String> = found.problems().iter().map(ToString::to_string).collect();
    assert!(problems.iter().any(|why| why.contains("4294967295")), "{problems:?}");
    assert!(found.routes.unwrap().len() >= 11);

    let mut broken = image(kernel, &text);
    let lltables = broken.runtime().find(host, "lltables").unwrap();
    let machine = broken.runtime().kernel().machine();
    let table = machine.pointer(lltables.address).unwrap();
    let table = broken.runtime().kernel().object(table, "struct lltable").unwrap();
    broken.runtime_mut().kernel_mut().set(table, "llt_hsize", 0x7fff_ffff).unwrap();
    let found = neighbors(&session(kernel, &broken)).remove(0);
    let problems: Vec<String> = found.problems().iter().map(ToString::to_string).collect();
    assert!(problems.iter().any(|why| why.contains("2147483647 lists")), "{problems:?}");
    assert!(!found.neighbors.unwrap().is_empty());
}

#[test]
fn a_group_without_its_plain_list_has_the_next_hops_of_its_slots() {
    const GROUP: &str = r#"
[[step]]
do = "route"
to = "10.8.0.0/16"
hops = [
    { gateway = "10.0.0.2", interface = "em0", weight = 2 },
    { gateway = "10.0.0.3", interface = "em0", weight = 1 },
]
"#;
    let kernel = "stable14-clang-dwarf4";
    let mut broken = image(kernel, &format!("{HOST}{GROUP}"));
    let ways = |image: &Image| {
        let to = Some("10.8.1.1".parse().unwrap());
        let found =
            routes(&session(kernel, image), Question { to, ..Question::default() }).remove(0);
        found.routes.unwrap()
    };
    let told = |image: &Image| -> Vec<(Box<str>, Option<u64>)> {
        ways(image).into_iter().map(|way| (way.gateway.unwrap().unwrap(), way.weight)).collect()
    };
    let both = [("10.0.0.2".into(), Some(2)), ("10.0.0.3".into(), Some(1))];
    assert_eq!(told(&broken), both);
    let group = ways(&broken)[0].nexthop.as_ref().unwrap().group.unwrap();
    let group = broken.runtime().kernel().object(group, "struct nhgrp_object").unwrap();
    let slots = broken.runtime().kernel().member(group, "nhops").unwrap().address;
    let private = broken.runtime().kernel().object(slots.wrapping_add(3 * 8), "struct nhgrp_priv");
    let private = private.unwrap();
    broken.runtime_mut().kernel_mut().set(private, "nhg", 0x10).unwrap();
    assert_eq!(told(&broken), both);
    let whats: Vec<&str> = ways(&broken)[0].problems.iter().map(|problem| problem.what).collect();
    assert_eq!(whats, ["wrong-back-pointer"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Words of trees, routes, next hops and neighbours that point anywhere, at each other too: every
    /// question ends, and finds no more than there can be.
    #[test]
    fn pointers_to_anywhere_end_every_walk(
        pokes in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 0..4u8), 1..12),
        newer in any::<bool>(),
    ) {
        const KINDS: [&str; 4] = ["routetbl", "rtentry", "nhops", "lltable"];
        let kernel = if newer { "stable14-clang-dwarf4" } else { "classic-clang-dwarf4" };
        let mut broken = image(kernel, &format!("{HOST}{MORE}"));
        let machine = broken.runtime_mut().kernel_mut().machine_mut();
        let ours = machine.allocations().filter(|(_, one)| KINDS.contains(&one.kind));
        let ours: Vec<(VirtAddr, u64)> = ours.map(|(at, one)| (at, one.size)).collect();
        for (which, number, what) in &pokes {
            let (at, size) = *which.get(&ours);
            let place = at.wrapping_add(number % size.max(8) / 8 * 8);
            let other = ours[(number % ours.len() as u64) as usize].0;
            let value = match what {
                0 => *number,
                1 => 0,
                2 => at.get(),
                _ => other.get(),
            };
            machine.set_pointer(place, VirtAddr::new(value)).unwrap();
        }
        let session = session(kernel, &broken);
        for all in routes(&session, Question::default()) {
            prop_assert!(all.routes.unwrap_or_default().len() < 1000);
        }
        for all in neighbors(&session) {
            prop_assert!(all.neighbors.unwrap_or_default().len() < 1000);
        }
    }
}
