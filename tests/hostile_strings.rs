//! Strings of a dump that would act on a terminal, in every place that can be set, through
//! every command and format: none of them arrives there as it is.

#![cfg(feature = "cli")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use vnetkvm::image::Scenario;

/// A new line, ESC [ 7 m, a tab, a byte of C1, a bell, an override of the direction of writing, and
/// what begins an element of HTML. Names of interfaces have no room for more.
const HOSTILE: &str = r"\n\u001b[7mX\t\u009b\u0007\u202e<";

/// Names of every kind, a stack that is being built and one that is being torn down.
const SCENARIO: &str = r#"
kernel = "@KERNEL@"
hostname = "h@"
cpus = 2
messages = ["m@"]
memory = "64M"
formats = ["minidump-v2"]
info = "v4"
panic = "p@"

[[step]]
do = "jail"
name = "w@"
jid = 1
values = { feat_sysctl_string = "s$" }

[[step]]
do = "jail"
name = "d@"
jid = 2

[[step]]
do = "interface"
name = "e@"
jail = "w@"
addresses = ["172.16.0.2/24"]

[[step]]
do = "process"
name = "b@"
pid = 700
tid = 100700

[[step]]
do = "jail"
name = "n@"
jid = 3
stop = "SI_SUB_PROTO_DOMAIN"
process = "b@"

[[step]]
do = "process"
name = "r@"
pid = 701
tid = 100701
dumping = true

[[step]]
do = "destroy"
jail = "d@"
stop = "vnet_loif_uninit"
process = "r@"

[[step]]
do = "process"
name = "c@"
pid = 702
tid = 100702
jail = "w@"
in_network_stack = true

[[step]]
do = "module"
file = "k@.ko"

[[step]]
do = "socket"
process = "c@"
kind = "tcp"
local = "172.16.0.2:22"

[[step]]
do = "event-handler"
event = "v@"
function = "tcp_init"
global = true

[[step]]
do = "sysctl"
name = "net.inet.ip.o@"
kind = "int"
variable = "ip_defttl"
description = "t@"

[[step]]
do = "lock"
lock = "vnet_sxlock"
owner = "c@"

[[step]]
do = "socket"
process = "c@"
kind = "local-stream"
path = "/var/run/s@"
"#;

/// What each command needs to answer about these names; the others need nothing.
const QUESTIONS: [&[&str]; 29] = [
    &["info", "-v"],
    &["info", "--dmesg"],
    &["vnets", "--scan"],
    &["vars", "--all-vnets"],
    &["vars", "--pivot", "feat_*"],
    &["print", "--pivot", "V_ifnet", "*V_loif"],
    &["print", "prison0", "*V_ifnet.tqh_first", "allproc.lh_first->p_comm"],
    &["type", "struct vnet"],
    &["read", "&prison0", "4K"],
    &[
        "whatis",
        "V_ifnet.tqh_first",
        "V_ifnet.cstqh_first",
        "allproc.lh_first",
        "*allprison.tqh_last",
    ],
    &["whatis", "@"],
    &["sysinit", "--tid", "100700"],
    &["sysinit", "--tid", "100701"],
    &["sysctl", "-a", "--all-vnets"],
    &["sysctl", "-a", "-d"],
    &["counters", "--all-vnets"],
    &["gdb", "--vnet", "1"],
    &["vnets", "--wide"],
    &["modules", "-v"],
    &["recursions"],
    &["sockets", "--all-vnets"],
    &["eventhandlers", "v@"],
    &["vars", "--jail", "@"],
    &["vars", "@"],
    &["print", "@"],
    &["type", "@"],
    &["triage", "--group"],
    &["completions", "bash"],
    &["image", "build"],
];

/// They write what they are told to where they are told to.
const WRITERS: [&str; 4] = ["man", "help", "completions", "export"];

