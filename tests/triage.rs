//! Many dumps at once: what is told of each, which are the same crash, and that none of them ends
//! the rest.

#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use vnetkvm::image::{self, Format, Scenario};

/// A directory of dumps, and one of their kernels.
struct Crashes {
    directory: TempDir,
}

/// A scenario with this kernel and these lines before all else.
fn scenario(name: &str, kernel: &str, more: &str) -> Scenario {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let text = fs::read_to_string(fixtures.join("scenarios").join(name)).unwrap();
    let text = text.replace("../kernel/classic-clang-dwarf4", &format!("../kernel/{kernel}"));
    let text = text.replace("\"../kernel/", &format!("\"{}/kernel/", fixtures.display()));
    Scenario::parse(&format!("{more}\n{text}")).unwrap()
}

impl Crashes {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn dumps(&self) -> PathBuf {
        self.directory.path().join("crash")
    }

    fn kernels(&self) -> PathBuf {
        self.directory.path().join("kernels")
    }

    /// Adds the dump of a scenario, and its kernel where kernels are looked for.
    fn add(&self, name: &str, scenario: &Scenario) -> PathBuf {
        let image = image::build(scenario, scenario.open_kernel().unwrap()).unwrap();
        let kernels = self.kernels().join(name);
        fs::create_dir_all(&kernels).unwrap();
        fs::create_dir_all(self.dumps()).unwrap();
        let kernel = image.save_kernel(&kernels).unwrap().swap_remove(0);
        fs::rename(kernel, kernels.join("kernel")).unwrap();
        let core = image.save(Format::MinidumpV2, &kernels).unwrap();
        let dump = self.dumps().join(name);
        fs::rename(core, &dump).unwrap();
        dump
    }

