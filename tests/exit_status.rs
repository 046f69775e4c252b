//! One rule for all commands: 0 something was answered; 1 nothing matched; 2 wrong usage or
//! failure. Of `check` and `diff`, 1 is something found, and 2 also that nothing matched. With 1 standard output is empty or a valid empty answer, with 2 it is empty, and
//! standard error says why, in every format.

#![cfg(feature = "cli")]

use std::process::Command;

use vnetkvm::image::{Format, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const FORMATS: [&str; 5] = ["table", "plain", "json", "jsonl", "{}"];

/// A command line for the demonstration, and its exit status.
const RULES: [(&str, i32); 168] = [
    ("info", 0),
    ("info --dmesg", 0),
    ("info --vnet 1", 2),
    ("vnets", 0),
    ("vnets --scan", 0),
    ("vnets --all", 2),
    ("vnets --watch 0.1 --count 1", 0),
    ("vnets --watch 0", 2),
    ("vnets --count 1", 2),
    ("vars no_such --watch 0.1", 1),
    ("vars --vnet 1 ip_defttl", 0),
    ("vars ip_defttl no_such", 0),
    ("vars no_such", 1),
    ("vars no_such 'also*'", 1),
    ("vars --vnet 9", 1),
    ("vars --vnet 0x10", 1),
    ("vars --jail no_such ip_defttl", 1),
    ("vars --pid 99999", 1),
    ("vars --tid 99999", 1),
    ("vars '[a'", 2),
    ("vars --pivot ip_defttl", 0),
    ("vars --pivot no_such", 1),
    ("vars --pivot --vnet 1 ip_defttl", 2),
    ("print --pivot ip_defttl", 0),
    ("print --follow '(struct mbuf *)0'", 1),
    ("print --follow ip_defttl", 2),
    ("print --follow --pivot ip_defttl", 2),
    ("diff udp_cksum", 0),
    ("diff --all-vnets udp_cksum", 0),
    ("diff no_such", 2),
    ("diff --vnet 9", 2),
    ("diff --jail no_such", 2),
    ("diff --vnet 1 --vnet 9", 2),
    ("diff --vnet 1 --vnet 1", 0),
    ("diff --vnet 1 --vnet 1 --vnet 1", 2),
    ("diff --vnet 1 --vnet 2 --against /nowhere", 2),
    ("diff --against /nowhere", 2),
    ("diff --against-kernel /nowhere", 2),
    ("vars --vnet 1 --vnet 2", 2),
    ("modules", 0),
    ("modules x", 2),
    ("modspace", 0),
    ("modspace x", 2),
    ("modspace --pcpu", 2),
    ("pcpu", 2),
    ("pcpu --vnet 1", 2),
    ("pcpu --cpu 0 --all-cpus", 2),
    ("pcpu --cpu x", 2),
    ("lldb --kernel-copy /nowhere/kernel", 2),
    ("print ip_defttl", 0),
    ("print /x ip_defttl", 0),
    ("print /q ip_defttl", 2),
    ("print /x", 2),
    ("print 'cpu(1).pc_cpuid'", 0),
    ("print 'cpu(9)'", 1),
    ("print --cpu 9 ip_defttl", 1),
    ("print 'DPCPU(nws)'", 2),
    ("print no_such ip_defttl", 0),
    ("print ip_defttl '1 +'", 0),
    ("print '*(int *)8'", 0),
    ("print no_such", 1),
    ("print no_such also_not", 1),
    ("print '(struct no_such *)0'", 1),
    ("print '1 +'", 2),
    ("print no_such '1 +'", 2),
    ("print '1 +' no_such", 2),
    ("print 'ip_defttl[1]'", 2),
    ("type vnet", 0),
    ("type vnet no_such", 0),
    ("type no_such", 1),
    ("type no_such also_not", 1),
    ("read ip_defttl 4", 2),
    ("read '&ip_defttl' 4", 0),
    ("read 0xffff 4", 0),
    ("read '&no_such' 4", 1),
    ("read '&ip_defttl' 0", 1),
    ("read '&ip_defttl' x", 2),
    ("whatis 0xfffff80000621040", 0),
    ("whatis '&V_tcbinfo' 0x10 no_such", 0),
    ("whatis no_such", 1),
    ("whatis --vnet 9 '&V_tcbinfo'", 1),
    ("whatis 5g", 2),
    ("whatis", 2),
    ("whatis --annotate 0x10", 2),
    ("counters ipstat", 0),
    ("counters no_such", 1),
    ("counters ip_defttl", 1),
    ("counters ipstat no_such ip_defttl", 0),
    ("counters --type ipstat=no_such ipstat", 1),
    ("sysctl net.inet.ip.ttl", 0),
    ("sysctl net.inet.ip.ttl no.such", 0),
    ("sysctl no.such", 1),
    ("sysctl 'no.such.*'", 1),
    ("sysctl", 2),
    ("sysinit", 0),
    ("sysinit --vnet 9", 1),
    ("sockets", 0),
    ("sockets --vnet 1 --protocol udp", 1),
    ("sockets --protocol smtp", 2),
    ("sockets x", 2),
    ("bt", 0),
    ("bt --tid 5", 1),
    ("interfaces", 0),
    ("interfaces no_such", 1),
    ("topology", 0),
    ("topology x", 2),
    ("jails", 0),
    ("jails --jail no_such", 1),
    ("jails --vnet 9", 1),
    ("jails x", 2),
    ("threads", 0),
    ("threads --all", 0),
    ("threads --tid 1", 1),
    ("threads --pid x", 2),
    ("locks", 0),
    ("locks x", 2),
    ("eventhandlers", 1),
    ("eventhandlers no_such", 1),
    ("recursions", 2),
    ("routes", 0),
    ("routes --jail db01 --fib 3", 1),
    ("routes --fib x", 2),
    ("neighbors --jail web01", 0),
    ("neighbors --jail db01 -6", 1),
    ("neighbors -4 -6", 2),
    ("check", 0),
    ("check vnet-magic --jail web01", 0),
    ("check no-such", 2),
    ("check 'vnet-l*' '{jail,thread}-*'", 0),
    ("check 'no-such-*'", 2),
    ("check '[a'", 2),
    ("check --vnet 9", 2),
    ("check --jail no_such", 2),
    ("check --vnet 1 vnet-zero", 2),
    ("check --vnet 1 vnet-zero vnet-magic", 0),
    ("check --list", 0),
    ("check --list 'vnet-*'", 0),
    ("check --list no-such", 2),
    ("report", 0),
    ("report --format markdown", 0),
    ("report --format json", 2),
    ("report --jail web01", 2),
    ("report -o /no/such/directory/report.html", 2),
    ("convert", 2),
    ("convert --to full", 2),
    ("convert --to elf -o /no/such/directory/vmcore", 2),
    ("convert --to nothing -o /no/such/directory/vmcore", 2),
    ("convert --to full -o /no/such/directory/vmcore", 2),
    ("convert --to full --redact -o /no/such/directory/vmcore", 2),
    ("convert --to raw --only-mapped -o /no/such/directory/vmcore", 2),
    ("gdb ip_defttl", 0),
    ("gdb no_such", 1),
    ("gdb --all-vnets", 2),
    ("shell --no-such", 2),
    ("shell --all-vnets", 2),
    ("shell --json", 2),
    ("shell --vnet 9", 1),
    ("gdb-server --no-such", 2),
    ("gdb-server --listen nowhere", 2),
    ("gdb-server --listen 127.0.0.1:0 --stdio", 2),
    ("gdb-server --vnet 1", 2),
    ("triage /nowhere", 0),
    ("triage --group /nowhere", 0),
    ("triage --strict /nowhere", 2),
    ("triage --crash-dir /nowhere", 2),
    ("triage --vnet 1 /nowhere", 2),
    ("triage --jobs 0 /nowhere", 2),
    ("no-such-command", 2),
];

struct Said {
    status: i32,
    out: String,
    err: String,
}

fn run(words: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm")).args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    Said { status, out: text(output.stdout), err: text(output.stderr) }
}

/// Is there nothing in this answer?
fn is_empty(out: &str, format: &str) -> bool {
    if out.is_empty() || format != "json" {
        // A table may have its titles.
        return out.lines().count() <= usize::from(format == "table");
    }
    let answer: serde_json::Value = serde_json::from_str(out).unwrap();
    let parts = answer.as_object().unwrap().values();
    parts.filter(|part| part.is_array()).all(|part| part.as_array().unwrap().is_empty())
}

fn check(files: &[&str], line: &str, status: i32) {
    // An answer that is none looks different in each.
    for format in if status == 1 { &FORMATS[..] } else { &FORMATS[..1] } {
        // The scripts have one form, reports have forms of their own, and each line of a shell
        // chooses.
        let own_forms = ["gdb", "lldb", "report", "shell"];
        let has_forms = !own_forms.iter().any(|own| line.starts_with(own));
        let form = ["--format", *format].into_iter().filter(|_| has_forms);
        // It has no dump of its own.
        let files = files.iter().copied().filter(|_| !line.starts_with("triage"));
        let words = files.chain(form);
        let line_words = shlex::split(line).unwrap();
        let words: Vec<&str> = words.chain(line_words.iter().map(String::as_str)).collect();
        let Said { status: actual, out, err } = run(&words);
        assert_eq!(actual, status, "{line} as {format}: {err}");
        match status {
            0 => assert!(!out.is_empty(), "{line} as {format} answers nothing: {err}"),
            1 => assert!(is_empty(&out, format), "{line} as {format}: {out}"),
            _ => assert_eq!(out, "", "{line} as {format}"),
        }
        // Which vnet was taken is no reason.
        let mut reasons = err.lines().filter(|line| !line.starts_with("note: vnet "));
        assert!(status == 0 || reasons.next().is_some(), "{line} as {format} does not say why");
    }
}

#[test]
fn every_command_ends_by_the_same_rule() {
    for (line, status) in RULES {
        check(&["--demo"], line, status);
    }
    let help = run(&["help"]).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in listed.take_while(|line| !line.is_empty()) {
        let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else {
            continue;
        };
        let name = name.split(' ').next().unwrap();
        let tried = RULES.iter().any(|(line, _)| line.split(' ').next() == Some(name));
        // They ask nothing of a dump, or are not always there.
        let no_question = ["image", "completions", "man", "help", "export"];
        assert!(tried || no_question.contains(&name), "{name} is not tried");
    }
}

/// A debugger that leaves at once is served, one that cannot connect is not.
#[cfg(feature = "gdb-server")]
#[test]
fn a_server_for_debuggers_ends_by_the_same_rule() {
    // The standard input of `output` is empty.
    let Said { status, out, err } = run(&["--demo", "gdb-server", "--stdio"]);
    assert_eq!((status, &*out, &*err), (0, "", ""));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let Said { status, out, err } = run(&["--demo", "gdb-server", "--listen", &address]);
    assert_eq!((status, &*out), (2, ""), "{err}");
    assert!(err.contains(&format!("error: cannot listen at {address}")), "{err}");
    assert!(err.contains("hint: choose another port"), "{err}");
}

/// What a command looks for has status 1, and is written.
#[test]
fn what_is_found_is_written() {
    for line in ["diff --vnet 1 ip_defttl", "diff --all-vnets ip_defttl", "diff --vnet 1 --vnet 2"]
    {
        for format in FORMATS {
            let words = format!("--demo --format {format} {line}");
            let Said { status, out, err } = run(&words.split(' ').collect::<Vec<_>>());
            assert_eq!(status, 1, "{words}: {err}");
            assert!(out.contains("ip_defttl") && !err.contains("error"), "{words}: {out}{err}");
        }
    }
}

/// A kernel that records recursions and has none, and one without network stacks.
#[test]
fn lists_without_elements_say_so() {
    let dir = tempfile::tempdir().unwrap();
    for (kernel, line, status) in [
        ("small-vnet-debug-dwarf4", "recursions", 1),
        ("plain-clang-dwarf4", "vnets", 2),
        ("newer-clang-dwarf4", "eventhandlers", 1),
        ("plain-clang-dwarf4", "print no_such", 1),
        ("plain-clang-dwarf4", "vars no_such", 1),
        ("plain-clang-dwarf4", "check", 0),
        ("plain-clang-dwarf4", "check 'vnet-*'", 2),
    ] {
        let path = format!("{}/fixtures/kernel/{kernel}", env!("CARGO_MANIFEST_DIR"));
        let opened = Kernel::open(Source::open(&path).unwrap(), None).unwrap();
        let image = build(&Scenario::parse("").unwrap(), opened).unwrap();
        let core = image.save(Format::MinidumpV2, dir.path()).unwrap();
        check(&["-N", &path, "-M", core.to_str().unwrap()], line, status);
    }
}

/// Of an address of which nothing is known, the answer has the mapping.
#[test]
fn addresses_that_nothing_is_known_about_have_their_lines() {
    let said = run(&["--demo", "whatis", "0x10", "no_such", "--format", "plain"]);
    let lines = "0x10\tunknown\tnothing known: not a kernel address\n\
                 no_such\terror\tno_such is neither a virtualized variable nor a global of this \
                 kernel\n";
    assert_eq!((said.status, &*said.out), (1, lines));
    assert!(said.err.contains("nothing is known about any of the addresses"), "{}", said.err);
}

#[test]
fn an_expression_that_failed_has_its_element() {
    let said = run(&["--demo", "print", "--vnet", "1", "--json", "no_such", "ip_defttl", "1 +"]);
    assert_eq!(said.status, 0);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let results = answer["results"].as_array().unwrap();
    let expressions: Vec<&str> =
        results.iter().map(|result| result["expression"].as_str().unwrap()).collect();
    assert_eq!(expressions, ["no_such", "ip_defttl", "1 +"]);
    let error = &results[0]["value"]["error"];
    assert_eq!(error["kind"], "no-such-name");
    assert!(error["message"].as_str().unwrap().contains("no_such is neither"), "{error}");
    assert_eq!((&results[0]["type"], &results[0]["address"]), (&().into(), &().into()));
    assert_eq!(results[1]["value"], 42);
    assert_eq!(results[2]["value"]["error"]["kind"], "bad-expression");
    for warned in ["no_such", "1 +"] {
        assert!(said.err.contains(&format!("warning: cannot evaluate {warned}")), "{}", said.err);
    }

    let lines =
        run(&["--demo", "print", "--format", "jsonl", "--all-vnets", "no_such", "ip_defttl"]);
    assert_eq!(lines.out.lines().filter(|line| line.contains("no-such-name")).count(), 3);
    let strict = run(&["--demo", "print", "--strict", "no_such", "ip_defttl"]);
    assert_eq!((strict.status, strict.out.as_str()), (2, ""), "{}", strict.err);
}

/// A full disk takes neither an answer nor a help text.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_an_error() {
    for line in [
        "--version",
        "--help",
        "vars --help",
        "--demo vnets",
        "--demo vars",
        "--demo read --raw 0xffffffff80200000 4096",
        "completions zsh",
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
        let output = command.args(line.split(' ')).stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {err}");
        let said = err.lines().skip_while(|line| line.starts_with("note: vnet "));
        let said = said.take(2).collect::<Vec<_>>();
        assert!(said[0].ends_with("error: cannot write to standard output"), "{line}: {err}");
        assert!(said[1].contains("No space left"), "{line}: {err}");
    }
}

/// A kernel with DPCPU variables.
#[test]
fn variables_of_cpus_are_answers_like_others() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = Scenario::open("fixtures/scenarios/pcpu.toml").unwrap();
    let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    image.save_kernel(dir.path()).unwrap();
    let core = image.save(Format::MinidumpV2, dir.path()).unwrap();
    let kernel = dir.path().join("kernel");
    for (line, status) in [
        ("pcpu", 0),
        ("pcpu --all-cpus", 0),
        ("pcpu nws no_such", 0),
        ("pcpu no_such", 1),
        ("pcpu --cpu 2", 1),
        ("pcpu --cpu 3 --cpu 2", 1),
        ("pcpu '[a'", 2),
        ("print 'DPCPU(nws)'", 0),
        ("print 'DPCPU(nws, 2)'", 1),
        ("print 'DPCPU(no_such)'", 1),
        ("print 'DPCPU(feat_percpu_twice)'", 2),
        ("modspace --pcpu", 0),
    ] {
        check(&["-N", kernel.to_str().unwrap(), "-M", core.to_str().unwrap()], line, status);
    }
}
