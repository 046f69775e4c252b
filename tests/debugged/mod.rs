//! A kernel and a dump in files, for debuggers.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use vnetkvm::image::{self, Format, Image, Scenario};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_vnetkvm");

pub struct Files {
    pub kernel: PathBuf,
    pub core: PathBuf,
    pub directory: TempDir,
}

impl Files {
    pub fn of(image: &Image, format: Format) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kernel = image.save_kernel(directory.path()).unwrap().swap_remove(0);
        let core = image.save(format, directory.path()).unwrap();
        Self { kernel, core, directory }
    }

    /// Those of a scenario of the fixtures.
    pub fn scenario(name: &str, format: Format) -> Self {
        Self::built(&Scenario::open(fixtures().join("scenarios").join(name)).unwrap(), format)
    }

    /// Those of a kernel of the fixtures, on a machine with 4 CPUs, after these steps.
    pub fn steps(kernel: &str, steps: &str, format: Format) -> Self {
        let kernel = fixtures().join("kernel").join(kernel);
        let text = format!("kernel = {kernel:?}\nmemory = \"64M\"\ncpus = 4\n{steps}");
        Self::built(&Scenario::parse(&text).unwrap(), format)
    }

    /// Those of a machine with two jails, `web` and `db`, on which `member` of `what` was
    /// overwritten.
    pub fn damaged(what: &str, member: &str, to: &str) -> Self {
        let jails = ["web", "db"]
            .map(|name| format!("[[step]]\ndo = \"jail\"\nname = \"{name}\"\n"))
            .concat();
        let steps = format!(
            "{jails}[[step]]\ndo = \"overwrite\"\nwhat = \"{what}\"\nmember = \"{member}\"\n{to}\n"
        );
        Self::steps("classic-clang-dwarf4", &steps, Format::MinidumpV2)
    }

    fn built(scenario: &Scenario, format: Format) -> Self {
        Self::of(&image::build(scenario, scenario.open_kernel().unwrap()).unwrap(), format)
    }

    /// vnetkvm, with these files.
    pub fn vnetkvm(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        // What a server leaves that is killed goes with the test.
        command.env("TMPDIR", self.directory.path());
        command.arg("-N").arg(&self.kernel).arg("-M").arg(&self.core);
        command
    }

    /// What vnetkvm itself answers.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.vnetkvm().args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn ask_json(&self, arguments: &[&str]) -> Value {
        let answer = self.ask(&[arguments, &["--json"]].concat());
        serde_json::from_str(&answer).unwrap_or_else(|why| panic!("{arguments:?}: {why} {answer}"))
    }

    /// The functions on the stack of a thread by vnetkvm, innermost first, without those that were
    /// inlined.
    pub fn functions(&self, tid: &str) -> Vec<String> {
        let stack = self.ask_json(&["bt", "--tid", tid]);
        let frames = stack["stacks"][0]["frames"].as_array().unwrap();
        let calls = frames.iter().filter(|frame| frame["inlined"] == false);
        calls.map(|frame| frame["function"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Does not outlive its test.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `gdb-server` of this vnetkvm. Returns the words of a line that it prints: 0 is gdb's, 1
/// lldb's.
pub fn serve(mut vnetkvm: Command, line: usize) -> (Killed, Vec<String>) {
    let mut server = vnetkvm
        .arg("gdb-server")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map(Killed)
        .unwrap();
    // The pipe stays open, because the server may not have written all lines yet.
    let mut lines = BufReader::new(server.0.stdout.as_mut().unwrap()).lines();
    let line = lines.nth(line).unwrap().unwrap();
    (server, shlex::split(&line).unwrap())
}

/// What gdb printed, without its prompts.
pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap().replace("(gdb) ", "")
}

/// The functions of gdb's backtrace, innermost first.
pub fn functions(told: &str) -> Vec<&str> {
    let frames = told.lines().filter(|line| line.starts_with('#'));
    let names = frames.filter_map(|line| {
        let rest = line.split_once(' ')?.1.trim_start();
        let rest = rest.split_once(" in ").map_or(rest, |(_, rest)| rest);
        rest.split_whitespace().next()
    });
    names.collect()
}

/// A panic by a trap in a system call, and a thread that was interrupted.
pub struct Machine {
    pub kernel: &'static str,
    pub format: Format,
    /// From the innermost call to the entry point.
    pub panic: &'static str,
    /// The entry point of a system call, and what it calls.
    pub syscall: &'static str,
    /// What another processor runs while it is stopped, up to the entry point.
    pub stopped: &'static str,
}

pub const MACHINES: [Machine; 5] = [
    Machine {
        kernel: "stable14-clang-dwarf4",
        format: Format::Full,
        panic: "doadump kern_reboot vpanic panic trap_fatal trap_pfault trap calltrap",
        syscall: "amd64_syscall fast_syscall_common",
        stopped: "cpustop_handler Xcpustop",
    },
    Machine {
        kernel: "i386",
        format: Format::MinidumpV2,
        panic: "doadump kern_reboot vpanic panic trap_fatal trap_pfault trap calltrap",
        syscall: "syscall Xint0x80_syscall",
        stopped: "cpustop_handler Xcpustop",
    },
    Machine {
        kernel: "arm64-newer",
        format: Format::Full,
        panic: "doadump kern_reboot vpanic panic data_abort do_el1h_sync handle_el1h_sync",
        syscall: "do_el0_sync handle_el0_sync",
        stopped: "ipi_stop handle_el1h_irq",
    },
    Machine {
        kernel: "riscv64",
        format: Format::Full,
        panic: "doadump kern_reboot vpanic panic page_fault_handler do_trap_supervisor \
                cpu_exception_handler_supervisor",
        syscall: "do_trap_user cpu_exception_handler_user",
        stopped: "ipi_stop cpu_exception_handler_supervisor",
    },
    // Big-endian, and not where it is linked.
    Machine {
        kernel: "powerpc64",
        format: Format::Full,
        panic: "doadump kern_reboot vpanic panic trap_fatal trap_pfault trap \
                powerpc_interrupt generictrap",
        syscall: "trap powerpc_interrupt generictrap",
        stopped: "cpustop_handler generictrap",
    },
];

impl Machine {
    pub fn files(&self) -> Files {
        self.trapped("")
    }

    /// With these values in the trap frame of the panic.
    pub fn trapped(&self, values: &str) -> Files {
        let stack = |name: &str, tid: u64, options: &str, more: &str, calls: &[&str]| {
            let calls = calls.iter().flat_map(|calls| calls.split_whitespace());
            let entry = self.panic.split_whitespace().next_back().unwrap();
            let call = |call: &str| match call == entry && name == "dumps" {
                true => format!("{{ entry = \"{call}\", trap = {{ {values} }} }}"),
                false => format!("\"{call}\""),
            };
            let calls = calls.map(call).collect::<Vec<_>>().join(", ");
            format!(
                "[[step]]\ndo = \"process\"\nname = \"{name}\"\ntid = {tid}\n{options}\n\
                 in_network_stack = true\n[[step]]\ndo = \"stack\"\nprocess = \"{name}\"\n\
                 syscall = 54\n{more}\ncalls = [{calls}]\n",
            )
        };
        let calls = "soo_ioctl kern_ioctl sys_ioctl";
        let steps = [
            "[[step]]\ndo = \"jail\"\nname = \"web\"\n".to_owned(),
            stack("dumps", 100_500, "dumping = true", "", &[self.panic, calls, self.syscall]),
            stack(
                "stops",
                100_502,
                "jail = \"web\"",
                "cpu = 1",
                &[self.stopped, "kern_kevent sys_kevent", self.syscall],
            ),
            stack(
                "kthread",
                100_503,
                "",
                "",
                &["sched_switch mi_switch _sleep ithread_loop fork_exit fork_trampoline"],
            ),
        ];
        Files::steps(self.kernel, &steps.concat(), self.format)
    }
}
