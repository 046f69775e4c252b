//! Sockets in every state, on every kernel: a healthy machine calls nothing out, and memory that
//! makes no sense ends no listing.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::sockets::{Question, Sockets};
use vnetkvm::answers::{self, Answer, Chosen};
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{ProcessOptions, Runtime, SocketKind, SocketOptions, Waiting};
use vnetkvm::image::{self, Format, Image, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::views::sockets::{Kind, Socket};
use vnetkvm::walk::Problems;

const KERNELS: [&str; 14] = [
    "classic-clang-dwarf2",
    "classic-gcc-dwarf5",
    "small-types-gcc-dwarf5",
    "newer-clang-dwarf4",
    "stable13-clang-dwarf4",
    "stable14-clang-dwarf4",
    "stable15-clang-dwarf4",
    "arm64",
    "arm64-newer",
    "i386",
    "i386-newer",
    "armv7",
    "riscv64",
    "powerpc64",
];

fn kernel(name: &str) -> Kernel {
    Kernel::open(Source::open(format!("fixtures/kernel/{name}")).unwrap(), None).unwrap()
}

fn boot(name: &str) -> Runtime {
    let loaded = LoadedKernel::load(kernel(name), MachineOptions::default()).unwrap();
    Runtime::boot(loaded, &[0]).unwrap()
}

/// The healthy part of the scenario.
fn healthy() -> Scenario {
    let text = std::fs::read_to_string("fixtures/scenarios/sockets.toml").unwrap();
    let (healthy, _) = text.split_once("# Faults").unwrap();
    Scenario::parse(healthy).unwrap()
}

fn session(kernel: &str, image: &Image) -> Session {
    let mut core = Cursor::new(Vec::new());
    image.write(Format::Full, &mut core).unwrap();
    let kernel = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    Session::from_sources(kernel, Source::from_vec("vmcore", core.into_inner())).unwrap()
}

/// The sockets of every vnet, and what could not be read.
fn all(session: &Session) -> (Vec<Sockets>, Problems) {
    let chosen = Chosen::ask(session, &Selector::All).unwrap();
    let answer = answers::sockets(session, chosen, Question::default()).unwrap();
    let sockets = answer.to_vec().into_iter().map(|(_, sockets)| sockets).collect();
    (sockets, answer.problems())
}

fn named<'a>(sockets: &'a Sockets, local: &str, remote: &str) -> &'a Socket {
    let is = |end: &Result<Option<Box<str>>, _>, wanted: &str| matches!(end, Ok(Some(end)) if **end == *wanted);
    let fits = |socket: &&Socket| is(&socket.local, local) && is(&socket.remote, remote);
    sockets.sockets.iter().find(fits).unwrap_or_else(|| panic!("no {local} {remote}"))
}

fn state(socket: &Socket) -> &str {
    socket.state.as_ref().unwrap().as_deref().unwrap()
}

#[test]
fn a_healthy_machine_calls_nothing_out() {
    for name in KERNELS {
        let image = image::build(&healthy(), kernel(name)).unwrap();
        let (vnets, problems) = all(&session(name, &image));
        assert!(problems.is_empty(), "{name}: {problems:?}");
        let [host, web, db] = &*vnets else { panic!("{name}: {} vnets", vnets.len()) };
        for vnet in [host, web, db] {
            assert!(vnet.count.problems.is_empty(), "{name}: {:?}", vnet.count);
            let called_out = vnet.sockets.iter().find(|socket| !socket.problems.is_empty());
            assert!(called_out.is_none(), "{name}: {called_out:?}");
            let unreadable: usize = vnet.sockets.iter().map(Socket::unreadable).sum();
            assert_eq!(unreadable, 0, "{name}");
        }
        // One is held by the kernel alone.
        assert_eq!((host.count.found, host.count.not_found), (Some(12), Some(1)), "{name}");
        assert_eq!(web.count.not_found, Some(0), "{name}");
        let listening = named(web, "[::]:80", "*:*");
        assert_eq!((&*listening.protocol, state(listening)), ("tcp46", "LISTEN"), "{name}");
        let queue = listening.listen_queue.as_ref().unwrap().unwrap();
        assert_eq!((queue.complete, queue.incomplete, queue.limit), (2, 1, 511), "{name}");
        let waiting = named(web, "172.16.0.2:80", "172.16.0.1:40001");
        assert_eq!(waiting.waits_for, listening.socket, "{name}");
        assert_eq!(waiting.recv_queue, Ok(Some(120)), "{name}");
        assert_eq!(waiting.holders.as_deref(), Some(&[][..]), "{name}");
        let holder = &listening.holders.as_ref().unwrap()[0];
        assert_eq!((holder.pid, holder.fd), (Some(1001), 3), "{name}");
        assert_eq!(listening.jail.as_ref().map(|jail| &*jail.name), Some("web01"), "{name}");
        assert!(named(web, "172.16.0.2:80", "172.16.0.1:40012").dropped, "{name}");
    }
}

