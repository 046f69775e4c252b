//! What addresses are. The addresses come from the builder, from readelf and from gdb, never from
//! the reader.

#![cfg(feature = "image")]

mod damage;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::memory;
use vnetkvm::budget::Allowance;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::{
    InterfaceOptions, JailOptions, ProcessOptions, Runtime, Scope, SocketKind, SocketOptions,
    StackCall, StackOptions,
};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Session};
use vnetkvm::source::Source;
use vnetkvm::views::whatis::{Meaning, Whatis};
use vnetkvm::vnet::Stack;

/// Kernels with the tables that gdb and readelf wrote of them.
const KERNELS: [(&str, &str); 6] = [
    ("classic-clang-dwarf4", "classic"),
    ("stable14-clang-dwarf4", "stable14"),
    ("i386", "i386"),
    ("arm64", "arm64"),
    ("armv7", "armv7"),
    ("powerpc64", "powerpc64"),
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
    session_of(kernel, runtime, Format::Full)
}

fn session_of(kernel: &str, runtime: Runtime, format: Format) -> Session {
    let mut dump = Cursor::new(Vec::new());
    Image::of(runtime).unwrap().write(format, &mut dump).unwrap();
    Session::from_sources(open(kernel), Source::from_vec("vmcore", dump.into_inner())).unwrap()
}

