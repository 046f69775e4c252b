//! The same histories on kernels with the very layouts of 12.1, 13.2, 14.0 and 15.0: every
//! scenario that is checked in builds on all of them, and reads back the same.

#![cfg(feature = "image")]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use vnetkvm::image::{Format, Image, ImageError, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::Stack;

const KERNELS: [&str; 4] = [
    "classic-clang-dwarf4",
    "stable13-clang-dwarf4",
    "stable14-clang-dwarf4",
    "stable15-clang-dwarf4",
];

/// Scenarios that need what some releases do not have, or have in a module only.
const NOT_IN_ALL: [(&str, &str); 8] = [
    ("network-newer.toml", "bridge_softc"),
    ("packets-newer.toml", "the kernel has no zone mbuf"),
    ("packets.toml", "the kernel has no zone mbuf"),
    ("pcpu-newer.toml", "symbol dpcpu_off undefined"),
    ("pcpu.toml", "symbol dpcpu_off undefined"),
    ("routes-newer.toml", "_rt_numfibs"),
    ("routes.toml", "rt_numfibs"),
    ("sockets.toml", "a tcpcb contains its control block"),
];

/// Scenarios whose modules are those of another machine.
const OTHER_MACHINES: [&str; 3] = ["modules-shared.toml", "pcpu-i386.toml", "pcpu-powerpc64.toml"];

fn open_kernel(name: &str) -> Source {
    Source::open(format!("fixtures/kernel/{name}")).unwrap()
}

fn scenarios() -> Vec<PathBuf> {
    let entries = fs::read_dir("fixtures/scenarios").unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.is_file()).collect();
    paths.sort();
    assert!(paths.len() > 8, "{paths:?}");
    paths
}

fn build_on(kernel: &str, scenario: &Path) -> Result<Image, ImageError> {
    let kernel = Kernel::open(open_kernel(kernel), None).unwrap();
    build(&Scenario::open(scenario).unwrap(), kernel)
}

fn session(kernel: &str, image: &Image) -> Session {
    let mut core = Cursor::new(Vec::new());
    image.write(Format::MinidumpV3, &mut core).unwrap();
    let core = Source::from_vec("vmcore", core.into_inner());
    Session::from_sources(open_kernel(kernel), core).unwrap()
}

/// What does not depend on the kernel: for each vnet its condition, interfaces and jails, and a
/// variable. Its sockets are told apart: up to 13, a connection in TIME_WAIT loses its own.
fn told(session: &Session) -> (Vec<String>, Vec<Option<u64>>) {
    let all = session.vnets().unwrap();
    let line = |number: usize| {
        let vnet = &all.all[number];
        let jails = vnet.jails.iter().flatten().map(|jail| format!("{} {}", jail.jid, jail.name));
        let jails: Vec<_> = jails.collect();
        let at = Selector::Address(vnet.address);
        let ttl = session.select(&at).ok().and_then(|found| {
            // A destroyed vnet has no variables.
            let printed = session.print(found.stacks[0], "V_ip_defttl", &Limits::default());
            Some(printed.ok()?.value)
        });
        assert!(matches!(ttl, None | Some(Value::Int(_))), "{ttl:?}");
        format!(
            "{:?} {:?}: {:?} interfaces, jails {jails:?}, ttl {ttl:?}",
            vnet.index, vnet.condition, vnet.ifcnt
        )
    };
    let sockets = all.all.iter().map(|vnet| vnet.sockcnt).collect();
    let mut lines: Vec<String> = (0..all.all.len()).map(line).collect();
    lines.push(format!("{} problems", all.problems.iter().count()));
    (lines, sockets)
}

#[test]
fn every_scenario_builds_on_all_and_reads_back_the_same() {
    for path in scenarios() {
        let built = KERNELS.map(|kernel| (kernel, build_on(kernel, &path)));
        if OTHER_MACHINES.iter().any(|scenario| path.ends_with(scenario)) {
            for (kernel, image) in built {
                let why = image.unwrap_err();
                let cause = std::error::Error::source(&why).map(ToString::to_string);
                let cause = cause.unwrap_or_default();
                assert!(cause.contains("it is not for amd64"), "{kernel}: {why}: {cause}");
            }
            continue;
        }
        let name = path.display();
        let told = built.map(|(kernel, image)| match image {
            Ok(image) => Some(told(&session(kernel, &image))),
            Err(why) => {
                let lacks = NOT_IN_ALL.iter().find(|(scenario, _)| path.ends_with(scenario));
                let known = lacks.is_some_and(|(_, what)| format!("{why:?}").contains(what));
                assert!(known, "{name} on {kernel}: {why:?}");
                None
            }
        });
        let (older, newer) = told.split_at(2);
        let same = |told: &[Option<_>]| told.iter().flatten().is_sorted_by(|a, b| a == b);
        assert!(same(older), "{name}: {older:#?}");
        assert!(same(newer), "{name}: {newer:#?}");
        let (older, newer) = (older.iter().flatten().next(), newer.iter().flatten().next());
        if let (Some((older, few)), Some((newer, many))) = (older, newer) {
            assert_eq!(older, newer, "{name}");
            assert!(few <= many, "{name}: {few:?} {many:?}");
        }
    }
}

/// The storage of the first thread is longer than the thread, and begins with it.
#[test]
fn the_first_thread_is_a_member_of_its_storage() {
    for kernel in KERNELS {
        let session =
            session(kernel, &build_on(kernel, Path::new("fixtures/scenarios/demo.toml")).unwrap());
        let print = |expression: &str| {
            let printed = session.print(Stack::Unchosen, expression, &Limits::default());
            printed.unwrap_or_else(|why| panic!("{kernel}: {expression}: {why}")).value
        };
        assert_eq!(print("thread0_st.t0st_thread.td_tid"), Value::Int(100_000));
        let process = print("thread0_st.t0st_thread.td_proc->p_comm");
        assert_eq!(process, Value::Text("kernel".into()), "{kernel}");
        assert_eq!(
            print("sizeof(struct thread0_storage) - sizeof(struct thread)"),
            Value::Int(80),
            "{kernel}"
        );
    }
}
