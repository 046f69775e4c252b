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

fn open_kernel(name: &str) -> Source {
    Source::open(format!("fixtures/kernel/{name}")).unwrap()
}

fn scenarios() -> Vec<PathBuf> {
    let entries = fs::read_dir("fixtures/scenarios").unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
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

/// What does not depend on the kernel: for each vnet its condition, interfaces, sockets and
/// jails, and a variable.
fn told(session: &Session) -> Vec<String> {
    let all = session.vnets().unwrap();
    assert!(all.problems.is_empty(), "{:?}", all.problems);
    let line = |number: usize| {
        let vnet = &all.all[number];
        let jails = vnet.jails.iter().flatten().map(|jail| format!("{} {}", jail.jid, jail.name));
        let jails: Vec<_> = jails.collect();
        let at = Selector::Address(vnet.address);
        let ttl = session.select(&at).ok().map(|found| {
            session.print(found.stacks[0], "V_ip_defttl", &Limits::default()).unwrap().value
        });
        assert!(matches!(ttl, None | Some(Value::Int(_))), "{ttl:?}");
        format!(
            "{:?} {:?}: {:?} interfaces, {:?} sockets, jails {jails:?}, ttl {ttl:?}",
            vnet.index, vnet.condition, vnet.ifcnt, vnet.sockcnt
        )
    };
    (0..all.all.len()).map(line).collect()
}

#[test]
fn every_scenario_builds_on_all_and_reads_back_the_same() {
    for path in scenarios() {
        let built = KERNELS.map(|kernel| (kernel, build_on(kernel, &path)));
        if path.ends_with("modules-shared.toml") {
            // Its modules are those of another machine.
            for (kernel, image) in built {
                let why = image.unwrap_err();
                let cause = std::error::Error::source(&why).map(ToString::to_string);
                let cause = cause.unwrap_or_default();
                assert!(cause.contains("it is not for amd64"), "{kernel}: {why}: {cause}");
            }
            continue;
        }
        let [oldest, newer @ ..] = built.map(|(kernel, image)| {
            let image = image.unwrap_or_else(|why| {
                panic!("{} on {kernel}: {why:?}", path.display());
            });
            (kernel, told(&session(kernel, &image)))
        });
        for (kernel, told) in newer {
            assert_eq!(oldest.1, told, "{} on {kernel}", path.display());
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
