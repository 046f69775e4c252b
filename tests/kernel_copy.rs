//! The copy of the kernel that `gdb-server` writes for lldb: with it, debuggers go across trap
//! frames by themselves, without a script.

#![cfg(all(feature = "cli", feature = "gdb-server", unix))]

mod debugged;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use debugged::{Files, Killed, MACHINES, Machine, functions, serve, text};
use vnetkvm::image::Format;

/// A thread and the command that it runs (`Machine::files`).
const THREADS: [(&str, &str); 3] =
    [("100500", "dumps"), ("100502", "stops"), ("100503", "kthread")];

/// What lldb prints for commands, with a server at the other end. It loads no script.
fn lldb(words: &[String], commands: &[&str]) -> String {
    let mut lldb = Command::new(&words[0]);
    lldb.args(["--no-lldbinit", "--batch"]).args(&words[1..]);
    commands.iter().for_each(|command| {
        lldb.args(["-o", command]);
    });
    // Errors stand between the answers.
    let output = lldb.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The functions of a thread in lldb's `thread backtrace all`, without those that were inlined.
fn functions_of<'t>(told: &'t str, command: &str) -> Vec<&'t str> {
    let (_, rest) = told.split_once("(lldb) thread backtrace all\n").expect(told);
    let mut threads = rest.split("thread #").skip(1);
    let thread = threads.find(|thread| {
        thread.lines().next().is_some_and(|title| title.contains(&format!(" {command},")))
    });
    let frames = thread.expect(told).lines().filter(|line| line.contains(" frame #"));
    let calls =
        frames.filter(|line| !line.contains("[inlined]")).filter_map(|line| line.split_once('`'));
    calls.map(|(_, call)| call.split(['(', ' ']).next().unwrap()).collect()
}

type Values = &'static [(&'static str, &'static str, u64)];

/// The architectures that lldb 14 knows, with values for registers of the trap frame and lldb's
/// names of these.
const KNOWN: [(&str, Values); 3] = [
    (
        "stable14-clang-dwarf4",
        &[("rax", "rax", 0x1111), ("rdi", "rdi", 0x2222), ("r8", "r8", 0x3333)],
    ),
    ("i386", &[("eax", "eax", 0x1111), ("ecx", "ecx", 0x2222), ("edx", "edx", 0x3333)]),
    ("arm64-newer", &[("\"x[0]\"", "x0", 0x1111), ("\"x[18]\"", "x18", 0x2222)]),
];

fn machine(kernel: &str) -> &'static Machine {
    MACHINES.iter().find(|machine| machine.kernel == kernel).unwrap()
}

#[test]
#[ignore = "needs lldb"]
fn lldb_goes_across_trap_frames() {
    for (kernel, values) in KNOWN {
        let set = values.iter().map(|(name, _, value)| format!("{name} = {value}"));
        let files = machine(kernel).trapped(&set.collect::<Vec<_>>().join(", "));
        let (_server, words) = serve(files.vnetkvm(), 1);
        let told = lldb(&words, &["thread backtrace all"]);
        for (tid, command) in THREADS {
            assert_eq!(functions_of(&told, command), files.functions(tid), "{kernel}: {told}");
        }
        // What the trap interrupted.
        let (before, _) = told.split_once("`soo_ioctl").expect(&told);
        let number = before.rsplit_once("frame #").unwrap().1.split(':').next().unwrap();
        let select = format!("frame select {number}");
        let read: Vec<&str> = values.iter().map(|(_, name, _)| *name).collect();
        let told = lldb(&words, &[&select, &format!("register read {}", read.join(" "))]);
        for (_, name, value) in values {
            let read = told.lines().find_map(|line| line.trim_start().strip_prefix(name));
            let read = read.and_then(|rest| rest.trim_start().strip_prefix("= 0x"));
            let read = read.and_then(|read| u64::from_str_radix(read.trim(), 16).ok());
            assert_eq!(read, Some(*value), "{kernel}: {name}: {told}");
        }
    }
}

