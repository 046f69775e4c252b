//! The remote stub, used by the real gdb: threads, stacks, variables and modules of a dump, on
//! every architecture.

#![cfg(all(feature = "cli", feature = "gdb-server"))]

mod debugged;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use debugged::{Files, Killed, PROGRAM, functions, serve, text};
use vnetkvm::image::Format;

impl Files {
    /// Starts gdb with the server at the other end of a pipe, and gives it commands. An error ends
    /// no command but its own.
    fn gdb(&self, program: &str, commands: &[&str]) -> String {
        let server = format!(
            "target remote | {PROGRAM} -N {} -M {} gdb-server --stdio",
            self.kernel.display(),
            self.core.display()
        );
        let lines = std::iter::once(server.as_str()).chain(commands.iter().copied());
        let script: String = lines.map(|line| format!("{line}\n")).collect();
        text(&run_gdb(program, &self.kernel, &script, self.directory.path()))
    }
}

fn run_gdb(program: &str, kernel: &Path, script: &str, directory: &Path) -> Output {
    let commands = directory.join("commands.gdb");
    std::fs::write(&commands, script).unwrap();
    // Commands on standard input go on after an error.
    Command::new(program)
        .args(["-nx", "-q", "-iex", "set osabi none", "-iex", "set pagination off"])
        // Of a busy machine.
        .args(["-iex", "set remotetimeout 60"])
        .args(["-iex", "set confirm off", "-iex", "set style enabled off", "-iex", "set width 0"])
        .arg(kernel)
        .stdin(std::fs::File::open(commands).unwrap())
        .output()
        .unwrap()
}

#[test]
#[ignore = "needs gdb"]
fn gdb_sees_the_threads_and_what_the_panicking_one_was_doing() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let told =
        files.gdb("gdb", &["info threads", "bt", "print $eflags", "print vnet0->vnet_ifcnt"]);
    let threads = [
        "(pid 901 jail, jail web01, CPU 0, running, wrote the dump) doadump (",
        "(pid 910 nginx, jail db01, CPU 1, running)",
        "(pid 0 thread taskq, sleeping on select)",
    ];
    for thread in threads {
        assert!(told.contains(thread), "{thread}: {told}");
    }
    let bt = functions(&told);
    let calls = ["kern_reboot", "vpanic", "panic", "trap_fatal", "trap_pfault", "trap", "calltrap"];
    assert!(
        bt.ends_with(&[&calls[..], &["??", "??"]].concat()) || bt.windows(7).any(|w| w == calls),
        "{told}"
    );
    assert!(told.contains("$1 = <unavailable>") && told.contains("$2 = 0"), "{told}");
}

#[test]
#[ignore = "needs gdb"]
fn nothing_can_be_changed_and_gdb_is_told() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let writes = ["set var vnet0->vnet_ifcnt = 7", "set $rip = 1"];
    // gdb steps until it comes to another line, unless it hears of a signal.
    let runs = ["continue", "stepi", "step", "next", "until"];
    let told = files.gdb("gdb", &[&writes[..], &runs, &["bt 2"]].concat());
    assert!(told.contains("Cannot access memory at address 0x"), "{told}");
    assert!(told.contains("Could not write registers"), "{told}");
    assert_eq!(told.matches("A dump does not run.").count(), runs.len(), "{told}");
    assert!(told.contains("#1  0x") && told.contains("kern_reboot"), "{told}");
}

