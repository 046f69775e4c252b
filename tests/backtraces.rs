//! Kernel stacks: source lines against llvm-addr2line, calls and arguments against gdb
//! (`fixtures/stacks`), the stacks of every architecture, and damaged ones.

#![cfg(feature = "image")]

mod tsv;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vnetkvm::answers::backtraces::{Frame, Stack, Which, backtraces};
use vnetkvm::image::{self, Format, Image, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::types::Types;
use vnetkvm::value::{Limits, Value};

/// Kernels with tables of lines: each compiler, version of DWARF, compression and architecture.
const WITH_LINES: [&str; 11] = [
    "classic-clang-dwarf2",
    "classic-clang-dwarf5",
    "classic-gcc-dwarf4",
    "small-zstd-dwarf5",
    "stable14-clang-dwarf4",
    "i386",
    "arm64",
    "armv7",
    "riscv64",
    "powerpc64",
    "powerpc64le",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn open_kernel(name: &str) -> Kernel {
    let source = Source::open(fixtures().join("kernel").join(name)).unwrap();
    Kernel::open(source, None).unwrap()
}

#[test]
fn functions_and_lines_are_what_addr2line_says() {
    for name in WITH_LINES {
        let kernel = open_kernel(name);
        let types = Types::load(&kernel).unwrap();
        let code = types.code().unwrap();
        let table = fixtures().join(format!("stacks/lines-{name}.tsv"));
        let (mut wrong, mut compared) = (Vec::new(), 0);
        for row in tsv::rows(&table) {
            let [address, frames] = row.fields();
            let at = u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap();
            let found = code.source(at).into_iter().map(|frame| {
                let (function, file) = (frame.function.unwrap(), frame.file.unwrap());
                format!("{function} {file}:{}", frame.line.unwrap_or(0))
            });
            let found = found.collect::<Vec<_>>().join("; ");
            if found != frames.replace(":?", ":0") {
                wrong.push(format!("{name} {address}: {found}, not {frames}"));
            }
            compared += 1;
        }
        assert!(compared > 150, "{name}: only {compared}");
        assert_eq!(wrong, [""; 0]);
    }
}

/// A scenario's image in memory, and what is read from it.
struct Dump {
    session: Session,
}

impl Dump {
    fn of(image: &Image, kernel: Source, format: Format) -> Self {
        let mut core = std::io::Cursor::new(Vec::new());
        image.write(format, &mut core).unwrap();
        let core = Source::from_vec("vmcore", core.into_inner());
        Self { session: Session::from_sources(kernel, core).unwrap() }
    }

    /// An image of these steps for a kernel.
    fn built(kernel: &str, steps: &str, format: Format) -> Self {
        let text = format!("memory = \"64M\"\ncpus = 4\n{steps}");
        let scenario = Scenario::parse(&text).unwrap();
        let image = image::build(&scenario, open_kernel(kernel));
        let image = image.unwrap_or_else(|why| panic!("{kernel}: {why:?}"));
        let source = Source::open(fixtures().join("kernel").join(kernel)).unwrap();
        Self::of(&image, source, format)
    }

    fn stacks(&self, which: &Which) -> Vec<Stack> {
        let stacks = backtraces(&self.session, which, true, &Limits::default()).unwrap();
        stacks.stacks.to_vec()
    }

    fn thread(&self, tid: i64) -> Stack {
        let mut found = self.stacks(&Which::Selected(Selector::Tid(tid)));
        assert_eq!(found.len(), 1, "{tid}");
        found.remove(0)
    }
}

#[test]
fn calls_and_arguments_are_what_gdb_says() {
    let scenario = Scenario::open(fixtures().join("scenarios/stacks.toml")).unwrap();
    let image = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let kernel = Source::open(fixtures().join("kernel/classic-clang-dwarf4")).unwrap();
    let dump = Dump::of(&image, kernel, Format::Virtual);
    let mut by_thread: BTreeMap<i64, Vec<[String; 8]>> = BTreeMap::new();
    for row in tsv::rows(&fixtures().join("stacks/stacks-amd64.tsv")) {
        let fields: [&str; 8] = row.fields();
        let tid = fields[0].parse().unwrap();
        by_thread.entry(tid).or_default().push(fields.map(str::to_owned));
    }
    assert!(by_thread.len() >= 8);
    let mut arguments_known = 0;
    for (tid, gdb) in by_thread {
        let stack = dump.thread(tid);
        // gdb looks the innermost address up exactly, although it is behind a call.
        let ours = stack.frames.iter().skip_while(|frame| frame.inlined).collect::<Vec<_>>();
        for (ours, gdb) in ours.iter().zip(&gdb) {
            let [_, number, address, function, inlined, file, line, arguments] = gdb;
            let about = format!("{tid} #{number}");
            assert_eq!(ours.address.to_string(), *address, "{about}");
            assert_eq!(ours.function.as_deref(), Some(function.as_str()), "{about}");
            assert_eq!(ours.inlined, inlined == "1", "{about}");
            if number != "0" {
                assert_eq!(ours.file.as_deref().unwrap_or_default(), file, "{about}");
                let line = line.parse().ok();
                assert_eq!(ours.line, line, "{about}");
            }
            let known: BTreeMap<&str, &str> =
                arguments.split_whitespace().filter_map(|one| one.split_once('=')).collect();
            for argument in &ours.arguments {
                let value = known.get(&*argument.name).copied();
                assert_eq!(value, Some(&*hex(&argument.value)), "{about} {}", argument.name);
            }
            arguments_known += ours.arguments.len();
        }
        assert!(ours.len() >= gdb.len(), "{tid}: gdb has {} frames", gdb.len());
    }
    assert!(arguments_known > 100, "only {arguments_known}");
}

fn hex(value: &Value) -> String {
    match value {
        Value::Int(number) => format!("{:#x}", *number as u32),
        Value::Pointer(pointer) => format!("{:#x}", pointer.address.get()),
        other => panic!("{other:?}"),
    }
}

/// A panic by a trap, a thread that sleeps in a system call, and one that was interrupted.
struct Machine {
    kernel: &'static str,
    /// From the innermost call to the entry point.
    panic: &'static str,
    /// The entry point of a system call, and what it calls.
    syscall: &'static str,
    /// What another processor runs while it is stopped, up to the entry point.
    stopped: &'static str,
}

const X86: &str = "doadump kern_reboot vpanic panic trap_fatal trap_pfault trap calltrap";
const ARM64: &str = "doadump kern_reboot vpanic panic data_abort do_el1h_sync handle_el1h_sync";
const RISCV: &str = "doadump kern_reboot vpanic panic page_fault_handler do_trap_supervisor \
                     cpu_exception_handler_supervisor";
const POWERPC: &str = "doadump kern_reboot vpanic panic trap_fatal trap_pfault trap \
                       powerpc_interrupt generictrap";

const MACHINES: [Machine; 11] = [
    x86("classic-clang-dwarf4", "amd64_syscall fast_syscall_common"),
    x86("classic-gcc-dwarf5", "amd64_syscall fast_syscall_common"),
    x86("newer-clang-dwarf4", "amd64_syscall fast_syscall_common"),
    x86("i386", "syscall Xint0x80_syscall"),
    x86("i386-newer", "syscall Xint0x80_syscall"),
    arm64("arm64"),
    arm64("arm64-newer"),
    Machine {
        kernel: "riscv64",
        panic: RISCV,
        syscall: "do_trap_user cpu_exception_handler_user",
        stopped: "ipi_stop cpu_exception_handler_supervisor",
    },
    powerpc("powerpc64"),
    powerpc("powerpc64le"),
    x86("stable14-clang-dwarf4", "amd64_syscall fast_syscall_common"),
];

const fn x86(kernel: &'static str, syscall: &'static str) -> Machine {
    Machine { kernel, panic: X86, syscall, stopped: "cpustop_handler Xcpustop" }
}

const fn arm64(kernel: &'static str) -> Machine {
    let (syscall, stopped) = ("do_el0_sync handle_el0_sync", "ipi_stop handle_el1h_irq");
    Machine { kernel, panic: ARM64, syscall, stopped }
}

const fn powerpc(kernel: &'static str) -> Machine {
    let syscall = "trap powerpc_interrupt generictrap";
    Machine { kernel, panic: POWERPC, syscall, stopped: "cpustop_handler generictrap" }
}

const SLEEP: &str = "sched_switch mi_switch sleepq_switch sleepq_timedwait _sleep";
const IOCTL: &str = "soo_ioctl kern_ioctl sys_ioctl";
const KTHREAD: &str = "ithread_loop fork_exit fork_trampoline";

impl Machine {
    fn dump(&self) -> Dump {
        let calls = |calls: &[&str]| {
            let all = calls.iter().flat_map(|calls| calls.split_whitespace());
            all.map(|call| format!("\"{call}\"")).collect::<Vec<_>>().join(", ")
        };
        let stack = |name: &str, tid: u64, options: &str, more: &str, all: &[&str]| {
            format!(
                "[[step]]\ndo = \"process\"\nname = \"{name}\"\ntid = {tid}\n{options}\n\
                 in_network_stack = true\n[[step]]\ndo = \"stack\"\nprocess = \"{name}\"\n\
                 syscall = 54\n{more}\ncalls = [{}]\n",
                calls(all)
            )
        };
        let steps = [
            "[[step]]\ndo = \"jail\"\nname = \"web\"\n".to_owned(),
            stack("dumps", 100_500, "dumping = true", "", &[self.panic, IOCTL, self.syscall]),
            stack(
                "sleeps",
                100_501,
                "jail = \"web\"",
                "",
                &[SLEEP, "ifioctl", IOCTL, self.syscall],
            ),
            stack(
                "stops",
                100_502,
                "",
                "cpu = 1",
                &[self.stopped, "kern_kevent sys_kevent", self.syscall],
            ),
            stack("kthread", 100_503, "", "", &[SLEEP, KTHREAD]),
        ];
        Dump::built(self.kernel, &steps.concat(), self.format())
    }

    fn format(&self) -> Format {
        match self.kernel {
            "classic-clang-dwarf4" | "classic-gcc-dwarf5" | "i386" => Format::MinidumpV2,
            _ => Format::Full,
        }
    }

    fn has_fork_trampoline(&self) -> bool {
        !self.kernel.starts_with("powerpc")
    }
}

fn called(stack: &Stack) -> Vec<&str> {
    let real = stack.frames.iter().filter(|frame| !frame.inlined);
    real.map(|frame| frame.function.as_deref().unwrap_or("?")).collect()
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().flat_map(|words| words.split_whitespace()).map(str::to_owned).collect()
}

/// Frames are found by the chain, except those that a trap interrupted.
fn check_kinds(stack: &Stack, about: &str) {
    for frame in &stack.frames {
        assert!(matches!(frame.kind, "chain" | "trap"), "{about}: {frame:?}");
        let assembly = frame.file.is_none();
        assert!(!assembly || frame.trap.is_some() || frame.function.is_some(), "{about}");
    }
}

#[test]
fn every_architectures_stacks_lead_through_traps_to_their_outermost_call() {
    for machine in &MACHINES {
        let (about, dump) = (machine.kernel, machine.dump());
        let stack = &dump.stacks(&Which::Dumping)[0];
        assert_eq!(called(stack), words(&[machine.panic, IOCTL, machine.syscall]), "{about}");
        assert_eq!(stack.end.kind, "user-space", "{about}: {:?}", stack.end);
        check_kinds(stack, about);
        let interrupted = |frame: &&Frame| frame.kind == "trap";
        let frame = stack.frames.iter().find(interrupted).unwrap();
        assert!(frame.registers.as_ref().is_some_and(|all| all.len() > 12), "{about}");

        let sleeps = dump.thread(100_501);
        assert_eq!(called(&sleeps), words(&[SLEEP, "ifioctl", IOCTL, machine.syscall]), "{about}");
        check_kinds(&sleeps, about);
        let last = sleeps.frames.last().unwrap().trap.as_ref().unwrap();
        assert_eq!((last.kind, last.number), ("syscall", Some(54)), "{about}");
        assert_eq!(last.syscall.as_deref(), Some("sys_ioctl"), "{about}");
        assert!(last.from_user && last.registers.is_some(), "{about}");
        // Registers that calls saved are restored: td, in each function that keeps it.
        let thread = sleeps.threads[0].address;
        let tds = sleeps.frames.iter().flat_map(|frame| &frame.arguments);
        let tds: Vec<_> = tds.filter(|argument| &*argument.name == "td").collect();
        assert!(tds.len() > 5, "{about}: {} arguments", tds.len());
        for td in tds {
            assert_eq!(td.value.as_address(), Some(thread), "{about}");
        }

        let stops = dump.thread(100_502);
        let expected = words(&[machine.stopped, "kern_kevent sys_kevent", machine.syscall]);
        assert_eq!(called(&stops), expected, "{about}");

        let kthread = dump.thread(100_503);
        let end = if machine.has_fork_trampoline() { "fork_trampoline" } else { "fork_exit" };
        assert!(called(&kthread).contains(&end), "{about}: {:?}", called(&kthread));
        assert_eq!(kthread.end.kind, "outermost", "{about}");
    }
}

/// soo_ioctl saves curvnet: frames within it work in the thread's, frames outside in that.
#[test]
fn frames_outside_of_curvnet_set_work_in_the_saved_vnet() {
    for machine in &MACHINES {
        let dump = machine.dump();
        let stack = dump.thread(100_501);
        let vnets = stack.frames.iter().map(|frame| {
            let vnet = frame.vnet.as_ref().unwrap().0.clone();
            (frame.function.as_deref().unwrap(), vnet.unwrap().map(|vnet| vnet.address))
        });
        let vnets: Vec<_> = vnets.collect();
        let inside = vnets.first().unwrap().1;
        assert!(inside.is_some(), "{}", machine.kernel);
        assert!(vnets.iter().all(|(_, vnet)| *vnet == inside), "{}", machine.kernel);
    }
    let steps = "[[step]]\ndo = \"jail\"\nname = \"a\"\n\
        [[step]]\ndo = \"process\"\nname = \"p\"\ntid = 100600\njail = \"a\"\nin_network_stack = true\n\
        [[step]]\ndo = \"stack\"\nprocess = \"p\"\n\
        calls = [\"sched_switch\", \"mi_switch\", \"soo_ioctl\", \"kern_ioctl\", \"sys_ioctl\"]\n\
        variables = { \"soo_ioctl.saved_vnet\" = 0 }\n";
    for kernel in ["classic-clang-dwarf4", "classic-gcc-dwarf4", "small-vnet-debug-dwarf4"] {
        let stack = Dump::built(kernel, steps, Format::MinidumpV2).thread(100_600);
        for frame in &stack.frames {
            let vnet = frame.vnet.as_ref().unwrap().0.clone().unwrap();
            let outside = matches!(
                frame.function.as_deref().unwrap().split("_one").next().unwrap(),
                "kern_ioctl" | "sys_ioctl"
            );
            assert_eq!(vnet.is_none(), outside, "{kernel}: {frame:?}");
        }
    }
}

/// The return address of panic's call is behind the end of the function that calls it.
#[test]
fn a_call_that_never_returns_belongs_to_its_caller() {
    let steps = "[[step]]\ndo = \"process\"\nname = \"p\"\ntid = 100600\ndumping = true\n\
        [[step]]\ndo = \"stack\"\nprocess = \"p\"\ncalls = [\"doadump\", \"kern_reboot\", \"vpanic\", \
        \"panic\", \"trap_fatal\", \"trap_pfault\"]\n";
    let dump = Dump::built("classic-clang-dwarf4", steps, Format::MinidumpV2);
    let stack = &dump.stacks(&Which::Dumping)[0];
    assert_eq!(called(stack)[3..6], ["panic", "trap_fatal", "trap_pfault"]);
}

#[test]
fn damaged_stacks_end_and_say_why() {
    let calls = "calls = [\"sched_switch\", \"mi_switch\", \"kern_kevent\", \"sys_kevent\", \"amd64_syscall\", \"fast_syscall_common\"]";
    for (fault, end) in
        [("circle", "does-not-rise"), ("outside", "leaves-stack"), ("missing", "unreadable")]
    {
        let steps = format!(
            "[[step]]\ndo = \"process\"\nname = \"p\"\ntid = 100600\n\
             [[step]]\ndo = \"stack\"\nprocess = \"p\"\nfault = \"{fault}\"\n{calls}\n"
        );
        let stack = Dump::built("classic-clang-dwarf4", &steps, Format::MinidumpV2).thread(100_600);
        assert_eq!(stack.end.kind, end, "{fault}: {:?}", stack.end);
        assert!(stack.end.address.is_some());
        assert_eq!(called(&stack)[..3], ["sched_switch", "mi_switch", "kern_kevent"], "{fault}");
    }
}
