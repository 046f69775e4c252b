//! Jails and threads: what they show on machines of every release and architecture, sound and
//! damaged.

#![cfg(feature = "image")]

use std::io::Cursor;

use serde_json::Value;
use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::{self, jails::AllJails, threads::AllThreads};
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::{
    JailFault, JailOptions, ProcessOptions, Runtime, SocketKind, SocketOptions, ThreadState,
};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;

const KERNELS: [&str; 8] = [
    "classic-clang-dwarf4",
    "small-vnet-debug-dwarf4",
    "stable14-clang-dwarf4",
    "arm64",
    "i386-pae",
    "armv7",
    "riscv64",
    "powerpc64",
];

fn open(name: &str) -> Source {
    Source::open(format!("fixtures/kernel/{name}")).unwrap()
}

fn boot(kernel: &str) -> Runtime {
    let kernel = Kernel::open(open(kernel), None).unwrap();
    let loaded = LoadedKernel::load(kernel, MachineOptions::default()).unwrap();
    Runtime::boot(loaded, &[0, 1]).unwrap()
}

fn session(kernel: &str, runtime: Runtime) -> Session {
    let mut dump = Cursor::new(Vec::new());
    Image::of(runtime).unwrap().write(Format::Full, &mut dump).unwrap();
    Session::from_sources(open(kernel), Source::from_vec("vmcore", dump.into_inner())).unwrap()
}

fn process(runtime: &mut Runtime, name: &str, jail: Option<&str>) {
    let jail = jail.map(str::to_owned);
    let options = ProcessOptions { jail, ..ProcessOptions::new(name) };
    runtime.create_process(&options).unwrap();
}

fn jails(session: &Session) -> AllJails {
    answers::jails(session, &Selector::Default).unwrap()
}

fn threads(session: &Session) -> AllThreads {
    answers::threads(session, &Selector::Default, true).unwrap()
}

/// Of each jail: its name, its state, and what holds it.
fn held(session: &Session) -> Vec<(String, &'static str, String)> {
    let all = jails(session).jails;
    let held = |jail: &answers::jails::Jail| {
        jail.held_by.as_ref().map_or(String::new(), |held| held.parts().join("; "))
    };
    all.iter().map(|jail| (jail.name.to_string(), jail.state, held(jail))).collect()
}

#[test]
fn what_holds_a_dying_jail_is_found_on_every_machine() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        for (name, vnet) in [("alive", true), ("socket", true), ("zombie", false), ("other", false)]
        {
            runtime.create_jail(&JailOptions { vnet, ..JailOptions::new(name) }).unwrap();
        }
        process(&mut runtime, "sleeper", Some("alive"));
        process(&mut runtime, "server", Some("socket"));
        let thread = runtime.thread("server").unwrap();
        let listener = SocketOptions {
            local: Some("10.0.0.1:80".parse().unwrap()),
            ..SocketOptions::new(SocketKind::Tcp)
        };
        let socket = runtime.socreate(thread, &listener).unwrap();
        process(&mut runtime, "ended", Some("zombie"));
        runtime.exit_process("server", true).unwrap();
        runtime.exit_process("ended", false).unwrap();
        runtime.keep_credential("other").unwrap();
        for name in ["socket", "zombie", "other"] {
            runtime.remove_jail(name).unwrap();
        }
        let pid = 3;
        let session = session(kernel, runtime);
        let socket = format!("1 socket: {}", socket.address);
        let zombie = format!("1 process: {pid} (ended, zombie)");
        let wanted = [
            ("0", "alive", ""),
            ("alive", "alive", ""),
            ("socket", "dying", &*socket),
            ("zombie", "dying", &*zombie),
            ("other", "dying", "1 reference by something else"),
        ];
        let wanted = wanted.map(|(name, state, held)| (name.to_owned(), state, held.to_owned()));
        assert_eq!(held(&session), wanted, "{kernel}");
        let all = jails(&session);
        assert!(all.jails.iter().all(|jail| jail.problems.is_empty()), "{kernel}");
        let counts: Vec<_> = all.jails.iter().map(|jail| jail.processes).collect();
        assert_eq!(counts, [Some(1), Some(1), Some(0), Some(1), Some(0)], "{kernel}");
    }
}