/// TIME_WAIT has a struct of its own up to 13, and the socket goes with its descriptor.
#[test]
fn connections_end_as_in_their_release() {
    for (name, has_socket) in [
        ("classic-gcc-dwarf5", false),
        ("stable13-clang-dwarf4", false),
        ("stable14-clang-dwarf4", true),
    ] {
        let image = image::build(&healthy(), kernel(name)).unwrap();
        let (vnets, _) = all(&session(name, &image));
        let closed = named(&vnets[1], "172.16.0.2:80", "172.16.0.1:40010");
        assert_eq!(state(closed), "TIME_WAIT", "{name}");
        assert_eq!(closed.socket.is_some(), has_socket, "{name}");
        let open = named(&vnets[1], "172.16.0.2:80", "172.16.0.1:40011");
        assert_eq!((state(open), open.socket.is_some()), ("TIME_WAIT", true), "{name}");
        let half_open = named(&vnets[1], "[fd00::2]:80", "[fd00::1]:40006");
        assert_eq!((state(half_open), &*half_open.protocol), ("SYN_RCVD", "tcp6"), "{name}");
        assert_eq!(half_open.socket, None, "{name}");
    }
}

/// A kernel without VIMAGE counts no sockets, and has one stack.
#[test]
fn a_kernel_without_vimage_has_sockets_too() {
    let name = "plain-clang-dwarf4";
    let mut runtime = boot(name);
    let thread = runtime.create_process(&ProcessOptions::new("sshd")).unwrap();
    let options = SocketOptions {
        local: Some("0.0.0.0:22".parse().unwrap()),
        ..SocketOptions::new(SocketKind::Tcp)
    };
    runtime.socreate(thread, &options).unwrap();
    let (stacks, problems) = all(&session(name, &Image::of(runtime).unwrap()));
    assert!(problems.is_empty(), "{problems:?}");
    let [only] = &*stacks else { panic!() };
    assert_eq!((only.count.counted, only.count.found), (None, Some(1)));
    assert_eq!(only.sockets[0].kind, Kind::Tcp);
}

/// A table of descriptors grows, and a descriptor that is closed is the next to be used.
#[test]
fn a_process_has_as_many_descriptors_as_it_asks_for() {
    let mut runtime = boot(SCENE);
    let thread = runtime.create_process(&ProcessOptions::new("inetd")).unwrap();
    let udp = SocketOptions::new(SocketKind::Udp);
    let sockets: Vec<Object> = (0..50).map(|_| runtime.socreate(thread, &udp).unwrap()).collect();
    runtime.soclose(sockets[7]).unwrap();
    let last = runtime.socreate(thread, &udp).unwrap();
    let (stacks, problems) = all(&session(SCENE, &Image::of(runtime).unwrap()));
    assert!(problems.is_empty(), "{problems:?}");
    let descriptor = |at: Object| {
        let socket = stacks[0].sockets.iter().find(|socket| socket.socket == Some(at.address));
        socket.unwrap().holders.as_ref().unwrap()[0].fd
    };
    assert_eq!((descriptor(sockets[0]), descriptor(sockets[49])), (3, 52));
    assert_eq!(descriptor(last), 10);
    assert_eq!(stacks[0].count.found, Some(50));
}

/// A machine with one socket that listens, one that waits in it, and a local one.
struct Scene {
    runtime: Runtime,
    process: Object,
    listening: Object,
    waiting: Object,
    local: Object,
}

const SCENE: &str = "classic-gcc-dwarf5";

impl Scene {
    fn new() -> Self {
        let mut runtime = boot(SCENE);
        let thread = runtime.create_process(&ProcessOptions::new("sshd")).unwrap();
        let tcp = |local: &str| SocketOptions {
            local: Some(local.parse().unwrap()),
            ..SocketOptions::new(SocketKind::Tcp)
        };
        let listening = runtime.socreate(thread, &tcp("0.0.0.0:22")).unwrap();
        let waits_in = Some(Waiting { at: listening, complete: true });
        let waiting = SocketOptions { state: 4, waits_in, ..tcp("10.0.0.1:22") };
        let waiting = runtime.socreate(thread, &waiting).unwrap();
        let local = SocketOptions {
            path: Some("/var/run/x".into()),
            ..SocketOptions::new(SocketKind::LocalStream)
        };
        let local = runtime.socreate(thread, &local).unwrap();
        let process = VirtAddr::new(runtime.kernel().get(thread, "td_proc").unwrap());
        let process = runtime.kernel().object(process, "struct proc").unwrap();
        Self { runtime, process, listening, waiting, local }
    }

