//! The Python script that `vnetkvm gdb --python` writes, in the real gdb: its functions, commands,
//! printers and its unwinder, with the answers of vnetkvm beside them.

#![cfg(all(feature = "cli", feature = "gdb-server"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use vnetkvm::image::{self, Format, Image, Scenario};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vnetkvm");

/// A kernel, a dump and the script in files.
struct Files {
    kernel: PathBuf,
    core: PathBuf,
    script: PathBuf,
    directory: TempDir,
}

impl Files {
    fn of(image: &Image, format: Format) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kernel = image.save_kernel(directory.path()).unwrap().swap_remove(0);
        let core = image.save(format, directory.path()).unwrap();
        let script = directory.path().join("vnet.py");
        let written = Command::new(PROGRAM).args(["gdb", "--python"]).output().unwrap();
        assert!(written.status.success() && written.stderr.is_empty());
        std::fs::write(&script, written.stdout).unwrap();
        Self { kernel, core, script, directory }
    }

    fn scenario(name: &str, format: Format) -> Self {
        let scenario = fixtures().join("scenarios").join(name);
        let scenario = Scenario::open(&scenario).unwrap();
        Self::of(&image::build(&scenario, scenario.open_kernel().unwrap()).unwrap(), format)
    }

    fn steps(kernel: &str, steps: &str, format: Format) -> Self {
        let kernel = fixtures().join("kernel").join(kernel);
        let text = format!("kernel = {kernel:?}\nmemory = \"64M\"\ncpus = 4\n{steps}");
        let scenario = Scenario::parse(&text).unwrap();
        Self::of(&image::build(&scenario, scenario.open_kernel().unwrap()).unwrap(), format)
    }

    /// Gives commands to a gdb that has the script and the server at the other end of a pipe. An
    /// error ends no command but its own.
    fn gdb(&self, program: &str, commands: &[impl AsRef<str>]) -> String {
        let target = format!(
            "target remote | {PROGRAM} -N {} -M {} gdb-server --stdio",
            self.kernel.display(),
            self.core.display()
        );
        self.gdb_at(program, &target, commands)
    }

    /// The same with another target.
    fn gdb_at(&self, program: &str, target: &str, commands: &[impl AsRef<str>]) -> String {
        let source = format!("source {}", self.script.display());
        let commands = commands.iter().map(AsRef::as_ref);
        let lines = [target, &source].into_iter().chain(commands);
        let script: String = lines.map(|line| format!("{line}\n")).collect();
        text(&self.run_gdb(program, &["-iex", "set osabi none"], &script))
    }

    fn run_gdb(&self, program: &str, options: &[&str], script: &str) -> Output {
        let commands = self.directory.path().join("commands.gdb");
        std::fs::write(&commands, script).unwrap();
        // Commands on standard input go on after an error.
        Command::new(program)
            .args(["-nx", "-q", "-iex", "set pagination off", "-iex", "set width 0"])
            .args(["-iex", "set confirm off", "-iex", "set style enabled off"])
            .args(options)
            .arg(&self.kernel)
            .stdin(std::fs::File::open(commands).unwrap())
            .output()
            .unwrap()
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let dump = ["-N", self.kernel.to_str().unwrap(), "-M", self.core.to_str().unwrap()];
        let output = Command::new(PROGRAM).args(dump).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn ask_json(&self, arguments: &[&str]) -> Value {
        let answer = self.ask(&[arguments, &["--json"]].concat());
        serde_json::from_str(&answer).unwrap_or_else(|why| panic!("{arguments:?}: {why} {answer}"))
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap().replace("(gdb) ", "")
}

/// The lines between two commands that print these words.
fn between<'a>(told: &'a str, from: &str, to: &str) -> &'a str {
    let told = told.split_once(&format!("{from}\n")).unwrap_or_else(|| panic!("{from}: {told}")).1;
    told.split_once(&format!("{to}\n")).unwrap_or_else(|| panic!("{to}: {told}")).0
}

/// The functions of gdb's backtrace, innermost first.
fn functions(told: &str) -> Vec<&str> {
    let frames = told.lines().filter(|line| line.starts_with('#'));
    let names = frames.filter_map(|line| {
        let rest = line.split_once(' ')?.1.trim_start();
        let rest = rest.split_once(" in ").map_or(rest, |(_, rest)| rest);
        rest.split_whitespace().next()
    });
    names.collect()
}

impl Files {
    /// Compares gdb's backtrace of a thread with vnetkvm's, without functions that were inlined: gdb
    /// looks all frames up before their address, also those that a trap interrupted.
    fn check_stack(&self, told: &str, tid: &str) {
        let stack = self.ask_json(&["bt", "--tid", tid]);
        let frames = stack["stacks"][0]["frames"].as_array().unwrap();
        let named = |inlined: bool| {
            let some = frames.iter().filter(move |frame| frame["inlined"] == inlined);
            some.map(|frame| frame["function"].as_str().unwrap())
        };
        let is_inlined =
            |name: &&str| name.ends_with("_one") || named(true).any(|inlined| inlined == *name);
        let ours: Vec<&str> = named(false).collect();
        let gdb: Vec<&str> = functions(told).into_iter().filter(|name| !is_inlined(name)).collect();
        let (known, rest) = gdb.split_at(ours.len().min(gdb.len()));
        assert_eq!(known, ours, "{tid}: {told}");
        // What ran in user space, and the end.
        assert!(rest.len() <= 2 && rest.iter().all(|name| *name == "??"), "{tid}: {told}");
        assert!(!told.contains("Backtrace stopped"), "{tid}: {told}");
    }
}

