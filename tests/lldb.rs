//! The remote stub and the script of `vnetkvm lldb`, used by the real lldb.

#![cfg(all(feature = "cli", feature = "gdb-server"))]

mod debugged;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use debugged::{Files, Killed, PROGRAM, serve};
use vnetkvm::image::Format;

impl Files {
    /// A server of the dump, and what it says to type in lldb.
    fn serve(&self) -> (Killed, Vec<String>) {
        serve(self.vnetkvm(), 1)
    }

    /// What lldb prints for commands, with the server at the other end and the script loaded. An
    /// error ends no command but its own.
    fn lldb(&self, commands: &[&str]) -> String {
        let (_server, words) = self.serve();
        self.run_lldb(&words, commands)
    }

    fn run_lldb(&self, words: &[String], commands: &[&str]) -> String {
        let script = self.directory.path().join("vnet_lldb.py");
        fs::write(&script, Command::new(PROGRAM).arg("lldb").output().unwrap().stdout).unwrap();
        let mut lines = format!("command script import {}\n", script.display());
        lines.extend(commands.iter().flat_map(|command| [*command, "\n"]));
        let input = self.directory.path().join("commands.lldb");
        fs::write(&input, lines).unwrap();
        // Errors stand between the answers.
        let (mut both, writer) = io::pipe().unwrap();
        let mut command = Command::new(&words[0]);
        command
            .arg("--no-lldbinit")
            .args(&words[1..])
            .envs(python_path().map(|path| ("PYTHONPATH", path)))
            .stdin(File::open(input).unwrap())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let mut lldb = command.spawn().unwrap();
        drop(command);
        let mut told = Vec::new();
        both.read_to_end(&mut told).unwrap();
        lldb.wait().unwrap();
        String::from_utf8_lossy(&told).into_owned()
    }
}

/// Where Debian's lldb 14 has its Python module, which it looks for elsewhere.
fn python_path() -> Option<PathBuf> {
    let told = Command::new("lldb").arg("-P").output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    if Path::new(told.trim()).join("lldb/__init__.py").exists() {
        return None;
    }
    let python = fs::read_dir("/usr/lib/llvm-14/lib").unwrap().filter_map(Result::ok);
    let mut places = python.map(|version| version.path().join("dist-packages"));
    places.find(|place| place.join("lldb/__init__.py").exists())
}

/// What stands between a command and the next.
fn after<'t>(told: &'t str, command: &str) -> &'t str {
    let (_, rest) = told.split_once(&format!("(lldb) {command}\n")).expect(told);
    rest.split("(lldb) ").next().unwrap()
}

/// The functions of a backtrace, innermost first, without those that were inlined.
fn functions(told: &str) -> Vec<&str> {
    let frames =
        told.lines().filter(|line| line.contains(" frame #") && !line.contains("[inlined]"));
    let after_module = frames.filter_map(|line| line.split_once('`'));
    after_module.map(|(_, call)| call.split(['(', ' ']).next().unwrap()).collect()
}

#[test]
#[ignore = "needs lldb"]
fn lldb_sees_threads_registers_and_stacks() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let told = files.lldb(&[
        "thread list",
        "bt",
        "register read rip rax",
        "print *vnet0",
        "memory region 0xffffffff80200000",
        "process plugin packet monitor vnets",
        "thread backtrace 8",
    ]);
    let threads = after(&told, "thread list");
    let first = "* thread #1: tid = 100901, 0xffffffff8020ab00 kernel`doadump(textdump=0)";
    assert!(threads.contains(first), "{told}");
    assert!(threads.contains("name = 'pid 910 nginx, jail db01, CPU 1, running'"), "{told}");
    // Nobody saved its registers, so it has no frame.
    assert!(threads.contains("tid = 100944, name = 'pid 944 lost, CPU 3, running'"), "{told}");
    let calls = ["doadump", "kern_reboot", "vpanic", "panic", "trap_fatal", "trap_pfault", "trap"];
    assert_eq!(functions(after(&told, "bt"))[..calls.len()], calls, "{told}");
    let registers = after(&told, "register read rip rax");
    assert!(registers.contains("rip = 0xffffffff8020ab00  kernel`doadump + 48"), "{told}");
    assert!(registers.contains("rax          = error: unavailable"), "{told}");
    assert!(after(&told, "print *vnet0").contains("vnet_magic_n = 1041076009"), "{told}");
    let region = after(&told, "memory region 0xffffffff80200000");
    assert!(region.starts_with("[0xffffffff80200000-0xffffffff80601000) r-x"), "{told}");
    let vnets = after(&told, "process plugin packet monitor vnets");
    assert!(vnets.starts_with(&files.ask(&["vnets"])), "{told}");
    let sleeping = after(&told, "thread backtrace 8");
    let calls = ["sched_switch", "mi_switch", "sleepq_switch"];
    assert_eq!(functions(sleeping)[..calls.len()], calls, "{told}");
}