#[test]
fn the_last_holder_takes_the_jail_with_it() {
    for kernel in ["classic-clang-dwarf4", "stable14-clang-dwarf4"] {
        let mut runtime = boot(kernel);
        runtime.create_jail(&JailOptions::new("outer")).unwrap();
        runtime.create_jail(&JailOptions::new("outer.inner")).unwrap();
        process(&mut runtime, "init", None);
        process(&mut runtime, "worker", Some("outer.inner"));
        runtime.remove_jail("outer").unwrap();
        assert!(runtime.prison("outer.inner").is_ok() && runtime.prison("outer").is_ok());
        assert_eq!(runtime.vnets().unwrap().len(), 3);
        runtime.exit_process("worker", true).unwrap();
        assert!(runtime.prison("outer.inner").is_err() && runtime.prison("outer").is_err());
        assert_eq!(runtime.vnets().unwrap().len(), 1, "{kernel}");
        let session = session(kernel, runtime);
        assert_eq!(held(&session), [("0".to_owned(), "alive", String::new())]);
    }
}

#[test]
fn a_child_that_is_dying_keeps_its_parent() {
    // Up to 12 it keeps the parent alive; later, a removal is a state of its own.
    for (kernel, state) in [("classic-clang-dwarf4", "alive"), ("stable14-clang-dwarf4", "dying")] {
        let mut runtime = boot(kernel);
        for name in ["outer", "outer.inner"] {
            let shared = JailOptions { vnet: false, ..JailOptions::new(name) };
            runtime.create_jail(&shared).unwrap();
        }
        runtime.keep_credential("outer.inner").unwrap();
        runtime.remove_jail("outer").unwrap();
        let session = session(kernel, runtime);
        let found = held(&session);
        assert_eq!((found[1].1, found[2].1), (state, "dying"), "{kernel}");
        if state == "dying" {
            assert_eq!(found[1].2, "1 child jail: 2 (outer.inner, dying)");
        }
    }
}

#[test]
fn jails_have_the_names_that_the_kernel_gives_their_flags() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        runtime.set_hostname("gw.example.org").unwrap();
        let allow = vec!["raw_sockets".to_owned(), "mount".to_owned()];
        let own = JailOptions {
            hostname: Some("web.example.org".into()),
            path: "/jails/web".into(),
            allow,
            ..JailOptions::new("web")
        };
        runtime.create_jail(&own).unwrap();
        let shared = JailOptions { vnet: false, ..JailOptions::new("web.php") };
        runtime.create_jail(&shared).unwrap();
        let session = session(kernel, runtime);
        let all = jails(&session).jails;
        let [host, web, php] = &all[..] else { panic!("{kernel}: {all:?}") };
        let names = |names: &Result<Vec<Box<str>>, _>| names.as_ref().unwrap().join(",");
        assert!(names(&host.flags).starts_with("host,vnet"), "{kernel}");
        assert_eq!(names(&web.flags), "persist,host,vnet,ip4_saddrsel,ip6_saddrsel", "{kernel}");
        assert_eq!(names(&web.allow), "set_hostname,raw_sockets,mount", "{kernel}");
        assert_eq!(names(&php.allow), "set_hostname", "{kernel}");
        assert_eq!((php.parent, php.depth, php.own_vnet), (Some(web.jid), 2, false), "{kernel}");
        assert_eq!(php.vnet, web.vnet, "{kernel}");
        // It has no host name of its own.
        assert_eq!(php.hostname.as_deref(), Ok("web.example.org"), "{kernel}");
        assert_eq!((&php.own_hostname, &web.own_hostname), (&Ok(false), &Ok(true)), "{kernel}");
        assert_eq!(web.path.as_deref(), Ok("/jails/web"), "{kernel}");
        assert_eq!((&web.references, &web.user_references), (&Ok(2), &Ok(2)), "{kernel}");
    }
}