/// The addresses of symbols, by readelf.
fn symbols(kernel: &str) -> BTreeMap<String, u64> {
    let table = fs::read_to_string(format!("fixtures/kernel/symbols/{kernel}.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| (row[3].to_owned(), hex(row[0]))).collect()
}

/// The members of a struct that begin at each offset, by gdb: those of fewest names.
fn members(layouts: &str) -> BTreeMap<(String, u64), Vec<String>> {
    let table = fs::read_to_string(format!("fixtures/kernel/layouts/{layouts}.tsv")).unwrap();
    let mut found: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
    for row in table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>()) {
        // Bit-fields share their bytes; members of no size are nowhere.
        if row[3] == "0" || !row[4].is_empty() || row[6].contains("(anonymous)") {
            continue;
        }
        let names = found.entry((row[0].to_owned(), row[2].parse().unwrap())).or_default();
        // An anonymous member has no name of its own.
        let name = row[6].split('.').filter(|name| !name.is_empty()).collect::<Vec<_>>();
        names.push(name.join("."));
    }
    for names in found.values_mut() {
        let fewest = names.iter().map(|name| name.matches('.').count()).min().unwrap();
        names.retain(|name| name.matches('.').count() == fewest);
    }
    found
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

fn line(whatis: &Whatis<'_>, address: VirtAddr) -> String {
    whatis.describe(address).to_string()
}

/// A machine with a jail, an interface, processes and sockets.
struct Machine {
    runtime: Runtime,
    scope: Scope,
    vnet: VirtAddr,
    interface: VirtAddr,
    thread: VirtAddr,
    /// The lowest address of its kernel stack.
    stack: VirtAddr,
    socket: VirtAddr,
    prison: VirtAddr,
    counter: VirtAddr,
}

impl Machine {
    fn new(kernel: &str) -> Self {
        let mut runtime = boot(kernel);
        for name in ["web01", "db02"] {
            runtime.create_jail(&JailOptions::new(name)).unwrap();
        }
        let scope = runtime.jail_scope("db02").unwrap();
        let Scope::Vnet(vnet) = scope else { unreachable!() };
        let interface = InterfaceOptions {
            jail: Some("db02".into()),
            addresses: vec!["10.0.0.2/24".into()],
            ..InterfaceOptions::new("epair0b")
        };
        let interface = runtime.create_interface(&interface).unwrap().address;
        let process = ProcessOptions {
            jail: Some("db02".into()),
            pid: Some(812),
            tid: Some(100_100),
            ..ProcessOptions::new("nginx")
        };
        let thread = runtime.create_process(&process).unwrap();
        let listener = SocketOptions {
            local: Some("10.0.0.2:80".parse().unwrap()),
            ..SocketOptions::new(SocketKind::Tcp)
        };
        let socket = runtime.socreate(thread, &listener).unwrap().address;
        let prison = runtime.prison("db02").unwrap().address;
        runtime.set_statistics(scope, "ipstat", None, &BTreeMap::new()).unwrap();
        let counter = runtime.counters(scope, "ipstat").unwrap()[3];
        let counter = VirtAddr::new(runtime.kernel().load_uint(counter).unwrap());
        let known = |name: &&str| runtime.kernel().address_of(name).is_some();
        let functions = ["sched_switch", "mi_switch", "sleepq_wait", "_sleep", "vnet_alloc"];
        let call = |function: &str| StackCall { function: function.into(), ..StackCall::default() };
        let calls = functions.into_iter().filter(known).map(call).collect();
        let options = StackOptions { calls, ..StackOptions::default() };
        runtime.lay_stack(thread, &options).unwrap();
        let stack = VirtAddr::new(runtime.kernel().get(thread, "td_kstack").unwrap());
        let (vnet, thread) = (runtime.vnet_object(vnet).unwrap().address, thread.address);
        Self { runtime, scope, vnet, interface, thread, stack, socket, prison, counter }
    }

    /// The address of the jail's copy of a variable whose symbol is at `master`.
    fn copy(&self, master: u64) -> VirtAddr {
        let Scope::Vnet(vnet) = self.scope else { unreachable!() };
        self.runtime.in_vnet(vnet, self.running(master)).unwrap()
    }

    fn running(&self, linked: u64) -> VirtAddr {
        self.runtime.kernel().running(VirtAddr::new(linked))
    }
}

#[test]
fn members_are_named_as_gdb_lays_them_out() {
    for (kernel, layouts) in KERNELS {
        let machine = Machine::new(kernel);
        let (symbols, members) = (symbols(kernel), members(layouts));
        let mut wanted = Vec::new();
        let structs =
            [("tcbinfo", "inpcbinfo"), ("udbinfo", "inpcbinfo"), ("tcp_syncache", "tcp_syncache")];
        for (variable, of) in structs {
            let Some(master) = symbols.get(&format!("vnet_entry_{variable}")) else { continue };
            let start = machine.copy(*master);
            for ((_, offset), names) in
                members.range((of.to_owned(), 1)..=(of.to_owned(), u64::MAX))
            {
                let names =
                    names.iter().map(|name| format!("V_{variable}.{name}, vnet 2 (jail db02)"));
                wanted.push((start.wrapping_add(*offset), names.collect::<Vec<_>>()));
            }
        }
        for (start, of, name) in [
            (machine.vnet, "vnet", "vnet 2 (jail db02)"),
            (machine.interface, "ifnet", "interface epair0b, vnet 2 (jail db02)"),
            (machine.thread, "thread", "thread 100100 of process 812 (nginx)"),
            (machine.prison, "prison", "jail 2 (db02), vnet 2 (jail db02)"),
        ] {
            for ((_, offset), names) in
                members.range((of.to_owned(), 1)..=(of.to_owned(), u64::MAX))
            {
                let names = names.iter().map(|member| format!("struct {of}.{member}, {name}"));
                wanted.push((start.wrapping_add(*offset), names.collect()));
            }
        }
        assert!(wanted.len() > 150, "{kernel}: {}", wanted.len());
        let session = session(kernel, machine.runtime);
        let whatis = session.whatis(0).unwrap();
        for (address, names) in wanted {
            let found = line(&whatis, address);
            assert!(names.contains(&found), "{kernel}: {found:?} is none of {names:?}");
        }
    }
}

#[test]
fn every_kind_of_address_has_its_line() {
    for (kernel, layouts) in KERNELS {
        let machine = Machine::new(kernel);
        let symbols = symbols(kernel);
        let symbol = |name: &str| machine.runtime.kernel().address_of(name).unwrap();
        let count = members(layouts)
            .into_iter()
            .find(|((of, _), names)| of == "inpcbinfo" && names.contains(&"ipi_count".to_owned()));
        let count = count.unwrap().0.1;
        let tcbinfo = machine.copy(symbols["vnet_entry_tcbinfo"]);
        let set = symbol("__start_set_vnet").get()..symbol("__stop_set_vnet").get();
        let page = machine.runtime.kernel().machine().page_size();
        let tail = (set.end - set.start).next_multiple_of(page) - 8;
        let Scope::Vnet(vnet) = machine.scope else { unreachable!() };
        let in_set =
            |offset| machine.runtime.in_vnet(vnet, VirtAddr::new(set.start + offset)).unwrap();
        let deep = 4 * page - 0x10;
        // The pcb of armv7 is not asked for the stack pointer.
        let unused = if kernel == "armv7" { "" } else { ", not in use" };
        let mut wanted = vec![
            (tcbinfo, "V_tcbinfo, vnet 2 (jail db02)".to_owned()),
            (tcbinfo.wrapping_add(count), "V_tcbinfo.ipi_count, vnet 2 (jail db02)".to_owned()),
            (
                tcbinfo.wrapping_add(count + 1),
                "V_tcbinfo.ipi_count+0x1, vnet 2 (jail db02)".to_owned(),
            ),
            (
                symbol("vnet_entry_tcbinfo").wrapping_add(count),
                "V_tcbinfo.ipi_count, master copy".to_owned(),
            ),
            (
                symbol("vnet_entry_modspace").wrapping_add(0x20),
                "module space+0x20, free, master copy".to_owned(),
            ),
            (
                in_set(symbol("vnet_entry_modspace").get() - set.start + 0x20),
                "module space+0x20, free, vnet 2 (jail db02)".to_owned(),
            ),
            (machine.vnet, "struct vnet, vnet 2 (jail db02)".to_owned()),
            (machine.interface, "struct ifnet, interface epair0b, vnet 2 (jail db02)".to_owned()),
            (machine.thread, "struct thread, thread 100100 of process 812 (nginx)".to_owned()),
            (machine.prison, "struct prison, jail 2 (db02), vnet 2 (jail db02)".to_owned()),
            (
                machine.socket,
                "struct socket, socket tcp4 10.0.0.2:80, vnet 2 (jail db02)".to_owned(),
            ),
            (symbol("prison0"), "prison0".to_owned()),
            (symbol("vnet_alloc"), "vnet_alloc (net/vnet.c:".to_owned()),
            (
                machine.stack.wrapping_add(0x10),
                format!(
                    "kernel stack of thread 100100 of process 812 (nginx), {deep:#x} bytes \
                     deep{unused}"
                ),
            ),
            (in_set(tail), "behind V_".to_owned()),
        ];
        let slot = machine.counter;
        if kernel == "classic-clang-dwarf4" {
            // Counters are plain pointers there, and CPUs a page apart.
            let name =
                |cpu| format!("V_ipstat.ips_toosmall, counted by CPU {cpu}, vnet 2 (jail db02)");
            wanted.push((slot, name(0)));
            wanted.push((slot.wrapping_add(page), name(1)));
            wanted.push((slot.wrapping_add(page + 7), name(1)));
        }
        if kernel == "stable14-clang-dwarf4" {
            // There they are distances from what __pcpu points to.
            let pcpu = machine.runtime.kernel().machine().pointer(symbol("__pcpu")).unwrap();
            let slot = pcpu.wrapping_add(slot.get()).wrapping_add(page);
            wanted.push((
                slot,
                "V_ipstat.ips_toosmall, counted by CPU 1, vnet 2 (jail db02)".to_owned(),
            ));
            let pristine = machine.runtime.kernel().machine().pointer(symbol("vnet_init_var"));
            let offset = symbol("vnet_entry_tcbinfo").get() - set.start;
            wanted.push((
                pristine.unwrap().wrapping_add(offset + count),
                "V_tcbinfo.ipi_count, pristine copy".to_owned(),
            ));
        }
        let session = session(kernel, machine.runtime);
        let whatis = session.whatis(0).unwrap();
        for (address, name) in wanted {
            let found = line(&whatis, address);
            let exact = !name.ends_with([':', '_', 'x']);
            let fits = if exact { found == name } else { found.starts_with(&name) };
            assert!(fits, "{kernel}: {found:?} is not {name:?} at {address}");
        }
    }
}

/// Where the C expression that is named leads, the address is.
#[test]
fn the_path_to_a_heap_object_is_an_expression_that_leads_there() {
    for scenario in ["network", "network-newer", "sockets", "routes"] {
        let scenario = Scenario::open(format!("fixtures/scenarios/{scenario}.toml")).unwrap();
        let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
        image.save_kernel(directory.path()).unwrap();
        let options =
            Options { kernel: Some(directory.path().join("kernel")), core, ..Options::default() };
        let session = Session::open(&options).unwrap();
        let whatis = session.whatis(3).unwrap();
        let (mut objects, mut levels) = (0, BTreeSet::new());
        let machine = image.runtime().kernel().machine();
        for (start, allocation) in machine.allocations() {
            for offset in (0..allocation.size).step_by(24) {
                let address = start.wrapping_add(offset);
                let found = whatis.describe(address);
                let Meaning::Heap { vnet, via, part } = &found.meaning else { continue };
                // The object that is named is what the builder allocated.
                if part.start != start {
                    continue;
                }
                objects += 1;
                levels.insert(via.matches("->").count());
                let stack = session.vnet(vnet.vnet.address).unwrap();
                let at = |expression: &str| {
                    let place = memory::address(&session, Stack::Vnet(stack), expression);
                    place.unwrap_or_else(|why| panic!("{expression}: {why}")).address
                };
                let via = written_out(via);
                assert_eq!(at(&via), start, "{via}");
                // Padding and what no member has is a distance from what is named.
                let named = match part.part.path.strip_prefix('.') {
                    Some(member) => at(&format!("&{via}->{member}")),
                    None => start,
                };
                assert_eq!(named.wrapping_add(part.part.beyond), address, "{found}");
            }
        }
        assert!(objects > 20 && levels.len() > 2, "{objects} objects, {levels:?}");
    }
}

/// `->(if_link.cstqe_next × 4)` as C has it.
fn written_out(via: &str) -> String {
    let mut parts = via.split("->(");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let (link, rest) = part.split_once(')').unwrap();
        let (member, times) = link.split_once(" × ").unwrap();
        text + &format!("->{member}").repeat(times.parse().unwrap()) + rest
    })
}