#[test]
#[ignore = "needs lldb"]
fn lldb_knows_the_registers_of_other_architectures() {
    const SLEEPING: &str = r#"
        [[step]]
        do = "process"
        name = "sleeps"
        tid = 100501
        [[step]]
        do = "stack"
        process = "sleeps"
        calls = ["sched_switch", "mi_switch", "sleepq_switch", "sleepq_wait", "_sleep", "ifioctl"]
    "#;
    for name in ["classic-clang-dwarf4", "i386", "arm64"] {
        let told =
            Files::steps(name, SLEEPING, Format::Full).lldb(&["vnets", "bt", "V ip_defttl 0"]);
        let calls = ["sched_switch", "mi_switch", "sleepq_switch", "sleepq_wait", "_sleep"];
        assert_eq!(functions(after(&told, "bt"))[..calls.len()], calls, "{name}: {told}");
        assert_eq!(after(&told, "V ip_defttl 0"), "(int) ip_defttl = 64\n", "{name}: {told}");
    }
}

#[test]
#[ignore = "needs lldb"]
fn vnets_are_listed_and_chosen() {
    let files = Files::scenario("demo.toml", Format::MinidumpV2);
    let told = files.lldb(&[
        "vnets",
        "vnet",
        "vnet db01",
        "V ip_defttl",
        "V ip_defttl web01",
        "V tcbinfo.ipi_count 0",
        "V ifnet.cstqh_first->if_xname web01",
        "vnet foreach V ip_defttl",
        "vnet sysctl net.inet.ip.ttl",
        "vnet none",
        "vnet print ip_defttl",
        "vnet nobody",
        "V nonsense",
        "V ip_defttl.nonsense",
        "V ip_defttl 9",
        "V ip_defttl nobody",
        "vnet 0x1000",
        "V",
        "help vnet",
    ]);
    assert_eq!(after(&told, "vnets"), files.ask(&["vnets"]), "{told}");
    // The thread that crashed works in it.
    assert_eq!(
        after(&told, "vnet"),
        "vnet 1 (0xfffff80000621040): web01, web01.php (not chosen)\n",
        "{told}"
    );
    assert_eq!(after(&told, "vnet db01"), "vnet 2 (0xfffff800006210c0): db01\n", "{told}");
    assert_eq!(after(&told, "V ip_defttl"), "(int) ip_defttl = 128\n", "{told}");
    assert_eq!(after(&told, "V ip_defttl web01"), "(int) ip_defttl = 42\n", "{told}");
    let each = "vnet 0 (0xfffff80000621000): host\n(int) ip_defttl = 64\n\
                vnet 1 (0xfffff80000621040): web01, web01.php\n(int) ip_defttl = 42\n\
                vnet 2 (0xfffff800006210c0): db01\n(int) ip_defttl = 128\n";
    assert_eq!(after(&told, "vnet foreach V ip_defttl"), each, "{told}");
    // vnetkvm is asked about the chosen vnet.
    assert_eq!(after(&told, "vnet sysctl net.inet.ip.ttl"), "net.inet.ip.ttl: 128\n", "{told}");
    assert!(after(&told, "vnet none").ends_with("web01.php (not chosen)\n"), "{told}");
    assert!(after(&told, "vnet print ip_defttl").contains("ip_defttl = (int) 42\n"), "{told}");
    let count = files.ask(&["print", "--vnet", "0", "tcbinfo.ipi_count"]);
    let count = count.trim_end().rsplit(' ').next().unwrap();
    let shown = after(&told, "V tcbinfo.ipi_count 0");
    assert_eq!(shown, format!("(u_int) ipi_count = {count}\n"), "{told}");
    let name = after(&told, "V ifnet.cstqh_first->if_xname web01");
    assert!(name.contains("if_xname = \"lo0"), "{told}");
    for (command, error) in [
        ("V nonsense", "error: There is no variable nonsense.\n"),
        ("V ip_defttl.nonsense", "error: ip_defttl has no .nonsense.\n"),
        ("V ip_defttl 9", "error: No vnet has the number 9.\n"),
        ("V ip_defttl nobody", "error: There is no jail nobody.\n"),
        ("vnet nobody", "error: There is no jail and no command nobody.\n"),
        ("vnet 0x1000", "error: There is no vnet at 0x1000.\n"),
        ("V", "error: Usage: V NAME [VNET]\n"),
    ] {
        assert_eq!(after(&told, command), error, "{told}");
    }
    let help = after(&told, "help vnet");
    assert!(help.starts_with("Choose the vnet of V, or ask vnetkvm."), "{told}");
    assert!(help.contains("vnet foreach COMMAND"), "{told}");
}