#[test]
fn threads_are_in_the_state_that_ps_would_show() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        runtime.create_jail(&JailOptions::new("web")).unwrap();
        let busy = ProcessOptions {
            jail: Some("web".into()),
            in_network_stack: true,
            state: Some(ThreadState::asleep("kqread")),
            ..ProcessOptions::new("busy")
        };
        runtime.create_process(&busy).unwrap();
        let swapped = ThreadState::Sleeping { message: "piperd".into(), swapped: true };
        let locked = ThreadState::Locked { lock: "vnet_rwlock".into() };
        for (name, state) in [
            ("runs", ThreadState::Running { cpu: 1 }),
            ("waits", ThreadState::Runnable),
            ("swapped", swapped),
            ("locked", locked),
            ("intr", ThreadState::Iwait),
            ("stopped", ThreadState::Suspended),
        ] {
            runtime.create_thread("busy", name, None, &state).unwrap();
        }
        let dumper = ProcessOptions { dumping: true, ..ProcessOptions::new("dumper") };
        runtime.create_process(&dumper).unwrap();
        process(&mut runtime, "ended", None);
        runtime.exit_process("ended", false).unwrap();
        let session = session(kernel, runtime);
        let all = threads(&session);
        let shown: Vec<(String, String, String, Option<u64>)> = all
            .threads
            .iter()
            .map(|thread| {
                let name = thread.thread.name.as_deref().unwrap().to_owned();
                let state = std::iter::once(*thread.state.as_ref().unwrap())
                    .chain(thread.inhibitors.iter().copied().skip(1));
                let wchan = thread.wchan.as_ref().unwrap().as_deref().unwrap_or_default();
                (name, state.collect::<Vec<_>>().join(","), wchan.to_owned(), thread.cpu)
            })
            .collect();
        let wanted = [
            ("dumper", "running", "", Some(0)),
            ("busy", "sleeping", "kqread", None),
            ("runs", "running", "", Some(1)),
            ("waits", "runnable", "", None),
            ("swapped", "sleeping,swapped", "piperd", None),
            ("locked", "locked", "*vnet_rwlock", None),
            ("intr", "iwait", "", None),
            ("stopped", "suspended", "", None),
            ("swapper", "sleeping", "swapin", None),
            ("ended", "zombie", "", None),
        ];
        let wanted = wanted.map(|(name, state, wchan, cpu)| {
            (name.to_owned(), state.to_owned(), wchan.to_owned(), cpu)
        });
        assert_eq!(shown, wanted, "{kernel}");
        let [dumper, busy, ..] = &all.threads[..] else { panic!() };
        assert!(dumper.dumping && !busy.dumping, "{kernel}");
        let index = |vnet: &Result<Option<vnetkvm::vnet::VnetRef>, _>| {
            vnet.as_ref().unwrap().map(|vnet| vnet.index)
        };
        assert_eq!((index(&busy.curvnet), busy.compared), (Some(Some(1)), Some("same")));
        assert_eq!((index(&dumper.curvnet), dumper.compared), (None, Some("none")));
        assert_eq!(index(&dumper.vnet), Some(Some(0)), "{kernel}");
        let lock = all.threads[5].wait.lock.as_ref().unwrap();
        let known = session.target().global("vnet_rwlock").unwrap().address;
        assert_eq!(lock.address, Some(known), "{kernel}");
        assert!(all.threads.iter().all(|thread| thread.problems.is_empty()), "{kernel}");
    }
}

/// What was called out, by jail or thread.
fn called_out(session: &Session) -> Vec<(String, &'static str)> {
    let jails = jails(session).jails.into_iter().flat_map(|jail| {
        jail.problems.into_iter().map(move |found| (jail.name.to_string(), found.what))
    });
    let threads = threads(session).threads.into_iter().flat_map(|thread| {
        let name = thread.thread.name.unwrap_or_default().to_string();
        thread.problems.into_iter().map(move |found| (name.clone(), found.what))
    });
    jails.chain(threads).collect()
}