#[test]
#[ignore = "needs gdb"]
fn backtraces_lead_across_trap_frames() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let tids = ["100901", "100910", "100012", "100921", "100040"];
    let commands: Vec<String> = tids
        .iter()
        .flat_map(|tid| {
            let choose = format!(
                "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == {tid}]"
            );
            [format!("echo from{tid}\\n"), choose, "bt".into(), format!("echo to{tid}\\n")]
        })
        .collect();
    let told = files.gdb("gdb", &commands);
    for tid in tids {
        let told = between(&told, &format!("from{tid}"), &format!("to{tid}"));
        files.check_stack(told, tid);
    }
    assert!(functions(&told).contains(&"calltrap"), "{told}");
}

/// A panic by a trap in a system call, and a thread that was interrupted.
struct Machine {
    kernel: &'static str,
    format: Format,
    /// From the innermost call to the entry point.
    panic: &'static str,
    /// The entry point of a system call, and what it calls.
    syscall: &'static str,
    /// What another processor runs while it is stopped, up to the entry point.
    stopped: &'static str,
}

const MACHINES: [Machine; 5] = [
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
    // Big-endian, and not where it is linked. Its trap frames are not known to the script.
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
    fn files(&self) -> Files {
        let stack = |name: &str, tid: u64, options: &str, more: &str, calls: &[&str]| {
            let calls = calls.iter().flat_map(|calls| calls.split_whitespace());
            let calls = calls.map(|call| format!("\"{call}\"")).collect::<Vec<_>>().join(", ");
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

#[test]
#[ignore = "needs gdb-multiarch"]
fn every_architecture_has_functions_commands_and_stacks() {
    for machine in &MACHINES {
        let (about, files) = (machine.kernel, machine.files());
        let is_known = !about.starts_with("powerpc");
        let told = files.gdb(
            "gdb-multiarch",
            &[
                "echo stack\\n",
                "bt",
                "echo stack2\\n",
                "python gdb.selected_inferior().threads()[0].switch()",
                "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == 100502]",
                "bt",
                "echo stack3\\n",
                "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == 100503]",
                "bt",
                "echo end\\n",
                "info vnets",
                "echo vnets\\n",
                "print $V(\"ip_defttl\", 1)",
                "print &$V(\"ip_defttl\", \"web\")",
                "print $V(\"ifnet\").cstqh_first == $V(\"ifnet\", $vnet(0)).cstqh_first",
                "print $PCPU(\"cpuid\", 1)",
                "print $jail(\"web\")->pr_vnet == $vnet(1)",
            ],
        );
        if is_known {
            files.check_stack(between(&told, "stack", "stack2"), "100500");
            files.check_stack(between(&told, "stack2", "stack3"), "100502");
            files.check_stack(between(&told, "stack3", "end"), "100503");
        }
        assert_eq!(between(&told, "end", "vnets"), files.ask(&["vnets"]), "{about}: {told}");
        let place = files.ask_json(&["print", "--vnet", "1", "ip_defttl"]);
        let place = place["results"][0]["address"].as_str().unwrap();
        for expected in ["$1 = 64", place, "$3 = 1", "$4 = 1", "$5 = 1"] {
            assert!(told.contains(expected), "{about}: {expected}: {told}");
        }
    }
}

/// Where gdb has each variable, for two vnets: the address and the size.
#[test]
#[ignore = "needs gdb"]
fn every_variable_is_where_vnetkvm_finds_it() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    for vnet in ["0", "2"] {
        let ours = files.ask_json(&["vars", "--vnet", vnet]);
        let ours = ours["variables"].as_array().unwrap();
        let names: Vec<String> =
            ours.iter().map(|each| each["name"].as_str().unwrap().into()).collect();
        let spelled = |each: &Value| {
            let name = each["name"].as_str().unwrap();
            let several = names.iter().filter(|other| *other == name).count() > 1;
            match several {
                true => {
                    let [file, module] = ["file", "module"].map(|key| each[key].as_str().unwrap());
                    format!("{name}@{file}@{module}")
                }
                false => name.to_owned(),
            }
        };
        let commands: Vec<String> = ours
            .iter()
            .map(|each| {
                let value = format!("gdb.parse_and_eval('$V(\"{}\", {vnet})')", spelled(each));
                format!("python v = {value}; print('%#x,%d' % (int(v.address), v.type.sizeof))")
            })
            .collect();
        let told = files.gdb(
            "gdb",
            &[&["echo begin\\n".to_owned()][..], &commands, &["echo end\\n".into()]].concat(),
        );
        let told: Vec<&str> = between(&told, "begin", "end").lines().collect();
        assert_eq!(told.len(), ours.len(), "{told:?}");
        for (told, ours) in told.iter().zip(ours) {
            let (address, size) = told.split_once(',').unwrap();
            assert_eq!(address, ours["address"], "{ours}");
            // A symbol has room for a flexible array, its type has not.
            let exact = !ours["name"].as_str().unwrap().starts_with("feat_flexible");
            assert!(!exact || size == ours["size"].to_string(), "{told}: {ours}");
        }
        assert!(ours.len() > 500, "{}", ours.len());
    }
}
