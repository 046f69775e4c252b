//! What questions about all vnets cost when there are 10, 100, 1,000 and 10,000: wall time, the most
//! memory at any time, and how both grow.
//!
//! Each vnet has a jail, three interfaces (lo0, its end of an epair, and the other end in the
//! host), routes, a process and two sockets. The program runs as a cold process, its files are
//! in the page cache. Times are medians.
//!
//! The kernel is the checked-in one, or that which VNETKVM_BENCH_KERNEL names. The dumps are kept in
//! the directory that VNETKVM_BENCH_CACHE names, so that they are built once. Words after `--` choose
//! commands by their beginning. With VNETKVM_BENCH_BEFORE, another build of the program runs in
//! turn with this one. `docs/performance.md` keeps the numbers.

mod files;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const COUNTS: [usize; 4] = [10, 100, 1000, 10_000];

/// How often each is run: more often what is short.
const RUNS: [usize; 4] = [21, 21, 11, 5];

const COMMANDS: [&str; 24] = [
    "vnets",
    "vars --all-vnets ip_defttl",
    "vars --vnet 1 ip_defttl",
    "vars --jail j9 ip_defttl",
    "print --all-vnets V_ip_defttl",
    "interfaces --all-vnets",
    "jails",
    "threads",
    "sockets --all-vnets",
    "routes --all-vnets",
    "neighbors --all-vnets",
    "counters --all-vnets ipstat",
    "sysctl --all-vnets net.inet.ip.ttl",
    "diff --all-vnets",
    "topology",
    "topology --json",
    "locks",
    "modspace",
    "check",
    "whatis 0xffffffff80000000",
    "report --html -o /dev/null",
    "vars --all-vnets --format table",
    "vars --all-vnets --json",
    "vars --all-vnets --format jsonl",
];

/// These write a gigabyte for a thousand vnets of a real kernel.
const ALL_VARIABLES: &str = "vars --all-vnets --";

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let is_bench = env::args().any(|word| word == "--bench");
    let counts = if is_bench { &COUNTS[..] } else { &[3] };
    let wanted: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_wanted = |line: &&str| {
        wanted.is_empty() || wanted.iter().any(|start| line.starts_with(start.as_str()))
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cores: Vec<_> = counts
        .iter()
        .map(|count| {
            files::kept(
                &format!("vnets-{count}"),
                &files::vnets::scenario(*count),
                directory.path(),
            )
        })
        .collect();
    let programs: Vec<OsString> =
        env::var_os("VNETKVM_BENCH_BEFORE").into_iter().chain([PROGRAM.into()]).collect();
    println!(
        "vnets: {counts:?}; ms, slope from the last but one to the last, MB of RssAnon, of RSS"
    );
    for line in COMMANDS.iter().filter(|line| is_wanted(line)) {
        let counts = match line.starts_with(ALL_VARIABLES) {
            true => &counts[..counts.len().min(3)],
            false => counts,
        };
        let mut costs = vec![Vec::new(); programs.len()];
        for (place, core) in cores.iter().take(counts.len()).enumerate() {
            let runs = if is_bench { RUNS[place] } else { 1 };
            let found = in_turn(&programs, core, line, runs);
            costs.iter_mut().zip(found).for_each(|(costs, found)| costs.push(found));
        }
        for (program, costs) in programs.iter().zip(&costs) {
            let which = if *program == *PROGRAM { "" } else { " (before)" };
            println!("{line:<34}{which} {}", in_words(counts, costs));
        }
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_vnetkvm");

/// What a command takes.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    time: Duration,
    /// Bytes of output.
    bytes: u64,
    peak: Peak,
}

/// The most memory at any time, in KB.
#[derive(Debug, Clone, Copy, Default)]
struct Peak {
    /// What is no file's: RssAnon.
    anonymous: u64,
    /// All that is resident, mapped files counted: VmHWM.
    resident: u64,
}

/// The medians of several runs of each program, one after the other.
fn in_turn(programs: &[OsString], core: &Path, line: &str, runs: usize) -> Vec<Cost> {
    let mut all = vec![Vec::new(); programs.len()];
    for _ in 0..=runs {
        let found = programs.iter().map(|program| run(program, core, line));
        all.iter_mut().zip(found).for_each(|(all, found)| all.push(found));
    }
    // The first run brings the files into the page cache.
    let median = |mut costs: Vec<Cost>| {
        costs.remove(0);
        costs.sort_by_key(|cost| cost.time);
        costs[costs.len() / 2]
    };
    all.into_iter().map(median).collect()
}

fn in_words(counts: &[usize], costs: &[Cost]) -> String {
    let each = |of: &dyn Fn(&Cost) -> f64| {
        costs.iter().map(|cost| format!("{:>8.1}", of(cost))).collect::<String>()
    };
    let slope = match (counts, costs) {
        ([.., fewer, more], [.., little, much]) => {
            let times = much.time.as_secs_f64() / little.time.as_secs_f64();
            times.ln() / (*more as f64 / *fewer as f64).ln()
        }
        _ => f64::NAN,
    };
    let bytes = costs.last().map_or(0, |cost| cost.bytes) as f64 / 1e6;
    format!(
        "{}  {slope:>5.2}  {}  {}  output {bytes:.1} MB",
        each(&|cost| cost.time.as_secs_f64() * 1e3),
        each(&|cost| cost.peak.anonymous as f64 / 1e3),
        each(&|cost| cost.peak.resident as f64 / 1e3),
    )
}

fn run(program: &OsString, core: &Path, line: &str) -> Cost {
    let start = Instant::now();
    let mut child = Command::new(program)
        .arg("-N")
        .arg(files::kernel_path())
        .arg("-M")
        .arg(core)
        .args(line.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let done = AtomicBool::new(false);
    let (bytes, peak) = thread::scope(|scope| {
        let (pid, done) = (child.id(), &done);
        let peak = scope.spawn(move || peak_of(pid, done));
        let bytes = drain(&mut child);
        done.store(true, Ordering::Relaxed);
        (bytes, peak.join().expect("the watcher ends"))
    });
    let time = start.elapsed();
    // 1: something was found to differ, or nothing matched.
    let status = child.wait().expect("the program ends").code();
    assert!(matches!(status, Some(0 | 1)), "{line}: {status:?}");
    Cost { time, bytes, peak }
}

fn drain(child: &mut Child) -> u64 {
    let mut out = child.stdout.take().expect("a pipe");
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match out.read(&mut buffer) {
            Ok(0) => return bytes,
            Ok(len) => bytes += len as u64,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => panic!("the pipe breaks: {why}"),
        }
    }
}

/// The most memory of a process, looked at every other millisecond.
fn peak_of(pid: u32, done: &AtomicBool) -> Peak {
    let mut peak = Peak::default();
    while !done.load(Ordering::Relaxed) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let of = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
        };
        peak.anonymous = peak.anonymous.max(of("RssAnon:"));
        peak.resident = peak.resident.max(of("VmHWM:"));
        thread::sleep(Duration::from_millis(2));
    }
    peak
}