#[test]
fn a_curvnet_that_is_no_vnet_is_called_out() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        runtime.create_jail(&JailOptions::new("web")).unwrap();
        process(&mut runtime, "wild", None);
        process(&mut runtime, "inside", None);
        let inside = runtime.thread("inside").unwrap();
        let wild = runtime.thread("wild").unwrap();
        let vnet = runtime.jail_vnet("web").unwrap().unwrap().0;
        // Into the middle of a vnet, and where no kernel has memory.
        runtime.kernel_mut().set_pointer(inside, "td_vnet", vnet.wrapping_add(8)).unwrap();
        runtime.kernel_mut().set_pointer(wild, "td_vnet", VirtAddr::new(0x10)).unwrap();
        let session = session(kernel, runtime);
        let found = called_out(&session);
        let wanted = ["inside", "wild"].map(|name| (name.to_owned(), "curvnet-invalid"));
        assert_eq!(found, wanted, "{kernel}");
    }
}

#[test]
fn what_the_list_and_the_tree_disagree_about_is_called_out() {
    for kernel in ["classic-clang-dwarf4", "stable14-clang-dwarf4", "i386-pae"] {
        let mut runtime = boot(kernel);
        for name in ["one", "two", "three", "two.inner"] {
            runtime.create_jail(&JailOptions::new(name)).unwrap();
        }
        runtime.damage_jail("one", &JailFault::OffTheTree).unwrap();
        runtime.damage_jail("two.inner", &JailFault::OffTheList).unwrap();
        runtime.damage_jail("three", &JailFault::VnetOf("one".into())).unwrap();
        let session = session(kernel, runtime);
        let wanted = [("two", "wrong-child"), ("one", "not-a-child")];
        let mut found = called_out(&session);
        found.sort_by_key(|(name, _)| name.clone() == "one");
        let wanted = wanted.map(|(name, what)| (name.to_owned(), what));
        assert_eq!(found, wanted, "{kernel}");
    }
}

#[test]
fn lists_in_circles_and_wild_pointers_end() {
    for kernel in ["classic-clang-dwarf4", "stable14-clang-dwarf4", "armv7"] {
        let mut runtime = boot(kernel);
        for name in ["one", "two"] {
            runtime.create_jail(&JailOptions::new(name)).unwrap();
        }
        process(&mut runtime, "init", None);
        process(&mut runtime, "first", Some("one"));
        process(&mut runtime, "second", Some("two"));
        let (one, two) = (runtime.prison("one").unwrap(), runtime.prison("two").unwrap());
        let (first, second) = (runtime.thread("first").unwrap(), runtime.thread("second").unwrap());
        let owner = |runtime: &Runtime, thread| {
            let owner = VirtAddr::new(runtime.kernel().get(thread, "td_proc").unwrap());
            runtime.kernel().object(owner, "struct proc").unwrap()
        };
        let (p1, p2) = (owner(&runtime, first), owner(&runtime, second));
        let wild = VirtAddr::new(0x4141_4140);
        let kernel_mut = runtime.kernel_mut();
        // Each is the other's parent, and among its own siblings.
        kernel_mut.set_pointer(one, "pr_parent", two.address).unwrap();
        kernel_mut.set_pointer(two, "pr_parent", one.address).unwrap();
        kernel_mut.set_pointer(one, "pr_sibling.le_next", one.address).unwrap();
        kernel_mut.set(one, "pr_ref", u64::MAX).unwrap();
        kernel_mut.set_pointer(p1, "p_sibling.le_next", p1.address).unwrap();
        kernel_mut.set_pointer(p2, "p_children.lh_first", wild).unwrap();
        kernel_mut.set_pointer(first, "td_wmesg", wild).unwrap();
        kernel_mut.set_pointer(second, "td_ucred", wild).unwrap();
        let session = session(kernel, runtime);
        let all = jails(&session);
        assert_eq!(all.jails.len(), 3, "{kernel}");
        assert_eq!(all.jails[0].processes, None, "{kernel}: a thread has no credential");
        let threads = threads(&session);
        assert!(threads.threads.len() >= 4, "{kernel}");
        let errors = threads.threads.iter().filter(|it| it.wchan.is_err() || it.jail.is_err());
        assert_eq!(errors.count(), 2, "{kernel}");
    }
}