/// A module of each linker class: its variables in a vnet and as masters, its code, its space.
#[test]
fn addresses_of_modules_are_named() {
    for (scenario, kind) in [("modules", Format::Full), ("modules-shared", Format::Full)] {
        let scenario = Scenario::open(format!("fixtures/scenarios/{scenario}.toml")).unwrap();
        let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let core = image.save(kind, directory.path()).unwrap();
        image.save_kernel(directory.path()).unwrap();
        let kernel = Some(directory.path().join("kernel"));
        let session = Session::open(&Options { kernel, core, ..Options::default() }).unwrap();
        let whatis = session.whatis(0).unwrap();
        let runtime = image.runtime();
        let jail = if runtime.jail_vnet("after").is_ok() { "after" } else { "web01" };
        let scope = runtime.jail_scope(jail).unwrap();
        let copy = runtime.find(scope, "max_gif_nesting").unwrap().address;
        let master = runtime.find(Scope::Kernel, "max_gif_nesting").unwrap().address;
        let ttl = runtime.find(scope, "ip_gif_ttl@if_gif.ko").unwrap().address;
        let vnet = if jail == "after" { 2 } else { 1 };
        let of_vnet = |what: &str| format!("{what}, vnet {vnet} (jail {jail})");
        assert_eq!(line(&whatis, copy), of_vnet("V_max_gif_nesting, if_gif.ko"));
        assert_eq!(
            line(&whatis, copy.wrapping_add(2)),
            of_vnet("V_max_gif_nesting+0x2, if_gif.ko")
        );
        assert_eq!(line(&whatis, ttl), of_vnet("V_ip_gif_ttl@if_gif.ko"));
        assert_eq!(line(&whatis, master), "V_max_gif_nesting, if_gif.ko, master copy");
        let function = session.modules().unwrap().modules().find_map(|module| {
            module.symbols.by_name("vnet_gif_init").map(|symbol| symbol.address)
        });
        let code = line(&whatis, function.unwrap().wrapping_add(1));
        assert!(code.starts_with("vnet_gif_init+0x1, if_gif.ko (net/if_gif.c:1"), "{code}");
    }
}