#[test]
#[ignore = "needs gdb"]
fn monitor_asks_commands_of_a_chosen_vnet() {
    let files = Files::scenario("demo.toml", Format::MinidumpV2);
    let commands = [
        "monitor vnet db01",
        "monitor print ip_defttl",
        "monitor print --vnet 0 ip_defttl",
        "monitor vnet 77",
        "monitor vnet",
        "monitor vnets --format plain",
        "monitor report -o /dev/null",
        "monitor info",
        "monitor type struct vnet",
        "monitor read 0xfffff800006210c0 16",
        "monitor whatis --annotate",
        "monitor whatis -",
        "monitor vnets --watch 1",
        "monitor vnets -M other",
        "monitor nonsense",
        "monitor print 'unclosed",
    ];
    let told = files.gdb("gdb", &commands);
    let ask = |arguments: &[&str]| {
        let dump = ["-N", files.kernel.to_str().unwrap(), "-M", files.core.to_str().unwrap()];
        text(&Command::new(PROGRAM).args(dump).args(arguments).output().unwrap())
    };
    for arguments in [
        &["print", "--jail", "db01", "ip_defttl"][..],
        &["print", "--vnet", "0", "ip_defttl"],
        &["vnets", "--format", "plain"],
        &["info"],
        &["type", "struct", "vnet"],
        &["read", "0xfffff800006210c0", "16"],
    ] {
        let answer = ask(arguments);
        assert!(told.contains(answer.as_str()), "{answer} {told}");
    }
    assert_eq!(told.matches("vnet 2 (0xfffff800006210c0): db01").count(), 2, "{told}");
    assert!(told.contains("error: no vnet has the number 77"), "{told}");
    assert!(told.contains("error: monitor writes no files"), "{told}");
    assert!(told.contains("error: monitor asks only once"), "{told}");
    assert_eq!(
        told.matches("error: monitor gives commands no standard input").count(),
        2,
        "{told}"
    );
    assert!(told.contains("error: monitor asks only about the dump that is open"), "{told}");
    assert!(told.contains("unrecognized subcommand 'nonsense'"), "{told}");
    assert!(told.contains("error: a quotation mark is missing"), "{told}");
}

/// gdb loads the symbols of modules by itself, of both classes of the kernel's linker.
#[test]
#[ignore = "needs gdb"]
fn symbols_of_modules_are_where_the_modules_are() {
    for (scenario, gdb) in [("modules.toml", "gdb"), ("modules-shared.toml", "gdb-multiarch")] {
        let files = Files::scenario(scenario, Format::MinidumpV2);
        let ask = |arguments: &[&str]| {
            let dump = ["-N", files.kernel.to_str().unwrap(), "-M", files.core.to_str().unwrap()];
            text(&Command::new(PROGRAM).args(dump).args(arguments).output().unwrap())
        };
        let commands =
            ["info sharedlibrary", "print gif_transmit", "print &vnet_entry_gif_defects"];
        let told = files.gdb(gdb, &commands);
        assert!(told.contains("if_gif.ko"), "{scenario}: {told}");
        let place = told.split(" <gif_transmit>").next().unwrap().rsplit(' ').next().unwrap();
        let whose = ask(&["whatis", place]);
        assert!(whose.contains("gif_transmit, if_gif.ko"), "{scenario}: {whose} {told}");
        let ours = ask(&["vars", "gif_defects", "--json"]);
        let master = ours.split("\"master\":\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(told.contains(&format!("*) {master}")), "{scenario}: {master} {told}");
    }
}

/// Thread 100501 sleeps in an ioctl.
const SLEEPING: &str = r#"
[[step]]
do = "jail"
name = "web"
[[step]]
do = "process"
name = "sleeps"
tid = 100501
pid = 501
jail = "web"
[[step]]
do = "stack"
process = "sleeps"
calls = [
    "sched_switch", "mi_switch", "sleepq_switch", "sleepq_wait", "_sleep", "ifioctl", "soo_ioctl",
    "kern_ioctl", "sys_ioctl",
]
"#;

#[test]
#[ignore = "needs gdb-multiarch"]
fn every_architecture_has_its_registers_and_its_stacks() {
    let calls = [
        "sched_switch",
        "mi_switch",
        "sleepq_switch",
        "sleepq_wait",
        "_sleep",
        "ifioctl",
        "soo_ioctl",
        "kern_ioctl",
        "sys_ioctl",
    ];
    let kernels = [
        "classic-clang-dwarf4",
        "i386",
        "arm64",
        "arm64-newer",
        "armv7",
        "riscv64",
        "powerpc64",
        "powerpc64le",
    ];
    for name in kernels {
        let files = Files::steps(name, SLEEPING, Format::Full);
        let told = files.gdb(
            "gdb-multiarch",
            &["info threads", "bt 20", "print vnet0 == $vnet", "print *vnet0", "print $pc"],
        );
        assert!(told.contains("(pid 501 sleeps, jail web, sleeping on select)"), "{name}: {told}");
        // Functions that are inlined have the suffix `_one`.
        let found: Vec<&str> =
            functions(&told).into_iter().filter(|function| !function.ends_with("_one")).collect();
        assert!(found.starts_with(&calls), "{name}: {found:?} {told}");
        assert!(told.contains("vnet_magic_n = "), "{name}: {told}");
    }
}