/// The kernel prints the registers of a trap in the kernel without a stack pointer, on i386.
#[test]
#[ignore = "needs lldb"]
fn the_stack_goes_on_behind_a_trap_frame() {
    for kernel in ["stable14-clang-dwarf4", "i386", "arm64-newer"] {
        let files = machine(kernel).files();
        let (_server, words) = serve(files.vnetkvm(), 1);
        let told = lldb(&words, &["thread backtrace"]);
        let (before, _) = told.split_once("`soo_ioctl").expect(&told);
        let number = before.rsplit_once("frame #").unwrap().1.split(':').next().unwrap();
        let told = lldb(&words, &[&format!("frame select {number}"), "register read sp pc fp"]);
        let stack = files.ask_json(&["bt", "--tid", "100500"]);
        let frames = stack["stacks"][0]["frames"].as_array().unwrap();
        let trap = frames.iter().find(|frame| frame["trap"].is_object()).unwrap();
        let registers = &trap["trap"]["registers"];
        let number = |value: &serde_json::Value| {
            u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
        };
        let (counter, pointer, frame) = match kernel {
            // Where the processor would have pushed one.
            "i386" => ("eip", number(&trap["trap"]["address"]) + 64, "ebp"),
            "arm64-newer" => ("elr", number(&registers["sp"]), "x29"),
            _ => ("rip", number(&registers["rsp"]), "rbp"),
        };
        for (value, name) in [
            (pointer, "sp"),
            (number(&registers[counter]), "pc"),
            (number(&registers[frame]), "fp"),
        ] {
            let digits = if kernel == "i386" { 8 } else { 16 };
            let expected = format!("= 0x{value:0digits$x}");
            assert!(told.contains(&expected), "{kernel}: {name} {expected}: {told}");
        }
    }
}

#[test]
#[ignore = "needs gdb-multiarch"]
fn gdb_goes_across_trap_frames_without_a_script() {
    for kernel in ["stable14-clang-dwarf4", "i386", "arm64-newer", "riscv64"] {
        let files = machine(kernel).files();
        let (_server, words) = serve(files.vnetkvm(), 1);
        let copy = words.last().unwrap();
        let output = Command::new("gdb-multiarch")
            .args(["-nx", "-q", "-batch", "-iex", "set osabi none", "-iex", "set width 0"])
            // Of a busy machine.
            .args(["-iex", "set remotetimeout 60"])
            .args(["-iex", "set style enabled off", "-iex", "set debuginfod enabled off"])
            .args([copy, "-ex", &words[2].replace("gdb-remote", "target remote"), "-ex", "bt"])
            .args(["-ex", "echo registers\\n", "-ex", "frame function soo_ioctl"])
            .args(["-ex", "info registers"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = text(&output);
        let (stack, registers) = told.split_once("registers\n").expect(&told);
        let (_, stack) = stack.split_once("\n#0 ").expect(&told);
        let stack = format!("#0 {stack}");
        if kernel == "stable14-clang-dwarf4" {
            for read in ["\neflags         0x10246 ", "\ncs             0x20 "] {
                assert!(registers.contains(read), "{read}: {told}");
            }
        }
        // gdb calls every entry point a signal handler, and shows what was inlined as functions.
        let entries = [machine(kernel).panic, machine(kernel).syscall]
            .map(|calls| calls.split_whitespace().next_back().unwrap());
        let ours = files.functions("100500");
        let ours = ours.iter().map(|name| match entries.contains(&name.as_str()) {
            true => "<signal",
            false => name.as_str(),
        });
        let ours: Vec<&str> = ours.collect();
        let gdb: Vec<&str> =
            functions(&stack).into_iter().filter(|name| ours.contains(name)).collect();
        assert_eq!(gdb, ours, "{kernel}: {told}");
    }
}

/// A core needs no server.
#[test]
#[ignore = "needs lldb"]
fn lldb_goes_across_trap_frames_of_a_core() {
    let files = machine("stable14-clang-dwarf4").files();
    let (core, copy) =
        (files.directory.path().join("core"), files.directory.path().join("kernel.lldb"));
    let mut convert = files.vnetkvm();
    convert.args(["convert", "--to", "elf-freebsd", "-o"]).arg(&core);
    assert!(convert.output().unwrap().status.success());
    assert!(files.vnetkvm().args(["lldb", "--kernel-copy"]).arg(&copy).status().unwrap().success());
    let (core, copy) = (core.display().to_string(), copy.display().to_string());
    let words = ["lldb", &copy, "-c", &core].map(str::to_owned);
    let load = format!("target modules load --file {copy} --slide 0");
    let told = lldb(&words, &[&load, "thread backtrace"]);
    let (_, stack) = told.split_once("(lldb) thread backtrace\n").expect(&told);
    let frames = stack.lines().filter(|line| !line.contains("[inlined]"));
    let calls = frames.filter_map(|line| line.split_once('`'));
    let calls: Vec<&str> = calls.map(|(_, call)| call.split(['(', ' ']).next().unwrap()).collect();
    assert_eq!(calls, files.functions("100500"), "{told}");
}

#[test]
fn a_copy_to_keep_is_the_one_of_the_server() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let (_server, words) = serve(files.vnetkvm(), 1);
    let kept = files.directory.path().join("kernel.lldb");
    let keep = |path: &Path| {
        let mut vnetkvm = Command::new(debugged::PROGRAM);
        // The dump is not needed.
        vnetkvm.arg("-N").arg(&files.kernel).args(["lldb", "--kernel-copy"]).arg(path);
        vnetkvm.output().unwrap()
    };
    let output = keep(&kept);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let bytes = std::fs::read(&kept).unwrap();
    assert!(bytes == std::fs::read(words.last().unwrap()).unwrap());
    let kernel = std::fs::read(&files.kernel).unwrap();
    let refused = keep(&files.kernel);
    assert_eq!(refused.status.code(), Some(2));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("hint: name another file with --kernel-copy"), "{why}");
    assert!(kernel == std::fs::read(&files.kernel).unwrap());
}