    fn set(&mut self, object: Object, path: &str, value: u64) {
        self.runtime.kernel_mut().set(object, path, value).unwrap();
    }

    fn follow(&mut self, object: Object, path: &str, type_name: &str) -> Object {
        let at = VirtAddr::new(self.runtime.kernel().get(object, path).unwrap());
        self.runtime.kernel().object(at, type_name).unwrap()
    }

    fn answer(self) -> (Sockets, Problems) {
        let image = Image::of(self.runtime).unwrap();
        let (mut stacks, problems) = all(&session(SCENE, &image));
        (stacks.remove(0), problems)
    }
}

/// An address that is not mapped.
const NOWHERE: u64 = 0xffff_f8ff_dead_0000;

fn told(problems: &Problems) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn tables_of_descriptors_that_make_no_sense_end_no_listing() {
    // As many descriptors as an int has, and negative ones.
    for count in [0x7fff_ffff, 0xffff_fff0] {
        let mut scene = Scene::new();
        let process = scene.process;
        let descriptors = scene.follow(process, "p_fd", "struct filedesc");
        let files = scene.follow(descriptors, "fd_files", "struct fdescenttbl");
        scene.set(files, "fdt_nfiles", count);
        let (found, _) = scene.answer();
        assert_eq!(found.sockets.len(), 3, "{count:#x}");
    }
    let mut scene = Scene::new();
    let process = scene.process;
    scene.set(process, "p_fd", NOWHERE);
    let (found, problems) = scene.answer();
    assert_eq!(found.sockets.len(), 3);
    assert!(told(&problems).contains("the descriptors of process"), "{}", told(&problems));
}

#[test]
fn queues_that_make_no_sense_end_no_listing() {
    let mut scene = Scene::new();
    let (listening, waiting) = (scene.listening, scene.waiting);
    // The queue of connections comes back to its only one.
    scene.set(waiting, "so_list.tqe_next", waiting.address.get());
    let (found, problems) = scene.answer();
    assert_eq!(found.sockets.len(), 3);
    assert!(told(&problems).contains("it has a cycle"), "{}", told(&problems));
    let mut scene = Scene::new();
    scene.set(listening, "sol_comp.tqh_first", NOWHERE);
    let (found, problems) = scene.answer();
    assert_eq!(found.count.found, Some(3));
    assert!(!problems.is_empty());
}

#[test]
fn one_bad_pointer_is_an_error_in_its_place() {
    let mut scene = Scene::new();
    let (waiting, local) = (scene.waiting, scene.local);
    let block = scene.follow(waiting, "so_pcb", "struct inpcb");
    scene.set(block, "inp_ppcb", NOWHERE);
    scene.set(block, "inp_cred", NOWHERE);
    let unix = scene.follow(local, "so_pcb", "struct unpcb");
    scene.set(unix, "unp_addr", NOWHERE);
    scene.set(unix, "unp_conn", NOWHERE);
    scene.set(local, "so_proto", NOWHERE);
    let (found, _) = scene.answer();
    assert_eq!(found.sockets.len(), 3);
    let bad = found.sockets.iter().find(|socket| socket.socket == Some(waiting.address)).unwrap();
    assert!(bad.state.is_err() && bad.local.is_ok());
    // Who created it is known from the socket.
    assert_eq!(bad.jail.as_ref().map(|jail| jail.jid), Some(0));
    let bad = found.sockets.iter().find(|socket| socket.socket == Some(local.address)).unwrap();
    assert!(bad.local.is_err() && bad.remote.is_err());
    assert_eq!(&*bad.protocol, "stream");
}

#[test]
fn a_table_of_half_open_connections_that_makes_no_sense_ends_no_listing() {
    let mut scene = Scene::new();
    let host = scene.runtime.host();
    let cache = scene.runtime.find(host, "tcp_syncache").unwrap();
    scene.set(cache, "hashbase", NOWHERE);
    scene.set(cache, "hashsize", 0xffff_ffff);
    let (found, problems) = scene.answer();
    assert_eq!(found.sockets.len(), 3);
    assert!(told(&problems).contains("V_tcp_syncache"), "{}", told(&problems));
}

/// A list that leads nowhere is unknown, not empty.
#[test]
fn sockets_that_cannot_be_read_are_unknown() {
    let mut scene = Scene::new();
    let host = scene.runtime.host();
    let info = scene.runtime.find(host, "tcbinfo").unwrap();
    scene.set(info, "ipi_listhead", NOWHERE);
    let (found, problems) = scene.answer();
    assert!(told(&problems).contains("V_tcbinfo"), "{}", told(&problems));
    assert_eq!(found.count.not_found, None);
    assert!(found.count.problems.is_empty(), "{:?}", found.count.problems);
    // Their descriptors still lead to them.
    assert_eq!(found.count.found, Some(3));
}
