//! Tables of a dump: that they say what the commands say, and where they are written.

#![cfg(all(feature = "cli", feature = "export"))]

mod answers;
mod read;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use read::{arrow_rows, metadata, rows};
use serde_json::Value;
use tempfile::TempDir;
use vnetkvm::export::{TABLES, Table};
use vnetkvm::image::{self, Format, Scenario};

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

fn vnetkvm(words: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(VNETKVM);
    command.args(words).current_dir(directory).stdin(Stdio::null());
    command.env_remove("VNETKVM_KERNEL").env_remove("VNETKVM_CORE").output().unwrap()
}

#[track_caller]
fn succeeds(words: &[&str], directory: &Path) -> Vec<u8> {
    let output = vnetkvm(words, directory);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn answer(words: &[&str], directory: &Path) -> Value {
    serde_json::from_slice(&succeeds(&[words, &["--json"]].concat(), directory)).unwrap()
}

/// A kernel and the dump of a scenario of this text.
fn built(text: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let kernel = format!("{}/fixtures/kernel/", env!("CARGO_MANIFEST_DIR"));
    let scenario = Scenario::parse(&text.replace("../kernel/", &kernel)).unwrap();
    let image = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let kernel = image.save_kernel(directory.path()).unwrap().swap_remove(0);
    fs::rename(kernel, directory.path().join("kernel")).unwrap();
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    fs::rename(core, directory.path().join("vmcore.0")).unwrap();
    directory
}

fn scenario(name: &str) -> String {
    let path = format!("{}/fixtures/scenarios/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap()
}

const FILES: [&str; 4] = ["-N", "kernel", "-M", "vmcore.0"];

/// The rows of a table that the dump of `directory` has in `exports`.
fn exported(directory: &Path, table: &str, partition: &str) -> Vec<Value> {
    rows(&directory.join("exports").join(table).join(partition).join("part-0.parquet"))
}

/// The files of all tables, with their contents.
fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        match path.is_dir() {
            true => pending.extend(fs::read_dir(&path).unwrap().map(|it| it.unwrap().path())),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// Characters that mean something to terminals, SQL, paths and Hive.
const HOSTILE: &str = r"x'\u001b[7m/a=b%00\n\u202e";

#[test]
fn strings_of_a_dump_are_data() {
    let text = format!(
        "kernel = \"../kernel/classic-clang-dwarf4\"\nmemory = \"64M\"\n\
         hostname = \"../{HOSTILE}\"\npanic = \"{HOSTILE}\"\n\
         [[step]]\ndo = \"jail\"\nname = \"{HOSTILE}\"\n"
    );
    let host = Scenario::parse(&text).unwrap().hostname.unwrap();
    let hostile = host.trim_start_matches("../");
    let image = built(&text);
    let at = image.path();
    succeeds(&[&FILES[..], &["export", "-o", "exports", "--name", &host]].concat(), at);
    let escaped = "..%2Fx%27%1B%5B7m%2Fa%3Db%2500%0A\u{202e}";
    let partition = format!("host={escaped}/dump={escaped}");
    assert_eq!(exported(at, "dumps", &partition)[0]["panic"], *hostile);
    let jails = exported(at, "jails", &partition);
    assert!(jails.iter().any(|jail| jail["name"] == *hostile), "{jails:?}");
    let mut top: Vec<_> = fs::read_dir(at).unwrap().map(|it| it.unwrap().file_name()).collect();
    top.sort();
    assert_eq!(top, ["exports", "kernel", "vmcore.0"], "nothing is written elsewhere");
    assert_eq!(files_below(&at.join("exports")).len(), TABLES.len());
}

#[test]
fn a_run_replaces_its_own_files_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let demo =
        |more: &[&str]| vnetkvm(&[&["--demo", "export", "-o", "exports"], more].concat(), at);
    assert!(demo(&[]).status.success());
    let first = files_below(&at.join("exports"));
    assert_eq!(first.len(), TABLES.len());
    assert!(demo(&["--name", "other"]).status.success());
    let both = files_below(&at.join("exports"));
    assert_eq!(both.len(), 2 * TABLES.len());
    assert!(first.iter().all(|file| both.contains(file)), "the files of others stay as they are");

    // An unknown file and the rows of an earlier run.
    let own = at.join("exports/vnets/host=gw.example.org/dump=vmcore");
    fs::write(own.join("notes"), "mine").unwrap();
    fs::write(own.join("part-0.parquet"), "no Parquet").unwrap();
    assert!(demo(&[]).status.success());
    assert_eq!(fs::read_to_string(own.join("notes")).unwrap(), "mine");
    assert_eq!(rows(&own.join("part-0.parquet")).len(), 3);
    fs::remove_file(own.join("notes")).unwrap();
    assert_eq!(files_below(&at.join("exports")), both, "the same dump gives the same bytes");

    // Another dump that has the same names.
    let image = built(&scenario("demo.toml"));
    fs::rename(image.path().join("vmcore.0"), image.path().join("vmcore")).unwrap();
    let exports = at.join("exports");
    let words = ["-N", "kernel", "-M", "vmcore", "export", "-o", exports.to_str().unwrap()];
    let refused = vnetkvm(&words, image.path());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("is about another dump: demo/vmcore") && said.contains("--name"),
        "{said}"
    );
    assert_eq!(files_below(&at.join("exports")), both);
}

#[test]
fn a_later_dump_with_the_same_path_is_another() {
    let of_second = |second: u64| {
        let uptime = "time_uptime = 86400";
        built(&scenario("demo.toml").replace(uptime, &format!("{uptime}, time_second = {second}")))
    };
    let (image, later) = (of_second(1_700_000_000), of_second(1_800_000_000));
    let at = image.path();
    let words = [&FILES[..], &["export", "-o", "exports", "--host", "h"]].concat();
    succeeds(&words, at);
    let first = files_below(&at.join("exports"));
    fs::copy(later.path().join("vmcore.0"), at.join("vmcore.0")).unwrap();
    let refused = vnetkvm(&words, at);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("is about another dump: an earlier one in "), "{said}");
    assert_eq!(files_below(&at.join("exports")), first);
    succeeds(&[&words[..], &["--name", "next"]].concat(), at);
}

