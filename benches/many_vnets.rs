//! What `vars --all-vnets` costs with 10, 100 and 1,000 vnets: the program's output a second, and
//! the most anonymous memory that it has at any time.
//!
//! The kernel is the checked-in one, or that which VNETKVM_BENCH_KERNEL names. The program runs on
//! one thread. `docs/performance.md` keeps the numbers.

mod files;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let is_bench = env::args().any(|word| word == "--bench");
    let counts: &[usize] = if is_bench { &[10, 100, 1000] } else { &[3] };
    println!(
        "{:>6} {:>6} {:>10} {:>8} {:>8} {:>12}",
        "vnets", "format", "MB", "s", "MB/s", "anon MB"
    );
    for count in counts {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let core = build(*count, directory.path());
        for format in ["table", "plain", "json", "jsonl"] {
            let run = run(&core, format);
            println!(
                "{count:>6} {format:>6} {:>10.1} {:>8.2} {:>8.0} {:>12.1}",
                run.bytes as f64 / 1e6,
                run.time.as_secs_f64(),
                run.bytes as f64 / 1e6 / run.time.as_secs_f64(),
                run.anonymous as f64 / 1e3,
            );
        }
    }
}

struct Run {
    bytes: u64,
    time: Duration,
    /// KB.
    anonymous: u64,
}

fn run(core: &Path, format: &str) -> Run {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .env("RAYON_NUM_THREADS", "1")
        .arg("-N")
        .arg(files::kernel_path())
        .arg("-M")
        .arg(core)
        .args(["vars", "--all-vnets", "--format", format])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let done = AtomicBool::new(false);
    let (bytes, anonymous) = thread::scope(|scope| {
        let (pid, done) = (child.id(), &done);
        let peak = scope.spawn(move || peak_anonymous(pid, done));
        let bytes = drain(&mut child);
        done.store(true, Ordering::Relaxed);
        (bytes, peak.join().expect("the watcher ends"))
    });
    let time = start.elapsed();
    assert!(child.wait().expect("the program ends").success());
    Run { bytes, time, anonymous }
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

/// The highest RssAnon of a process, in KB, looked at every other millisecond.
fn peak_anonymous(pid: u32, done: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !done.load(Ordering::Relaxed) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(size.unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
    peak
}

fn build(vnets: usize, directory: &Path) -> PathBuf {
    let mut scenario = format!("cpus = 2\nmemory = \"{}M\"\n", 256.max(vnets * 3));
    for number in 1..vnets {
        let _ = write!(scenario, "[[step]]\ndo = \"jail\"\nname = \"j{number}\"\njid = {number}\n");
    }
    files::build(&scenario, directory)
}
