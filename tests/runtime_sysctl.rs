//! sysctls and sockets of the runtime against the kernel's rules: the tree in both forms, whose
//! copy of a variable a request reaches, and who counts a socket.

#![cfg(feature = "image")]

use proptest::prelude::*;
use vnetkvm::addr::VirtAddr;
use vnetkvm::image::ImageError;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{
    JailOptions, ProcessOptions, Runtime, Scope, SocketKind, SocketOptions, SysctlKind,
    SysctlOptions, Vnet,
};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const CLASSIC: &str = "classic-clang-dwarf4";
const NEWER: &str = "newer-clang-dwarf4";
const PLAIN: &str = "plain-clang-dwarf4";
const KERNELS: [&str; 6] = [CLASSIC, NEWER, "i386", "i386-newer", "powerpc64", "riscv64"];

fn boot(name: &str) -> Runtime {
    let source = Source::open(format!("fixtures/kernel/{name}")).unwrap();
    let kernel = Kernel::open(source, None).unwrap();
    let loaded = LoadedKernel::load(kernel, MachineOptions::default()).unwrap();
    Runtime::boot(loaded, &[0, 2]).unwrap()
}

fn get(runtime: &Runtime, object: Object, path: &str) -> u64 {
    runtime.kernel().get(object, path).unwrap()
}

fn refused(result: Result<impl std::fmt::Debug, ImageError>) -> String {
    result.unwrap_err().to_string()
}

/// A thread on the host, one in a jail with a stack, and that stack (none without VIMAGE).
fn threads(runtime: &mut Runtime) -> (Object, Object, Vnet) {
    let host = runtime.create_process(&ProcessOptions::new("sysctl")).unwrap();
    runtime.create_jail(&JailOptions::new("web")).unwrap();
    let inside = ProcessOptions { jail: Some("web".into()), ..ProcessOptions::new("sysctl") };
    let inside = runtime.create_process(&inside).unwrap();
    (host, inside, runtime.jail_vnet("web").unwrap().unwrap_or(Vnet(VirtAddr::new(0))))
}

fn int(runtime: &Runtime, bytes: &[u8]) -> i64 {
    let value = runtime.kernel().machine().arch().endian().uint(bytes) as u64;
    let shift = 64 - 8 * bytes.len() as u32;
    (value << shift).cast_signed() >> shift
}

fn options(name: &str, kind: SysctlKind, variable: Option<&str>) -> SysctlOptions {
    SysctlOptions {
        name: name.into(),
        kind,
        variable: variable.map(Into::into),
        writable: true,
        description: "of a test".into(),
    }
}

#[test]
fn the_kernel_s_own_sysctls_are_linked_at_boot() {
    for kernel in KERNELS {
        let runtime = boot(kernel);
        let sorted = |node: &str| {
            let mut names = runtime.sysctl_names(node).unwrap();
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(""), ["debug", "kern", "net"], "{kernel}");
        assert_eq!(sorted("net.inet"), ["ip", "tcp", "udp"], "{kernel}");
        assert_eq!(sorted("net.inet.ip"), ["forwarding", "redirect", "ttl"]);
        // All are OID_AUTO, and numbers count down: the last one comes first.
        assert_eq!(runtime.sysctl_names("net.inet.ip").unwrap()[0], "ttl");
        let ttl = runtime.sysctl_oid("net.inet.ip.ttl").unwrap();
        assert!((0x100..=0x7fff_ffff).contains(&get(&runtime, ttl, "oid_number")));
        assert!(refused(runtime.sysctl_oid("net.inet.ip.no")).contains("net.inet.ip.no"));
    }
}