#[test]
fn the_copy_is_a_kernel_and_ends_with_the_server() {
    for signal in ["TERM", "INT"] {
        let files = Files::scenario("stacks.toml", Format::MinidumpV2);
        let (mut server, words) = serve(files.vnetkvm(), 1);
        let copy = Path::new(words.last().unwrap()).to_owned();
        assert_eq!(copy.file_name().unwrap(), "kernel");
        assert!(copy.starts_with(files.directory.path()), "{copy:?}");
        let with_copy = || {
            let mut vnetkvm = Command::new(debugged::PROGRAM);
            vnetkvm.arg("-N").arg(&copy).arg("-M").arg(&files.core).arg("bt").output().unwrap()
        };
        let answer = String::from_utf8(with_copy().stdout).unwrap();
        assert_eq!(answer, files.ask(&["bt"]));
        let id = server.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let status = wait(&mut server);
        assert!(!status.success(), "{status}");
        assert!(!copy.parent().unwrap().exists(), "{copy:?}");
    }
}

fn wait(server: &mut Killed) -> std::process::ExitStatus {
    let from = Instant::now();
    loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            return status;
        }
        assert!(from.elapsed() < Duration::from_secs(60), "the server goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A kernel without known entry points is used as it is.
#[test]
fn a_kernel_without_known_entry_points_has_no_copy() {
    let files = Files::steps("powerpc64", "", Format::Full);
    let (_server, words) = serve(files.vnetkvm(), 1);
    assert_eq!(Path::new(words.last().unwrap()), files.kernel.canonicalize().unwrap());
}

/// The demonstration's kernel is in no other file.
#[test]
#[ignore = "needs lldb"]
fn lldb_shows_the_demonstration() {
    let directory = tempfile::tempdir().unwrap();
    let mut vnetkvm = Command::new(debugged::PROGRAM);
    vnetkvm.arg("--demo").env("TMPDIR", directory.path());
    let (_server, words) = serve(vnetkvm, 1);
    let told = lldb(&words, &["print vnet0->vnet_ifcnt"]);
    assert!(told.contains("(u_int) $0 = 4\n"), "{told}");
}
