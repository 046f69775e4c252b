//! The queries of docs/fleet.md, asked by DuckDB over the exports of many dumps, and compared with
//! what the commands say of each dump.

#![cfg(all(feature = "cli", feature = "export"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use vnetkvm::image::{self, Format, Scenario};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// Runs the statements of standard input, and prints what each gives as JSON.
const ASK: &str = r#"
import duckdb, json, sys
connection = duckdb.connect()
for statement in sys.argv[1].split("\x1f"):
    rows = connection.execute(statement).fetchall()
    if not statement.lstrip().startswith("CREATE"):
        print(json.dumps(rows))
"#;

/// Dumps with their kernels, each in a directory of its own.
struct Fleet {
    directory: TempDir,
    hosts: Vec<String>,
}

impl Fleet {
    /// Adds the dump of a host.
    fn add(&mut self, text: &str) {
        let host = format!("h{:02}", self.hosts.len());
        let text = text.replace("\"../kernel/", &format!("\"{FIXTURES}/kernel/"));
        let mut scenario = Scenario::parse(&text).unwrap();
        scenario.hostname = Some(host.clone());
        let image = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        let at = self.directory.path().join(&host);
        fs::create_dir(&at).unwrap();
        let kernel = image.save_kernel(&at).unwrap().swap_remove(0);
        fs::rename(kernel, at.join("kernel")).unwrap();
        fs::rename(image.save(Format::MinidumpV2, &at).unwrap(), at.join("vmcore.0")).unwrap();
        self.ask(&host, &["export", "-o", "../exports"]);
        self.hosts.push(host);
    }

    fn ask(&self, host: &str, words: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
        command.current_dir(self.directory.path().join(host)).args(["--json"]);
        command.env("VNETKVM_KERNEL", "kernel").env("VNETKVM_CORE", "vmcore.0");
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What an answer about each dump has.
    fn of_each<T>(&self, words: &[&str], take: impl Fn(&str, &Value) -> T) -> Vec<T> {
        self.hosts.iter().map(|host| take(host, &self.ask(host, words))).collect()
    }
}

/// The SQL blocks of the page; the first makes views.
fn statements() -> Vec<&'static str> {
    let page = include_str!("../docs/fleet.md");
    let blocks = page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(|block| block.split(';')).filter(|it| !it.trim().is_empty()).collect()
}

fn duckdb(directory: &Path) -> Vec<Value> {
    let python = std::env::var("VNETKVM_PYTHON").unwrap_or("python3".to_owned());
    let output = Command::new(&python)
        .args(["-c", ASK, &statements().join("\u{1f}")])
        .current_dir(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}\nmake a venv with `pip install duckdb`, and set VNETKVM_PYTHON to its python"
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fleet() -> Fleet {
    let mut fleet = Fleet { directory: tempfile::tempdir().unwrap(), hosts: Vec::new() };
    let kernels = ["classic-clang-dwarf4", "stable13-clang-dwarf4", "stable14-clang-dwarf4"];
    for number in 0..15 {
        let kernel = kernels[number % kernels.len()];
        let ttl = if number % 7 == 3 { 42 } else { 64 };
        fleet.add(&format!(
            "kernel = \"../kernel/{kernel}\"\nmemory = \"64M\"\n\
             [[step]]\ndo = \"jail\"\nname = \"web\"\nvalues = {{ ip_defttl = {ttl} }}\n"
        ));
    }
    let trouble = fs::read_to_string(format!("{FIXTURES}/scenarios/trouble.toml")).unwrap();
    for kernel in ["classic-clang-dwarf4", "classic-clang-dwarf5", "classic-gcc-dwarf4"] {
        fleet.add(&trouble.replace("classic-clang-dwarf4", kernel));
    }
    for name in ["modules", "demo"] {
        fleet.add(&fs::read_to_string(format!("{FIXTURES}/scenarios/{name}.toml")).unwrap());
    }
    fleet
}

#[test]
#[ignore = "needs Python with duckdb: VNETKVM_PYTHON"]
fn duckdb_answers_as_the_commands_do() {
    let fleet = fleet();
    assert!(fleet.hosts.len() >= 20);
    let answers = duckdb(fleet.directory.path());
    let [ttls, crashes, space, errors] = &answers[..] else { panic!("{answers:?}") };

    let all: Vec<Value> = fleet
        .of_each(&["vars", "--all-vnets", "ip_defttl"], |host, told| {
            let vnets = told["vnets"].as_array().unwrap().iter();
            let ttl = |of: &Value| of["variables"][0]["value"].clone();
            let row = |of: &Value| json!([host, "vmcore.0", of["vnet"]["index"], ttl(of)]);
            vnets.map(row).collect::<Vec<Value>>()
        })
        .concat();
    let others: Vec<Value> = all.iter().filter(|row| row[3] != 64).cloned().collect();
    assert!(others.len() > 3 && others.len() < all.len() / 2, "64 is the most frequent");
    assert_eq!(*ttls, json!(others));

    let vnets = fleet.of_each(&["vnets"], |_, told| told["vnets"].clone());
    let crashed = fleet.of_each(&["info"], |_, told| told["info"]["crashed"]["curvnet"].clone());
    let mut functions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((host, vnets), crashed) in fleet.hosts.iter().zip(vnets).zip(crashed) {
        let is_it = |vnet: &&Value| {
            let conditions = ["being-destroyed", "freed"].map(Value::from);
            vnet["address"] == crashed["address"] && conditions.contains(&vnet["condition"])
        };
        if vnets.as_array().unwrap().iter().any(|vnet| is_it(&vnet)) {
            let triaged = fleet.ask(host, &["triage", "vmcore.0"]);
            let function = triaged["dumps"][0]["stack"][0].as_str().unwrap().to_owned();
            functions.entry(function).or_default().push(format!("{host} vmcore.0"));
        }
    }
    functions.retain(|_, dumps| dumps.len() > 1);
    let expected: Vec<Value> =
        functions.iter().map(|(name, dumps)| json!([name, dumps.len(), dumps])).collect();
    assert_eq!(*crashes, json!(expected));
    assert_eq!(expected.len(), 1, "{expected:?}");

    let releases = fleet.of_each(&["info"], |_, told| told["info"]["kernel"]["osreldate"].clone());
    let used = fleet.of_each(&["modspace"], |_, told| told["modspace"].clone());
    let mut by_release: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    for (release, space) in releases.iter().zip(used) {
        let release = release.as_u64().unwrap();
        let sizes = ["used", "size"].map(|name| space[name].as_u64().unwrap());
        let release = (release / 100_000, release / 1000 % 100);
        by_release.entry(release).or_default().push((sizes[0], sizes[1]));
    }
    let expected: Vec<Value> = by_release
        .iter()
        .map(|((major, minor), sizes)| {
            let used = sizes.iter().map(|(used, _)| used);
            let size = sizes.iter().map(|(_, size)| size).max();
            json!([major, minor, sizes.len(), used.clone().min(), used.max(), size])
        })
        .collect();
    assert!(expected.len() >= 3);
    assert_eq!(*space, json!(expected));

    assert!(errors.as_array().unwrap().iter().all(|row| row[3].as_u64().unwrap() > 0));
}