/// Checks parents, order and the ranks that the tags tell of, as tree.h keeps them; returns the
/// rank and the numbers in order.
fn check_tree(runtime: &Runtime, at: u64, parent: u64, numbers: &mut Vec<u64>) -> i64 {
    if at == 0 {
        return -1;
    }
    let oid = runtime.kernel().object(VirtAddr::new(at), "struct sysctl_oid").unwrap();
    let link = |number: u64| get(runtime, oid, &format!("oid_link.rbe_link[{number}]"));
    assert_eq!(link(0) & !3, parent);
    let left = check_tree(runtime, link(1), at, numbers) + 1 + (link(0) & 1) as i64;
    numbers.push(get(runtime, oid, "oid_number"));
    let right = check_tree(runtime, link(2), at, numbers) + 1 + (link(0) >> 1 & 1) as i64;
    assert_eq!(left, right, "both sides tell the same rank");
    left
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn trees_of_any_size_are_sorted_and_balanced(count in 0..40_u32) {
        let mut runtime = boot("i386-newer");
        for number in 0..count {
            let name = format!("net.inet.ip.own{number}");
            let kind = SysctlKind::Int;
            runtime.sysctl_vnet(&options(&name, kind, Some("ip_defttl"))).unwrap();
        }
        let node = runtime.sysctl_oid("net.inet.ip").unwrap();
        let mut numbers = Vec::new();
        check_tree(&runtime, get(&runtime, node, "oid_children.rbh_root"), 0, &mut numbers);
        prop_assert_eq!(numbers.len(), count as usize + 3);
        prop_assert!(numbers.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn a_request_reaches_the_stack_of_its_credential_not_curvnet() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        let (host, inside, web) = threads(&mut runtime);
        runtime.set(Scope::Vnet(web), "ip_defttl", &vnetkvm::image::Literal::Int(42)).unwrap();
        let ttl = |runtime: &Runtime, thread| {
            int(runtime, &runtime.sysctl_read(thread, "net.inet.ip.ttl").unwrap())
        };
        let master = ttl(&runtime, host);
        assert_eq!(ttl(&runtime, inside), 42, "{kernel}");
        // curvnet of the thread is the host's: no matter.
        let vnet0 = runtime.vnet0().unwrap().0;
        let place = vnetkvm::image::runtime::Place { file: "f", line: 1, function: "f" };
        runtime.curvnet_set(inside, vnet0, place).unwrap();
        assert_eq!(ttl(&runtime, inside), 42);
        let endian = runtime.kernel().machine().arch().endian();
        let bytes = vnetkvm::writing::entry_bytes(7, 4, endian);
        runtime.sysctl_write(inside, "net.inet.ip.ttl", &bytes).unwrap();
        assert_eq!((ttl(&runtime, inside), ttl(&runtime, host)), (7, master));
        assert!(refused(runtime.sysctl_write(inside, "net.inet.ip.ttl", &[1])).contains("EINVAL"));

        let arg = runtime.vnet_sysctl_arg(inside, VirtAddr::new(0)).unwrap();
        assert!(arg.is_null(), "NULL stays NULL");
    }
}

#[test]
fn every_kind_of_the_kernel_file_reads_as_sysctl_would() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        let (_, inside, web) = threads(&mut runtime);
        let counter = runtime.counters(Scope::Vnet(web), "feat_sysctl_counter").unwrap()[0];
        runtime.alloc_counter(counter).unwrap();
        runtime.add_to_counter(counter, &[40, 2]).unwrap();
        let read = |name: &str| runtime.sysctl_read(inside, &format!("debug.feat.{name}")).unwrap();
        let number = |name: &str| int(&runtime, &read(name));
        assert_eq!(number("uint") as u32, 4_000_000_000, "{kernel}");
        assert_eq!((number("long"), number("u64")), (-5, i64::MIN));
        assert_eq!((number("u8") as u8, number("s16")), (200, -300));
        assert_eq!((number("plain"), number("constant")), (7, 8));
        assert_eq!((number("counter"), read("string")), (42, b"fixture".to_vec()));
        assert_eq!(int(&runtime, &read("struct")[4..]), 2);
        let handled = runtime.sysctl_read(inside, "debug.feat.handled");
        assert!(refused(handled).contains("feat_sysctl_handler"));
        assert!(refused(runtime.sysctl_read(inside, "debug.feat")).contains("node"));
        assert!(refused(runtime.sysctl_write(inside, "kern.ostype", b"x")).contains("EPERM"));
    }
}

#[test]
fn the_macros_declare_what_sysctl_then_reads() {
    for kernel in [CLASSIC, NEWER, "i386", "powerpc64", PLAIN] {
        let mut runtime = boot(kernel);
        let (_, inside, _) = threads(&mut runtime);
        let scope = runtime.jail_scope("web").unwrap();
        let text = vnetkvm::image::Literal::Text("mine".into());
        runtime.set(scope, "feat_sysctl_string", &text).unwrap();
        let declare = |runtime: &mut Runtime, name: &str, kind, variable| {
            runtime.sysctl_vnet(&options(name, kind, variable)).unwrap()
        };
        let int_oid = declare(&mut runtime, "net.inet.own_int", SysctlKind::Int, Some("ip_defttl"));
        declare(&mut runtime, "net.inet.own_uint", SysctlKind::Uint, Some("feat_sysctl_uint"));
        declare(&mut runtime, "net.inet.own_text", SysctlKind::String, Some("feat_sysctl_string"));
        let format = "S,feat".to_owned();
        let opaque = SysctlKind::Opaque { format };
        declare(&mut runtime, "net.inet.own_opaque", opaque, Some("feat_sysctl_struct"));
        let type_name = "struct in_addr".to_owned();
        let record = SysctlKind::Struct { type_name };
        let record_oid =
            declare(&mut runtime, "net.inet.own_struct", record, Some("feat_sysctl_struct"));
        let handler = "sysctl_handle_64".to_owned();
        let proc = SysctlKind::Proc { handler, ctltype: 9, format: "QU".into() };
        declare(&mut runtime, "net.inet.own_proc", proc, Some("feat_sysctl_u64"));
        let array = "tcpstat".to_owned();
        declare(&mut runtime, "net.inet.own_stats", SysctlKind::PcpuStat { array }, None);

        let vnet_flag = if kernel == PLAIN { 0 } else { 0x0002_0000 };
        assert_eq!(get(&runtime, int_oid, "oid_kind"), 0xc004_0002 | vnet_flag);
        let fmt = VirtAddr::new(get(&runtime, record_oid, "oid_fmt"));
        assert_eq!(runtime.kernel().text(fmt).unwrap(), "S,in_addr");
        assert_eq!(get(&runtime, record_oid, "oid_arg2"), 4);
        let read = |runtime: &Runtime, name: &str| runtime.sysctl_read(inside, name).unwrap();
        assert_eq!(read(&runtime, "net.inet.own_text"), b"mine");
        assert_eq!(read(&runtime, "net.inet.own_opaque").len(), 8);
        assert_eq!(int(&runtime, &read(&runtime, "net.inet.own_proc")), i64::MIN);
        assert!(refused(runtime.sysctl_read(inside, "net.inet.own_stats")).contains("allocated"));
        runtime.vnet_pcpustat_alloc(scope, "tcpstat").unwrap();
        runtime
            .vnet_pcpustat_add(scope, "tcpstat", "struct tcpstat", "tcps_connattempt", &[3, 4])
            .unwrap();
        let sums = read(&runtime, "net.inet.own_stats");
        assert_eq!(int(&runtime, &sums[..8]), 7);
        runtime.sysctl_write(inside, "net.inet.own_stats", &[]).unwrap();
        assert!(read(&runtime, "net.inet.own_stats").iter().all(|byte| *byte == 0), "zeroed");
    }
}

