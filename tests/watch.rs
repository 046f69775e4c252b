//! `--watch` in a pipe: answers follow each other, with marks at what changed in memory meanwhile.

#![cfg(feature = "cli")]

mod watched;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;
use watched::{Machine, PATIENCE, VNETKVM, end_of, interrupt};

/// A program whose output is read line by line while it watches.
struct Watching {
    child: Child,
    lines: Receiver<String>,
    messages: Receiver<String>,
}

impl Watching {
    fn start(machine: &Machine, arguments: &str) -> Self {
        let mut child = Command::new(VNETKVM)
            .args(machine.files())
            .args(["--watch", "0.1"])
            .args(shlex::split(arguments).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines(child.stdout.take().unwrap());
        let messages = lines_of_messages(&mut child);
        Self { child, lines, messages }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the program says no more")
    }

    /// The lines of the next answer. An empty line separates it from the one after.
    fn answer(&self) -> Vec<String> {
        std::iter::from_fn(|| Some(self.line()).filter(|line| !line.is_empty())).collect()
    }

    /// The lines of the next answer after the first, without its time.
    fn next_answer(&self) -> Vec<String> {
        let mut answer = self.answer();
        assert!(is_time(&answer.remove(0)));
        answer
    }

    /// The first answer with marks.
    fn answer_with_marks(&self) -> Vec<String> {
        loop {
            let answer = self.next_answer();
            if answer.iter().any(|line| !line.starts_with("  ")) {
                return answer;
            }
        }
    }

    fn end(mut self) -> ExitStatus {
        interrupt(&self.child);
        end_of(&mut self.child)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(out: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn lines_of_messages(child: &mut Child) -> Receiver<String> {
    lines(child.stderr.take().unwrap())
}

/// Is it `2026-11-26 20:43:20`?
fn is_time(line: &str) -> bool {
    let shape: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00 00:00:00"
}

fn vnetkvm(arguments: &str) -> Output {
    Command::new(VNETKVM).args(shlex::split(arguments).unwrap()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_value_that_memory_changes_is_the_only_row_with_a_mark() {
    let machine = Machine::new();
    let watching =
        Watching::start(&machine, "--jail web01 sysctl net.inet.ip.ttl net.inet.ip.forwarding");
    assert_eq!(watching.answer(), ["net.inet.ip.ttl: 64", "net.inet.ip.forwarding: 0"]);
    machine.set_ttl(65);
    let changed = watching.answer_with_marks();
    assert_eq!(changed, ["* net.inet.ip.ttl: 65", "  net.inet.ip.forwarding: 0"]);
    let same = watching.next_answer();
    assert_eq!(same, ["  net.inet.ip.ttl: 65", "  net.inet.ip.forwarding: 0"]);
    machine.set_ttl(1);
    assert_eq!(watching.answer_with_marks()[0], "* net.inet.ip.ttl: 1");
    assert_eq!(watching.end().code(), Some(0), "Ctrl-C ends it as it should end");
}

#[test]
fn a_row_that_comes_or_goes_marks_no_other() {
    let machine = Machine::new();
    let watching = Watching::start(&machine, "jails");
    let first = watching.answer();
    assert!(first[0].starts_with("JID") && first[2].contains(" web01 "), "{first:?}");
    let marks = |answer: &[String]| -> Vec<String> {
        answer
            .iter()
            .map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
            .collect()
    };
    machine.replace(1);
    let more = watching.answer_with_marks();
    assert!(more[2].starts_with("  ") || more[2].starts_with("* "));
    assert_eq!(marks(&more)[3..], ["+ 3 web01.php", "2 db01 alive"], "{more:#?}");
    machine.replace(0);
    let less = watching.answer_with_marks();
    assert_eq!(marks(&less)[3..], ["- 3 web01.php", "2 db01 alive"], "{less:#?}");
    let same = watching.next_answer();
    assert!(same.iter().all(|line| line.starts_with("  ")), "{same:#?}");
}

#[test]
fn a_file_that_is_too_short_for_a_moment_has_no_answer_then() {
    let machine = Machine::new();
    let watching = Watching::start(&machine, "--jail web01 sysctl net.inet.ip.ttl");
    assert_eq!(watching.answer(), ["net.inet.ip.ttl: 64"]);
    machine.cut(4096);
    loop {
        let told = watching.messages.recv_timeout(PATIENCE).unwrap();
        if told.starts_with("error: ") {
            assert!(told.contains("memory"), "{told}");
            break;
        }
    }
    loop {
        let answer = watching.answer();
        if let Some(time) = answer[0].strip_suffix(": no answer") {
            assert!(is_time(time) && answer.len() == 1, "{answer:?}");
            break;
        }
        assert_eq!(answer[1..], ["  net.inet.ip.ttl: 64"], "it was read before");
    }
    machine.restore();
    let back = loop {
        let answer = watching.answer();
        if is_time(&answer[0]) {
            break answer;
        }
    };
    assert_eq!(back[1..], ["  net.inet.ip.ttl: 64"], "it is compared with the last answer");
    machine.set_ttl(66);
    assert_eq!(watching.answer_with_marks(), ["* net.inet.ip.ttl: 66"]);
}

#[test]
fn each_json_answer_is_a_document_with_its_time() {
    let output = vnetkvm("--demo --watch 0.1 --count 3 --json vnets");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let documents: Vec<Value> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    let times: Vec<_> =
        documents.iter().map(|document| document["time"].as_str().unwrap()).collect();
    assert_eq!(times.len(), 3);
    assert!(times.is_sorted() && times.iter().all(|time| time.ends_with('Z')), "{times:?}");
    assert!(documents.iter().all(|document| document["vnets"].as_array().unwrap().len() == 3));
    let once: Value = serde_json::from_slice(&vnetkvm("--demo --json vnets").stdout).unwrap();
    assert!(once.get("time").is_none(), "an answer alone has no time");
}

#[test]
fn rows_for_scripts_have_no_marks() {
    let once = vnetkvm("--demo --format plain vnets");
    let twice = vnetkvm("--demo --format plain vnets --watch 0.1 --count 2");
    let once = text(&once.stdout);
    assert_eq!(text(&twice.stdout), format!("{once}\n{once}"));

    let once = vnetkvm("--demo --format jsonl vnets");
    let twice = vnetkvm("--demo --format jsonl vnets --watch 0.1 --count 2");
    let (times, rest): (Vec<&str>, Vec<&str>) =
        text(&twice.stdout).lines().partition(|line| line.starts_with("{\"time\":\""));
    let once: Vec<&str> = text(&once.stdout).lines().collect();
    assert_eq!((times.len(), rest), (2, [&once[..], &once[..]].concat()));
    assert!(text(&twice.stdout).starts_with(times[0]), "the time comes first");
}

#[test]
fn the_first_failure_is_the_last() {
    for (arguments, status) in [
        ("-M /nowhere vnets", 2),
        ("--demo vars no_such", 1),
        ("--demo --jail no_such jails", 1),
        ("--demo diff no_such", 2),
    ] {
        let once = vnetkvm(arguments);
        let watched = vnetkvm(&format!("{arguments} --watch 0.1"));
        assert_eq!(watched.status.code(), Some(status), "{arguments}");
        assert_eq!(watched.status, once.status, "{arguments}");
        assert_eq!(text(&watched.stderr), text(&once.stderr), "{arguments}");
        assert!(watched.stdout.is_empty(), "{arguments}");
    }
}

#[test]
fn the_status_is_that_of_the_last_answer() {
    for (arguments, status) in [("vnets", 0), ("diff --jail web01 ip_defttl", 1)] {
        let output = vnetkvm(&format!("--demo --watch 0.1 --count 2 {arguments}"));
        assert_eq!(output.status.code(), Some(status), "{arguments}");
        assert!(text(&output.stdout).lines().any(is_time), "{arguments}");
    }
}

#[test]
fn what_cannot_be_watched_is_refused() {
    for (arguments, why) in [
        ("--watch 0 vnets", "the shortest time is 0.1 seconds"),
        ("--watch=-1 vnets", "the shortest time is 0.1 seconds"),
        ("--watch soon vnets", "not a number of seconds"),
        ("--watch -1 vnets", "the shortest time is 0.1 seconds"),
        ("--watch NaN vnets", "not a number of seconds such as 2 or 0.5"),
        ("--watch 1 --count 0 vnets", "there is at least one answer"),
        ("--watch 1 --count -1 vnets", "not a number of answers such as 10"),
        ("--watch 1 --count abc vnets", "not a number of answers such as 10"),
        ("--count 1 vnets", "--count has no effect without --watch"),
        ("--watch 1 type vnet", "--watch does not apply to type"),
        ("--watch 1 gdb", "--watch does not apply to gdb"),
        ("--watch 1 report", "--watch does not apply to report"),
        ("--watch 1 completions zsh", "--watch does not apply to completions"),
        ("--watch 1 read --raw 0xfffff80000621000 64", "--watch conflicts with --raw"),
        ("--watch 1 whatis --annotate", "--watch conflicts with --annotate"),
        ("--watch 1 whatis -", "--watch conflicts with addresses from standard input"),
        ("--watch 1 topology --as svg", "--watch conflicts with --as dot and --as svg"),
        ("--watch 1 check --list", "--watch conflicts with --list"),
    ] {
        let demo = if arguments.contains("completions") { "" } else { "--demo " };
        let output = vnetkvm(&format!("{demo}{arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(text(&output.stderr).contains(why), "{arguments}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{arguments}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let machine = Machine::new();
    let mut child = Command::new(VNETKVM)
        .args(machine.files())
        .args(["--watch", "0.1", "vnets"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    assert_eq!(end_of(&mut child).code(), Some(0));
    let mut messages = String::new();
    child.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    assert_eq!(messages, "");
}

/// Whatever was mapped for an answer is given back before the next.
#[cfg(target_os = "linux")]
#[test]
fn files_of_an_answer_are_closed_before_the_next() {
    let machine = Machine::new();
    let watching = Watching::start(&machine, "vnets");
    watching.answer();
    for _ in 0..4 {
        watching.next_answer();
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", watching.child.id())).unwrap();
        let core = machine.path();
        let mapped = maps.lines().filter(|line| line.ends_with(core.to_str().unwrap())).count();
        assert!(mapped <= 1, "{maps}");
    }
}