/// A server on loopback serves one client after the other, and prints what to type.
#[test]
#[ignore = "needs gdb"]
fn the_printed_command_line_works_again_and_again() {
    let files = Files::scenario("demo.toml", Format::MinidumpV2);
    let (_server, words) = serve(files.vnetkvm(), 0);
    for _ in 0..2 {
        let output = Command::new(&words[0])
            .args(["-nx", "-batch"])
            .args(&words[1..])
            .args(["-ex", "print vnet0->vnet_ifcnt", "-ex", "print $V(\"ip_defttl\", \"web01\")"])
            // What one client chooses is nothing to the next.
            .args(["-ex", "monitor vnet db01", "-ex", "detach"])
            .output()
            .unwrap();
        let told = text(&output);
        assert!(told.contains("$1 = 4\n$2 = 42\n"), "{words:?}: {told}");
    }
}

/// gdb fetches a kernel that is in no file.
#[test]
#[ignore = "needs gdb"]
fn gdb_needs_no_kernel_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut vnetkvm = Command::new(PROGRAM);
    vnetkvm.arg("--demo").env("TMPDIR", directory.path());
    let (_server, words) = serve(vnetkvm, 0);
    let output = Command::new(&words[0])
        .args(["-nx", "-batch"])
        .args(&words[1..])
        .args(["-ex", "print vnet0->vnet_ifcnt", "-ex", "bt 1"])
        .output()
        .unwrap();
    let told = text(&output);
    assert!(told.contains("$1 = 4"), "{words:?}: {told}");
    assert!(told.contains("#0  doadump (textdump=0"), "{words:?}: {told}");
}

/// A server of this dump, and the address that it prints.
fn listening(files: &Files, listen: &str) -> (Killed, String) {
    let mut server = files.vnetkvm();
    server.args(["gdb-server", "--listen", listen]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Killed(server.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stdout.as_mut().unwrap()).lines();
    let lldb = lines
        .find_map(|line| line.unwrap().split_once("'gdb-remote ").map(|(_, to)| to.to_owned()));
    let address = lldb.unwrap().split('\'').next().unwrap().to_owned();
    (server, address)
}

/// Asks why the program stopped; `None` if the server closes the connection.
fn stop_reason(debugger: &mut TcpStream) -> Option<String> {
    debugger.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A server that does not listen breaks the connection.
    debugger.write_all(b"$?#3f").ok()?;
    let mut answer = [0; 64];
    let len = debugger.read(&mut answer).ok().filter(|len| *len > 0)?;
    Some(String::from_utf8_lossy(&answer[..len]).into_owned())
}

#[test]
fn a_second_debugger_is_turned_away_while_one_is_there() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let (mut server, address) = listening(&files, "localhost:0");
    let mut first = TcpStream::connect(&address).unwrap();
    assert!(stop_reason(&mut first).is_some());
    let mut second = TcpStream::connect(&address).unwrap();
    let from = second.local_addr().unwrap();
    assert_eq!(stop_reason(&mut second), None);
    assert!(stop_reason(&mut first).is_some());
    drop(first);
    let mut third = TcpStream::connect(&address).unwrap();
    assert!(stop_reason(&mut third).is_some());
    server.0.kill().unwrap();
    let mut said = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let away = format!("note: a debugger at {from} was turned away: another one is connected\n");
    assert!(said.contains(&away), "{said}");
}

#[test]
fn a_server_at_all_addresses_prints_one_to_connect_to() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let (_server, address) = listening(&files, "0.0.0.0:0");
    assert!(!address.starts_with("0.0.0.0"), "{address}");
    assert!(stop_reason(&mut TcpStream::connect(&address).unwrap()).is_some(), "{address}");
}