#[test]
fn what_a_truncated_dump_lacks_is_null_and_an_error() {
    let image = built(&scenario("demo.toml"));
    let at = image.path();
    let dump = fs::read(at.join("vmcore.0")).unwrap();
    fs::write(at.join("vmcore.0"), &dump[..dump.len() / 4 * 3]).unwrap();
    let words = ["export", "-o", "exports", "--host", "h"];
    let output = vnetkvm(&[&FILES[..], &words].concat(), at);
    assert!(output.status.success());
    let errors = exported(at, "errors", "host=h/dump=vmcore.0");
    let truncated: Vec<_> = errors.iter().filter(|row| row["kind"] == "truncated").collect();
    assert!(!truncated.is_empty(), "{errors:?}");
    assert!(truncated.iter().all(|row| row["address"].is_u64() && row["why"].is_string()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("{} things could not be read", errors.len())), "{said}");
    // With --strict, nothing changes.
    let before = files_below(&at.join("exports"));
    let strict = vnetkvm(&[&FILES[..], &words, &["--strict"]].concat(), at);
    assert_eq!(strict.status.code(), Some(2));
    assert_eq!(files_below(&at.join("exports")), before);
    vnetkvm(&[&FILES[..], &["export", "-o", "others", "--strict"]].concat(), at);
    assert_eq!(fs::read_dir(at.join("others")).unwrap().count(), 0);
}

#[test]
fn a_counter_without_memory_is_null_and_no_error() {
    let image = built(&scenario("demo.toml"));
    let at = image.path();
    succeeds(&[&FILES[..], &["export", "-o", "exports", "--host", "h"]].concat(), at);
    let counters = exported(at, "counters", "host=h/dump=vmcore.0");
    let of = |variable: &str| counters.iter().find(|row| row["variable"] == variable).unwrap();
    assert!(of("ahstat")["value"].is_null(), "{}", of("ahstat"));
    assert!(of("ipstat")["value"].is_u64(), "{}", of("ipstat"));
    let errors = exported(at, "errors", "host=h/dump=vmcore.0");
    assert!(errors.iter().all(|row| row["kind"] != "unallocated"), "{errors:?}");
}