#[test]
fn what_cannot_be_declared_is_refused() {
    let mut runtime = boot(CLASSIC);
    let declare = |runtime: &mut Runtime, name: &str, kind, variable| {
        refused(runtime.sysctl_vnet(&options(name, kind, variable)))
    };
    let int = || SysctlKind::Int;
    let runtime = &mut runtime;
    assert!(declare(runtime, "net.no.x", int(), Some("ip_defttl")).contains("net.no"));
    assert!(declare(runtime, "net.inet.ip.ttl", int(), Some("ip_defttl")).contains("exists"));
    assert!(declare(runtime, "net.inet.x", int(), None).contains("no variable"));
    let proc =
        |ctltype| SysctlKind::Proc { handler: "ip_init".into(), ctltype, format: "I".into() };
    assert!(declare(runtime, "net.inet.x", proc(0), None).contains("CTLTYPE"));
    let array = "udpstat".to_owned();
    let error = declare(runtime, "net.inet.x", SysctlKind::PcpuStat { array }, None);
    assert!(error.contains("udpstat_sysctl"), "{error}");
}

#[test]
fn sockets_are_counted_in_the_stack_of_their_creator() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        let (host, inside, web) = threads(&mut runtime);
        let socket = |kind, local: Option<&str>| SocketOptions {
            local: local.map(|local| local.parse().unwrap()),
            ..SocketOptions::new(kind)
        };
        let count = |runtime: &Runtime, vnet| {
            get(runtime, runtime.vnet_object(vnet).unwrap(), "vnet_sockcnt")
        };
        let tcp = socket(SocketKind::Tcp, Some("172.16.0.2:80"));
        let tcp = runtime.socreate(inside, &tcp).unwrap();
        let udp = socket(SocketKind::Udp, Some("[fd00::2]:53"));
        let udp = runtime.socreate(inside, &udp).unwrap();
        let local = runtime.socreate(inside, &socket(SocketKind::LocalStream, None)).unwrap();
        runtime.socreate(host, &socket(SocketKind::Raw, None)).unwrap();
        assert_eq!((count(&runtime, web), count(&runtime, runtime.vnet0().unwrap())), (3, 1));
        assert_eq!(get(&runtime, tcp, "so_vnet"), web.0.get());

        let pcb = VirtAddr::new(get(&runtime, tcp, "so_pcb"));
        let pcb = runtime.kernel().object(pcb, "struct inpcb").unwrap();
        assert_eq!(get(&runtime, pcb, "inp_socket"), tcp.address.get(), "{kernel}");
        let mut port = [0; 2];
        let at = runtime.kernel().member(pcb, "inp_inc.inc_ie.ie_lport").unwrap().address;
        runtime.kernel().machine().read(at, &mut port).unwrap();
        assert_eq!(port, [0, 80], "in network order");
        let info = runtime.find(Scope::Vnet(web), "tcbinfo.ipi_count").unwrap();
        assert_eq!(runtime.kernel().load_uint(info).unwrap(), 1);
        let list = runtime.find(Scope::Kernel, "unp_shead.lh_first").unwrap();
        let first = runtime.kernel().load_uint(list).unwrap();
        assert_eq!(first, get(&runtime, local, "so_pcb"));

        assert!(refused(runtime.vnet_destroy(web)).contains("vnet still has sockets"));
        for socket in [tcp, udp, local] {
            runtime.soclose(socket).unwrap();
        }
        assert_eq!(count(&runtime, web), 0);
        assert_eq!(runtime.kernel().load_uint(info).unwrap(), 0);
        runtime.vnet_destroy(web).unwrap();
        assert!(runtime.soclose(tcp).is_err());
    }
}
