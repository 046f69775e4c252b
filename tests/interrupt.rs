//! Ctrl-C outside the shell: the program ends by the signal and at once, after a whole line, and no
//! unfinished file stays behind.

#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

/// The longest that ending takes on a loaded machine; an idle one needs a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer takes minutes.
const LONG: [&str; 4] = ["--demo", "read", "0xfffff80000000000", "0x10000000"];

fn start(arguments: &[&str]) -> Child {
    let mut command = heeding();
    command.arg(VNETKVM).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Runs what follows as a program that ignores no signal, even if these tests do, as under nohup(1).
fn heeding() -> Command {
    let mut command = Command::new("env");
    if cfg!(target_os = "linux") {
        command.arg("--default-signal");
    }
    command
}

fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
}

/// Reads until there is something to stop.
fn begin(child: &mut Child) -> Vec<u8> {
    let mut read = vec![0; 200_000];
    child.stdout.as_mut().unwrap().read_exact(&mut read).unwrap();
    read
}

#[test]
fn an_answer_ends_with_a_whole_line() {
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let mut child = start(&LONG);
        let mut out = begin(&mut child);
        let asked = Instant::now();
        send(&child, signal);
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        let status = child.wait().unwrap();
        assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
        // A shell makes 128 + 2 of it.
        assert_eq!(status.signal(), Some(number));
        let last = out.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
        let last = String::from_utf8_lossy(last);
        assert!(last.starts_with("0xffff") && last.ends_with("|\n"), "{last:?}");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
    }
}

/// So does nohup(1), and a shell without job control for what it starts in the background.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_ignored_before_stays_ignored() {
    for (signal, other) in [("HUP", "INT"), ("INT", "HUP")] {
        let mut command = heeding();
        command
            .arg("/bin/sh")
            .arg("-c")
            .arg(format!("trap '' {signal}; exec \"$0\" \"$@\""))
            .arg(VNETKVM);
        command.args(LONG).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        begin(&mut child);
        send(&child, signal);
        // Several times what a pipe holds is written after it.
        begin(&mut child);
        begin(&mut child);
        assert_eq!(child.try_wait().unwrap(), None);
        send(&child, other);
        assert!(child.wait().unwrap().signal().is_some());
    }
}

/// Nothing is waited for that may never come.
#[test]
fn an_answer_ends_that_nobody_reads() {
    let mut child = start(&LONG);
    begin(&mut child);
    // Now the pipe is full.
    std::thread::sleep(Duration::from_millis(200));
    let asked = Instant::now();
    send(&child, "INT");
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
}

#[cfg(feature = "shell")]
#[test]
fn a_script_of_the_shell_ends_as_a_whole() {
    let mut child = Command::new(VNETKVM)
        .args(["--demo", "shell"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = format!("{}\n", LONG[1..].join(" "));
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), line.as_bytes()).unwrap();
    begin(&mut child);
    send(&child, "INT");
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert!(rest.ends_with(b"|\n"));
}

#[test]
fn no_unfinished_dump_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("new");
    let arguments = ["--demo", "convert", "--to", "full", "-o"];
    for attempt in 0..20 {
        let mut child = start(&[&arguments[..], &[new.to_str().unwrap()]].concat());
        // From when the file is begun until it is complete, it has another name.
        while files(dir.path()).is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        send(&child, "INT");
        if child.wait().unwrap().signal() == Some(2) && !new.exists() {
            assert_eq!(files(dir.path()), [""; 0]);
            return;
        }
        // It was complete before.
        assert_eq!(files(dir.path()), ["new"], "attempt {attempt}");
        fs::remove_file(&new).unwrap();
    }
    panic!("every dump was complete before it could be stopped");
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