    fn triage(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
        command.arg("--debug-dir").arg(self.kernels()).arg("triage").args(words);
        command.env_remove("VNETKVM_KERNEL").current_dir(self.directory.path());
        command.output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.triage(&[&["--json"], words].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{words:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn trouble(kernel: &str, more: &str) -> Scenario {
    scenario("trouble.toml", kernel, more)
}

#[test]
fn a_dump_is_told_by_what_crashed_where() {
    let crashes = Crashes::new();
    crashes.add(
        "vmcore.0",
        &trouble("classic-clang-dwarf4", "globals = { time_second = 1574431702 }"),
    );
    let json = crashes.json(&["crash/vmcore.0"]);
    let dump = &json["dumps"][0];
    assert_eq!(dump["dump"], "crash/vmcore.0");
    assert_eq!(dump["host"], "gw.example.org");
    assert_eq!(dump["time"], 1_574_431_702);
    assert_eq!(dump["panic"], "page fault");
    // The calls that the scenario puts on the stack, outside of its panic.
    assert_eq!(dump["stack"][0], "tcp_output");
    assert!(dump["stack"].as_array().unwrap().len() <= 3);
    assert_eq!(dump["thread"]["curvnet"]["index"], Value::Null);
    assert_eq!(dump["check"]["verdict"], "fault");
    assert!(dump["check"]["faults"].as_u64().unwrap() > 1);
    assert_eq!(dump["error"], Value::Null);
    let signature = dump["signature"].as_str().unwrap();
    assert!(signature.len() == 16 && signature.bytes().all(|byte| byte.is_ascii_hexdigit()));

    let output = crashes.triage(&["crash/vmcore.0"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("2019-11-22 14:08:22 UTC"), "{table}");
    assert!(table.contains("fault: ") && table.contains("tcp_output"), "{table}");
    // `check` of that dump alone says the same.
    let check = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .arg("-N")
        .arg(crashes.kernels().join("vmcore.0/kernel"))
        .arg("-M")
        .arg(crashes.dumps().join("vmcore.0"))
        .args(["check", "--json"])
        .output()
        .unwrap();
    let checks: Value = serde_json::from_slice(&check.stdout).unwrap();
    let verdicts = checks["checks"].as_array().unwrap().iter();
    let faults = verdicts.filter(|check| check["verdict"] == "fault").count();
    assert_eq!(dump["check"]["faults"], faults);
}

#[test]
fn equal_crashes_have_one_signature_whatever_the_build() {
    let crashes = Crashes::new();
    // The same code by another compiler lies elsewhere, and so does everything in memory.
    crashes.add("vmcore.0", &trouble("classic-clang-dwarf4", "globals = { time_second = 3000 }"));
    crashes.add("vmcore.1", &trouble("classic-clang-dwarf5", "globals = { time_second = 1000 }"));
    crashes.add("vmcore.10", &trouble("classic-gcc-dwarf4", "globals = { time_second = 2000 }"));
    // The clock of this one was never set.
    crashes.add("vmcore.2", &scenario("demo.toml", "classic-clang-dwarf4", ""));
    let json = crashes.json(&["--group", "crash"]);
    let groups = json["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2, "{json:#}");
    assert_eq!(groups[0]["count"], 3);
    assert_eq!(groups[0]["dumps"], json!(["crash/vmcore.0", "crash/vmcore.1", "crash/vmcore.10"]));
    assert_eq!((&groups[0]["first"], &groups[0]["last"]), (&json!(1000), &json!(3000)));
    assert_eq!(groups[0]["hosts"], json!(["gw.example.org"]));
    assert_eq!((&groups[1]["count"], &groups[1]["first"]), (&json!(1), &Value::Null));
    assert_eq!(groups[1]["panic"], "tcp_usr_send: inp == NULL");
    assert_ne!(groups[0]["signature"], groups[1]["signature"]);

    let output = crashes.triage(&["-g", "crash", "--format", "plain"]);
    let plain = String::from_utf8(output.stdout).unwrap();
    let counts: Vec<&str> = plain.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(counts, ["3", "1"]);
}

#[test]
fn dumps_without_a_signature_have_nothing_in_common() {
    let crashes = Crashes::new();
    let first = crashes.add("vmcore.0", &scenario("routes.toml", "classic-clang-dwarf4", ""));
    fs::copy(first, crashes.dumps().join("vmcore.1")).unwrap();
    // The last word names a dump of the directory again.
    let json = crashes.json(&["--group", "crash", "crash/../crash/vmcore.1"]);
    let groups = json["groups"].as_array().unwrap();
    let told = |key| groups.iter().map(|group| group[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("signature"), [Value::Null, Value::Null], "{json:#}");
    assert_eq!(told("dumps"), [json!(["crash/vmcore.0"]), json!(["crash/vmcore.1"])]);
}

#[test]
fn a_signature_without_functions_is_doubtful() {
    let crashes = Crashes::new();
    crashes.add("vmcore.0", &trouble("classic-clang-dwarf4", ""));
    let said = || String::from_utf8(crashes.triage(&["--group", "crash"]).stderr).unwrap();
    assert_eq!(said(), "");
    fs::remove_file(crashes.kernels().join("vmcore.0/kernel")).unwrap();
    let told = "1 dump is grouped by the panic message alone, because no function is known";
    assert!(said().contains(told), "{}", said());
}

#[test]
fn a_dump_that_cannot_be_read_is_a_line() {
    let crashes = Crashes::new();
    let healthy = crashes.add("vmcore.5", &trouble("classic-clang-dwarf4", ""));
    let bytes = fs::read(&healthy).unwrap();
    let dumps = crashes.dumps();
    fs::write(dumps.join("vmcore.0"), "").unwrap();
    fs::write(dumps.join("vmcore.1"), &bytes[..100]).unwrap();
    fs::write(dumps.join("vmcore.2"), &bytes[..bytes.len() - bytes.len() / 32]).unwrap();
    fs::write(dumps.join("vmcore.3.zst"), [&[0x28, 0xb5, 0x2f, 0xfd], &bytes[..40]].concat())
        .unwrap();
    fs::write(dumps.join("letter"), "Dear support, my machine panics.\n").unwrap();
    fs::write(dumps.join("bounds"), "6\n").unwrap();
    fs::create_dir_all(dumps.join("older/host")).unwrap();
    fs::write(dumps.join("older/host/vmcore.0"), &bytes[..100]).unwrap();

    let json = crashes.json(&["crash", "no/such/dump"]);
    let told = json["dumps"].as_array().unwrap();
    let names: Vec<&str> = told.iter().map(|dump| dump["dump"].as_str().unwrap()).collect();
    let all = ["letter", "vmcore.0", "vmcore.1", "vmcore.2", "vmcore.3.zst", "vmcore.5"];
    assert_eq!(names[..6], all.map(|name| format!("crash/{name}")));
    assert_eq!(names[6..], ["crash/older/host/vmcore.0", "no/such/dump"]);
    let has_error = |dump: &&Value| !dump["error"].is_null();
    let broken: Vec<&Value> = told.iter().filter(has_error).collect();
    assert!(broken.len() >= 5, "{json:#}");
    assert!(broken.iter().all(|dump| !dump["error"].as_str().unwrap().contains("crash/")));
    assert_eq!(told[5]["error"], Value::Null);
    // What ends too early is not taken for whole, though much of it is known.
    let cut_off = told[3]["error"].as_str().unwrap();
    assert!(cut_off.starts_with("the dump is cut off: "), "{json:#}");
    assert_eq!(told[5]["panic"], "page fault");
    assert!(told[0]["error"].as_str().unwrap().contains("unknown format"), "{json:#}");
    assert!(told[7]["error"].as_str().unwrap().starts_with("cannot open it: "), "{json:#}");

    // An incomplete answer is a failure only if that is asked for.
    let strict = crashes.triage(&["--strict", "crash"]);
    assert_eq!((strict.status.code(), &strict.stdout[..]), (Some(2), &b""[..]));
    // Dumps of which nothing is known come last.
    let groups = crashes.json(&["--group", "crash"]);
    let groups = groups["groups"].as_array().unwrap();
    assert!(!groups[0]["signature"].is_null());
    assert!(groups.last().unwrap()["signature"].is_null());
}

#[test]
fn a_limit_that_any_question_reaches_is_an_error_of_the_line() {
    let crashes = Crashes::new();
    crashes.add("vmcore.0", &trouble("classic-clang-dwarf4", ""));
    let whole = &crashes.json(&["crash"])["dumps"][0];
    assert_eq!(whole["error"], Value::Null);
    let cut = &crashes.json(&["--max-work", "100", "crash"])["dumps"][0];
    assert!(cut["error"].as_str().unwrap().contains("100 steps"), "{cut:#}");
    let strict = crashes.triage(&["--max-work", "100", "--strict", "crash"]);
    assert_eq!((strict.status.code(), &strict.stdout[..]), (Some(2), &b""[..]));
}

/// A vnet that is being destroyed hides its routes from the checks.
#[test]
fn what_could_not_be_read_is_told() {
    let crashes = Crashes::new();
    crashes.add("vmcore.0", &trouble("classic-clang-dwarf4", ""));
    crashes.add("vmcore.1", &scenario("demo.toml", "classic-clang-dwarf4", ""));
    let json = crashes.json(&["crash"]);
    let problems = |dump: usize| json["dumps"][dump]["problems"].as_array().unwrap();
    let [routes] = &problems(0)[..] else { panic!("{json:#}") };
    assert!(routes["what"].as_str().unwrap().starts_with("the routes of unlisted vnet 0x"));
    assert_eq!(routes["why"], "it is being destroyed, and they may be freed");
    assert!(problems(1).is_empty(), "{json:#}");
}

#[test]
fn the_order_is_that_of_the_question_whatever_the_number_of_jobs() {
    let crashes = Crashes::new();
    for number in 0..6 {
        let name = if number % 2 == 0 { "trouble.toml" } else { "demo.toml" };
        crashes.add(&format!("vmcore.{number}"), &scenario(name, "classic-clang-dwarf4", ""));
    }
    let one = crashes.triage(&["-j", "1", "crash", "--format", "jsonl"]);
    let many = crashes.triage(&["-j", "6", "crash", "--format", "jsonl"]);
    assert_eq!(String::from_utf8_lossy(&one.stdout), String::from_utf8_lossy(&many.stdout));
    assert_eq!(one.stdout.iter().filter(|byte| **byte == b'\n').count(), 6);
    assert_eq!(crashes.triage(&["-j", "0", "crash"]).status.code(), Some(2));
}

#[test]
fn a_directory_without_dumps_has_none() {
    let crashes = Crashes::new();
    fs::create_dir_all(crashes.dumps()).unwrap();
    fs::write(crashes.dumps().join("minfree"), "2048\n").unwrap();
    for words in [&["crash"][..], &["crash", "--group"]] {
        let output = crashes.triage(words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("there is no file that could be a dump"), "{said}");
    }
    assert_eq!(crashes.triage(&["--crash-dir", "crash"]).status.code(), Some(1));
    assert_eq!(crashes.triage(&["--crash-dir", "no/such/directory"]).status.code(), Some(2));
}