/// Every byte of every variable, and what the expression that names it says of its address.
#[test]
fn the_name_of_every_byte_is_an_expression_for_it() {
    for kernel in ["classic-clang-dwarf4", "i386", "powerpc64"] {
        let machine = Machine::new(kernel);
        let session = session(kernel, machine.runtime);
        let vnet = session.vnets().unwrap().all.iter().find(|vnet| vnet.address == machine.vnet);
        let stack = Stack::Vnet(vnet.unwrap());
        let whatis = session.whatis(0).unwrap();
        let (mut count, mut bit_fields) = (0, 0);
        for variable in session.variables(&["feat_*".into(), "tcp_syncache".into()]).unwrap() {
            let start = session.address(stack, &variable);
            for offset in 0..variable.size.min(512) {
                let address = start.wrapping_add(offset);
                let found = whatis.describe(address);
                let Meaning::VnetVariable { variable: part, .. } = found.meaning else {
                    panic!("{kernel}: {address} in {}: {found}", variable.name);
                };
                assert_eq!((&*part.variable, part.offset), (&*variable.name, offset));
                let expression = format!("&V_{}{}", part.variable, part.part.path);
                match memory::address(&session, stack, &expression) {
                    Ok(place) => {
                        let named = place.address.wrapping_add(part.part.beyond);
                        assert_eq!(named, address, "{kernel}: {expression}");
                        count += 1;
                    }
                    Err(why) => {
                        // A bit-field has no address.
                        assert!(why.to_string().contains("evaluate"), "{expression}: {why}");
                        bit_fields += 1;
                    }
                }
            }
        }
        assert!(count > 2_000 && bit_fields > 4, "{kernel}: {count}, {bit_fields}");
    }
}