#[test]
fn a_dump_that_cannot_be_read_leaves_no_rows_of_an_earlier_run() {
    let image = built(&scenario("demo.toml"));
    let at = image.path();
    let words = ["export", "-o", "exports", "--host", "h"];
    succeeds(&[&FILES[..], &words].concat(), at);
    fs::write(at.join("vmcore.0"), "no dump").unwrap();
    let output = vnetkvm(&[&FILES[..], &words].concat(), at);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("warning: only `dumps` and `errors` have rows: "), "{said}");
    for table in TABLES {
        let rows = exported(at, table.name, "host=h/dump=vmcore.0");
        let expected = usize::from(["dumps", "errors"].contains(&table.name));
        assert_eq!(rows.len(), expected, "{}", table.name);
    }
    let error = &exported(at, "errors", "host=h/dump=vmcore.0")[0];
    assert_eq!((&error["table_name"], error["why"].is_string()), (&Value::Null, true));

    let strict = vnetkvm(&[&FILES[..], &words, &["--strict"]].concat(), at);
    assert_eq!(strict.status.code(), Some(2));
    // A kernel that cannot be read is a mistake of who asks.
    let kernel = vnetkvm(&["-N", "none", "-M", "vmcore.0", "export", "-o", "other"], at);
    assert!(!at.join("other").exists() || kernel.status.success());
}

#[test]
fn an_arrow_stream_has_the_rows_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    succeeds(&["--demo", "export", "-o", "exports"], at);
    for table in ["variables", "errors", "dumps"] {
        let stream = succeeds(&["--demo", "export", "--arrow", table], at);
        let file = exported(at, table, "host=gw.example.org/dump=vmcore");
        assert_eq!(arrow_rows(&stream), file, "{table}");
    }
    for words in [
        &["--demo", "export"][..],
        &["--demo", "export", "-o", "x", "--arrow", "vnets"],
        &["--demo", "export", "-o", "x", "--tables", "nothing"],
        &["--demo", "export", "-o", "x", "--vnet", "1"],
    ] {
        assert_eq!(vnetkvm(words, at).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn files_say_which_version_of_the_tables_they_have() {
    let directory = tempfile::tempdir().unwrap();
    succeeds(&["--demo", "export", "-o", "exports"], directory.path());
    for (file, _) in files_below(&directory.path().join("exports")) {
        let told = metadata(&file);
        assert_eq!(told["vnetkvm.schema_version"], "1", "{}", file.display());
        assert_eq!(told["vnetkvm.dump"], "demo/vmcore");
    }
}

/// The page about them has all tables and columns. `SNAPSHOTS=overwrite` writes them.
#[test]
fn the_page_has_every_column() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fleet.md");
    let page = fs::read_to_string(&path).unwrap();
    let (written, _) = page.split_once("--test export -->\n").unwrap();
    let tables: String = TABLES.iter().map(described).collect();
    let expected = format!("{written}--test export -->\n{tables}");
    if std::env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite") {
        fs::write(&path, &expected).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == expected, "regenerate it as the page says");
}

fn described(table: &Table) -> String {
    let rows = table.columns.iter().map(|column| {
        format!("| `{}` | {} | {} |\n", column.name, column.kind.name(), column.meaning)
    });
    let rows: String = rows.collect();
    format!("\n### {}\n\n{}.\n\n| column | kind | meaning |\n|---|---|---|\n{rows}", table.name, {
        let (first, rest) = table.meaning.split_at(1);
        first.to_uppercase() + rest
    })
}

/// The commands of the page succeed.
#[test]
fn commands_of_the_page_can_be_typed() {
    let image = built(&scenario("demo.toml"));
    let at = |name: &str| image.path().join(name);
    fs::rename(at("kernel"), at("kernel.debug")).unwrap();
    fs::copy(at("vmcore.0"), at("vmcore.3")).unwrap();
    let page = include_str!("../../docs/fleet.md");
    let programs = Path::new(VNETKVM).parent().unwrap().to_str().unwrap();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let mut run = 0;
    for block in page.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let mut shell = Command::new("sh");
        shell.args(["-euc", block]).current_dir(image.path()).env("PATH", &path);
        let output = shell.env("VNETKVM_CRASH_DIR", image.path()).output().unwrap();
        assert!(output.status.success(), "{block}: {}", String::from_utf8_lossy(&output.stderr));
        run += 1;
    }
    assert_eq!(run, 2);
}