/// Every variable of the kernel is where vnetkvm says, and as large.
#[test]
#[ignore = "needs lldb"]
fn all_variables_are_where_vnetkvm_finds_them() {
    let files = Files::scenario("demo.toml", Format::MinidumpV2);
    let ours = files.ask(&["vars", "--jail", "web01", "--format", "plain"]);
    let ours: Vec<Vec<&str>> = ours.lines().map(|line| line.split('\t').collect()).collect();
    let mut body = "import vnet_lldb\n".to_owned();
    for row in &ours {
        let name = match row[0].split_once('@') {
            Some((name, file)) => format!("{name}@{}", file.rsplit('/').next().unwrap()),
            None => row[0].to_owned(),
        };
        body += &format!(
            "v = vnet_lldb.V('{name}', 'web01'); print('at', hex(v.GetLoadAddress()), v.GetByteSize())\n"
        );
    }
    let script = files.directory.path().join("all.py");
    fs::write(&script, body).unwrap();
    let told = files.lldb(&[&format!("command script import {}", script.display())]);
    let found: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("at ")).collect();
    assert!(
        ours.len() > 500 && found.len() == ours.len(),
        "{} {}: {told}",
        ours.len(),
        found.len()
    );
    for (found, row) in found.iter().zip(&ours) {
        let (address, size) = found.split_once(' ').unwrap();
        assert_eq!(address, row[1], "{row:?}");
        // A symbol has room for a flexible array, its type has not. lldb gives int [0] an int.
        let exact =
            !["feat_flexible", "feat_zero_length"].iter().any(|odd| row[0].starts_with(odd));
        assert!(!exact || size == row[2], "{found} {row:?}");
    }
}

/// Modules of both classes of the kernel's linker.
#[test]
#[ignore = "needs lldb"]
fn modules_have_their_symbols_and_variables() {
    for scenario in ["modules.toml", "modules-shared.toml"] {
        let files = Files::scenario(scenario, Format::MinidumpV2);
        let told = files.lldb(&[
            "V gif_defects 0",
            "script print(hex(vnet_lldb.V('gif_defects', 0).GetLoadAddress()))",
            "script f = lldb.target.FindFunctions('gif_transmit')[0].GetSymbol()",
            "script print('at', hex(f.GetStartAddress().GetLoadAddress(lldb.target)))",
        ]);
        assert_eq!(after(&told, "V gif_defects 0"), "(u_int) gif_defects = 1551\n", "{told}");
        let ours = files.ask(&["vars", "--vnet", "0", "--format", "plain", "gif_defects"]);
        let address = ours.split('\t').nth(1).unwrap();
        assert!(told.contains(&format!("\n{address}\n")), "{address}: {told}");
        let place = told.split("\nat ").nth(1).unwrap().lines().next().unwrap();
        let whose = files.ask(&["whatis", place]);
        assert!(whose.contains("gif_transmit, if_gif.ko"), "{place}: {whose} {told}");
    }
}