#[test]
fn a_curvnet_is_missed_only_where_a_vnet_was_read() {
    for (function, address, missed) in [
        ("tcp_output+0x1", 0x28_u64, true),
        // The links of a vnet are not what curvnet is for, and this is no vnet at NULL.
        ("tcp_output+0x1", 0x8, false),
        ("tcp_output+0x1", 0xdead_c0e6, false),
        // Not in the network stack.
        ("kern_sendit+0x1", 0x28, false),
    ] {
        let text = format!(
            "kernel = \"fixtures/kernel/classic-clang-dwarf4\"\npanic = \"page fault\"\n\
             [[step]]\ndo = \"process\"\nname = \"ping\"\ndumping = true\n\
             [[step]]\ndo = \"stack\"\nprocess = \"ping\"\ncalls = [\"doadump\", \
             \"kern_reboot\", \"vpanic\", \"panic\", \"trap_fatal\", \"trap_pfault\", \"trap\", \
             {{ entry = \"calltrap\", trap = {{ trapno = 12, addr = {address} }} }}, \
             \"{function}\", \"sendit\", \"sys_sendto\", \"amd64_syscall\", \
             \"fast_syscall_common\"]\n"
        );
        let scenario = Scenario::parse(&text).unwrap();
        let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        let mut dump = Cursor::new(Vec::new());
        image.write(Format::Full, &mut dump).unwrap();
        let dump = Source::from_vec("vmcore", dump.into_inner());
        let session = Session::from_sources(open("classic-clang-dwarf4"), dump).unwrap();
        let found = called_out(&session);
        let wanted = missed.then(|| ("ping".to_owned(), "curvnet-null"));
        assert_eq!(found, wanted.into_iter().collect::<Vec<_>>(), "{function}, {address:#x}");
    }
}

/// Every scenario without a fault, and how many call-outs it may have: a thread that crashed while
/// it destroyed a vnet has that as its curvnet.
#[test]
fn sound_machines_have_nothing_to_call_out() {
    let mut seen = 0;
    for entry in std::fs::read_dir("fixtures/scenarios").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() || name.starts_with("jails") || name == "trouble" {
            continue;
        }
        let scenario = Scenario::open(&path).unwrap();
        if scenario.kernel.is_none() {
            continue;
        }
        let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        let mut dump = Cursor::new(Vec::new());
        image.write(Format::MinidumpV2, &mut dump).unwrap();
        let kernel = Source::open(scenario.kernel.as_ref().unwrap()).unwrap();
        let dump = Source::from_vec("vmcore", dump.into_inner());
        let Ok(session) = Session::from_sources(kernel, dump) else { continue };
        let (Ok(jails), Ok(threads)) = (
            answers::jails(&session, &Selector::Default),
            answers::threads(&session, &Selector::Default, true),
        ) else {
            continue;
        };
        let json = serde_json::to_value((&jails, &threads)).unwrap();
        let mut found = Vec::new();
        problems(&json, &mut found);
        found.retain(|what| !(name.starts_with("machinery") && what == "curvnet-unlisted"));
        assert_eq!(found, Vec::<String>::new(), "{name}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

/// The names of all call-outs in an answer.
fn problems(json: &Value, found: &mut Vec<String>) {
    match json {
        Value::Array(all) => all.iter().for_each(|one| problems(one, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("problems", Value::Array(all)) => {
                        found
                            .extend(all.iter().map(|one| one["what"].as_str().unwrap().to_owned()));
                    }
                    _ => problems(member, found),
                }
            }
        }
        _ => {}
    }
}