#[test]
fn no_string_of_a_dump_acts_on_a_terminal() {
    let image = tempfile::tempdir().unwrap();
    let text = |name: &str| image.path().join(name).to_str().unwrap().to_owned();
    let module = format!("{}/fixtures/kernel/modules/amd64/if_gif.ko", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(module, image.path().join(format!("k{}.ko", hostile()))).unwrap();
    let ask = |kernel: &str, core: &str| {
        let mut shown = 0;
        for question in questions() {
            let formats: &[&str] = match &*question[0] {
                "report" => &["html", "markdown"],
                _ => &["table", "plain", "json", "jsonl", "{}", "template"],
            };
            for format in formats {
                let ask = |format: &str| {
                    let is_triage = question[0] == "triage";
                    // This one takes dumps as arguments.
                    let files: &[&str] =
                        if is_triage { &["-N", kernel] } else { &["-N", kernel, "-M", core] };
                    let words = files.iter().copied().chain(["--format", format]);
                    let words = words.chain(question.iter().map(String::as_str));
                    run(&words.chain(is_triage.then_some(core)).collect::<Vec<_>>())
                };
                let Said { out, err } = match *format {
                    // Each member by itself.
                    "template" => ask(&template(&ask("jsonl").out)),
                    format => ask(format),
                };
                let is_valid = match *format {
                    "json" => out.is_empty() || is_json(&out),
                    "jsonl" => out.lines().all(is_json),
                    "html" => !out.contains("u202e<"),
                    _ => true,
                };
                assert!(is_valid, "{question:?} as {format}:\n{out}");
                let said = out + &err;
                if let Some(found) = said.chars().find(|c| acts(*c, format)) {
                    panic!("{question:?} as {format} lets {found:?} through:\n{said:?}");
                }
                // Only the message buffer has lines of its own.
                let buffer = ["<section id=\"messages\">", "## Message buffer"];
                let end = buffer.iter().filter(|_| formats.len() == 2).find_map(|it| said.find(it));
                let forged = said[..end.unwrap_or(said.len())].lines().find(|line| forges(line));
                let forged = forged.filter(|_| !question.contains(&"--dmesg".to_owned()));
                assert_eq!(forged, None, "{question:?} as {format}");
                shown += usize::from(said.contains("[7mX"));
            }
        }
        shown
    };
    for kernel in ["classic-clang-dwarf4", "newer-clang-dwarf4"] {
        let kernel = format!("{}/fixtures/kernel/{kernel}", env!("CARGO_MANIFEST_DIR"));
        let scenario = SCENARIO.replace("@KERNEL@", &kernel).replace('@', HOSTILE);
        // The values of sysctls have lines of their own, as sysctl(8) prints them.
        let scenario = scenario.replace('$', HOSTILE.trim_start_matches(r"\n"));
        std::fs::write(image.path().join("hostile.toml"), scenario).unwrap();
        let built = run(&["image", "build", &text("hostile.toml"), "-o", &text("built")]);
        assert!(!built.err.contains("error:"), "{}", built.err);
        let core = core(&image.path().join("built"));
        let shown = ask(&kernel, &core);
        assert!(shown > 60, "the names were hardly shown: {shown}");
        if kernel.contains("newer") {
            continue;
        }
        // No more text at all, and a byte that is C1 by itself: info.N is a file of text.
        spoil(Path::new(&core));
        std::fs::remove_file(core.replace("vmcore.", "info.")).unwrap();
        let shown = ask(&kernel, &core);
        assert!(shown > 60, "the names were hardly shown: {shown}");
    }
}

/// Makes the C1 character of every name two bytes that are no UTF-8.
fn spoil(core: &Path) {
    let mut bytes = std::fs::read(core).unwrap();
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, b"[7mX\t\xc2\x9b").collect();
    assert!(places.len() > 8, "{}", places.len());
    places.into_iter().for_each(|at| bytes[at + 5] = 0xff);
    std::fs::write(core, bytes).unwrap();
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

/// Is this a line, or in plain a cell, that a name has made?
fn forges(line: &str) -> bool {
    let makes = |start: &str| line.starts_with(start) || line.contains(&format!("\t{start}"));
    ["\\033[7m", "\\u001b[7m", "[7m"].into_iter().any(makes) || line.contains("X\t\\")
}

/// What [`HOSTILE`] stands for.
fn hostile() -> String {
    let file: Scenario = Scenario::parse(&format!("hostname = \"{HOSTILE}\"")).unwrap();
    file.hostname.unwrap()
}

/// A template with all members of all objects in these lines.
fn template(lines: &str) -> String {
    let elements = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
    let names: BTreeSet<String> = elements
        .flat_map(|element: serde_json::Map<String, serde_json::Value>| element.into_iter())
        .map(|(name, _)| format!("{{{name}}}"))
        .collect();
    format!("{{}}{}", names.into_iter().collect::<String>())
}

/// A character that a terminal takes for more than text. Tabs are the form of plain.
fn acts(c: char, format: &str) -> bool {
    let expected = c == '\n' || (c == '\t' && format == "plain");
    !expected && (c.is_control() || c == '\u{202e}')
}

/// Those of [`QUESTIONS`], and every other command on its own.
fn questions() -> Vec<Vec<String>> {
    let owned = |words: &[&str]| words.iter().map(|word| word.replace('@', &hostile())).collect();
    let mut all: Vec<Vec<String>> = QUESTIONS.iter().map(|words| owned(words)).collect();
    let help = run(&["--help"]).out;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| !WRITERS.contains(name)) {
        all.push(owned(&[name]));
    }
    assert!(all.len() > QUESTIONS.len() + 10, "{all:?}");
    all
}

/// What the program says, on its two outputs.
struct Said {
    out: String,
    err: String,
}

fn run(words: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(words)
        .env_remove("VNETKVM_KERNEL")
        .env_remove("VNETKVM_CORE")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { out: text(output.stdout), err: text(output.stderr) }
}

fn core(directory: &Path) -> String {
    let mut files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let core = files.find(|path| path.file_name().unwrap().to_str().unwrap().contains("minidump"));
    core.unwrap().to_str().unwrap().to_owned()
}