/// As vnetkvm does it; tests/kernel_copy.rs has what lldb does by itself.
#[test]
#[ignore = "needs lldb"]
fn vnetkvm_goes_on_across_a_trap_frame() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let told = files.lldb(&["vnet bt"]);
    let ours = files.ask(&["bt"]);
    assert!(ours.contains("--- trap 0xc, "), "{ours}");
    assert_eq!(after(&told, "vnet bt"), ours, "{told}");
}

#[test]
#[ignore = "needs lldb"]
fn variables_of_each_cpu_are_shown() {
    let files = Files::scenario("pcpu.toml", Format::MinidumpV2);
    // Debian's lldb does not unpack debug information that zstd packed.
    let unpacked = Command::new("objcopy")
        .arg("--decompress-debug-sections")
        .arg(&files.kernel)
        .status()
        .unwrap();
    assert!(unpacked.success());
    let told = files.lldb(&["DPCPU nws.nws_flags", "DPCPU nws.nws_flags 0", "DPCPU nws 2"]);
    let all = "CPU 0: (u_int) nws_flags = 3\nCPU 1: (u_int) nws_flags = 0\n\
               CPU 3: (u_int) nws_flags = 0\n";
    assert_eq!(after(&told, "DPCPU nws.nws_flags"), all, "{told}");
    let one = after(&told, "DPCPU nws.nws_flags 0");
    assert_eq!(one, "(u_int) nws_flags = 3\n", "{told}");
    assert_eq!(after(&told, "DPCPU nws 2"), "error: There is no CPU 2.\n", "{told}");
}

#[test]
#[ignore = "needs lldb"]
fn nothing_can_be_changed_and_a_client_that_vanishes_leaves_the_server() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let (_server, words) = files.serve();
    let told = files.run_lldb(
        &words,
        &[
            "memory write 0xffffffff80400000 1",
            "register write rip 1",
            "script import os; os._exit(1)",
        ],
    );
    assert!(told.contains("error: Memory write to 0xffffffff80400000 failed"), "{told}");
    assert!(told.contains("error: Failed to write register 'rip'"), "{told}");
    let told = files.run_lldb(&words, &["vnets"]);
    assert_eq!(after(&told, "vnets"), files.ask(&["vnets"]), "{told}");
}

#[test]
#[ignore = "needs lldb"]
fn damaged_lists_end() {
    let damage = |what: &str, member: &str, to: &str| {
        let files = Files::damaged(what, member, to);
        files.lldb(&["vnets", "vnet 1", "V ip_defttl web", "V ip_defttl nobody"])
    };
    let told = damage("vnet:web", "vnet_le.le_next", "to = \"vnet:db\"");
    let vnets = after(&told, "vnets");
    assert!(vnets.contains("The list of vnets comes back to 0x"), "{told}");
    assert!(vnets.contains("   ?  up") && vnets.contains("   0  up"), "{told}");
    assert!(after(&told, "vnet 1").contains("The list of vnets comes back to 0x"), "{told}");
    assert_eq!(after(&told, "V ip_defttl web"), "(int) ip_defttl = 64\n", "{told}");
    let told = damage("vnet:web", "vnet_le.le_next", "value = 4096");
    assert!(told.contains("The list of vnets leads to 0x1000, which cannot be read"), "{told}");
    let told = damage("jail:db", "pr_list.tqe_next", "to = \"jail:web\"");
    let nobody = after(&told, "V ip_defttl nobody");
    assert!(nobody.contains("no jail nobody. The list of jails comes back to 0x"), "{told}");
}
