//! Tables of a dump: that they say what the commands say, and where they are written.

#![cfg(all(feature = "cli", feature = "export"))]

mod tables_read;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tables_read::{arrow_rows, metadata, rows};
use tempfile::TempDir;
use vnetkvm::export::{Column, TABLES, Table};
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

/// What a cell of this column has for this value of an answer.
fn cell(column: &Column, value: &Value) -> Value {
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    match value {
        Value::String(text) if column.kind.name() == "unsigned" => json!(number(text).unwrap()),
        Value::Array(all) if all.is_empty() => Value::Null,
        Value::Array(all) => {
            let texts: Vec<&str> = all.iter().map(|text| text.as_str().unwrap()).collect();
            json!(texts.join(","))
        }
        Value::Object(object) if object.contains_key("error") => Value::Null,
        value => value.clone(),
    }
}

/// Compares columns of rows with places in the elements of an answer.
#[track_caller]
fn compare(table: &str, rows: &[Value], elements: &[Value], places: &[(&str, &str)]) {
    let table = vnetkvm::export::table(table).unwrap();
    assert!(!elements.is_empty());
    assert_eq!(rows.len(), elements.len(), "{}", table.name);
    for (row, element) in rows.iter().zip(elements) {
        for (column, place) in places {
            let known = table.columns.iter().find(|it| it.name == *column);
            let expected = cell(known.unwrap(), element.pointer(place).unwrap_or(&Value::Null));
            assert_eq!(row[column], expected, "{}.{column} of {element}", table.name);
        }
    }
}

/// The elements of an answer about all vnets, each with its vnet.
fn of_all_vnets(answer: &Value, array: &str) -> Vec<Value> {
    let vnets = answer["vnets"].as_array().unwrap();
    let elements = vnets.iter().flat_map(|vnet| {
        vnet[array].as_array().unwrap().iter().map(|element| {
            let mut element = element.clone();
            element["vnet"] = vnet["vnet"].clone();
            element
        })
    });
    elements.collect()
}

const VNET: [(&str, &str); 2] = [("vnet", "/vnet/index"), ("vnet_address", "/vnet/address")];

#[test]
fn tables_say_what_the_commands_say() {
    let image = built(&scenario("trouble.toml"));
    let at = image.path();
    succeeds(&[&FILES[..], &["export", "-o", "exports"]].concat(), at);
    let ask = |words: &[&str]| answer(&[&FILES[..], words].concat(), at);
    let host = ask(&["info"])["info"]["host"].as_str().unwrap().to_owned();
    let read = |table: &str| exported(at, table, &format!("host={host}/dump=vmcore.0"));
    compare(
        "vnets",
        &read("vnets"),
        ask(&["vnets"])["vnets"].as_array().unwrap(),
        &[
            ("vnet", "/index"),
            ("vnet_address", "/address"),
            ("is_default", "/default"),
            ("listed", "/listed"),
            ("magic", "/magic"),
            ("state", "/state/value"),
            ("state_name", "/state/name"),
            ("state_meaning", "/state/meaning"),
            ("shutdown", "/shutdown"),
            ("ifcnt", "/ifcnt"),
            ("sockcnt", "/sockcnt"),
            ("data_mem", "/data_mem"),
            ("data_base", "/data_base"),
        ],
    );
    compare(
        "jails",
        &read("jails"),
        ask(&["jails"])["jails"].as_array().unwrap(),
        &[
            VNET[0],
            VNET[1],
            ("jid", "/jid"),
            ("name", "/name"),
            ("address", "/address"),
            ("parent", "/parent"),
            ("own_vnet", "/own_vnet"),
            ("state", "/state"),
            ("path", "/path"),
            ("hostname", "/hostname"),
            ("flags", "/flags"),
            ("allow", "/allow"),
            ("refs", "/references"),
            ("user_refs", "/user_references"),
            ("processes", "/processes"),
        ],
    );
    compare(
        "interfaces",
        &read("interfaces"),
        &of_all_vnets(&ask(&["interfaces", "--all-vnets"]), "interfaces"),
        &[
            VNET[0],
            VNET[1],
            ("name", "/name"),
            ("if_index", "/index"),
            ("address", "/address"),
            ("driver", "/driver"),
            ("flags", "/flags"),
            ("flag_names", "/flag_names"),
            ("mtu", "/mtu"),
            ("link_state", "/link_state"),
            ("ether", "/ether"),
            ("description", "/description"),
            ("groups", "/groups"),
            ("if_vnet", "/if_vnet/index"),
            ("home_vnet_address", "/home_vnet/address"),
            ("ipackets", "/ipackets"),
            ("obytes", "/obytes"),
            ("noproto", "/noproto"),
        ],
    );
    compare(
        "threads",
        &read("threads"),
        ask(&["threads", "--all"])["threads"].as_array().unwrap(),
        &[
            VNET[0],
            VNET[1],
            ("tid", "/tid"),
            ("name", "/name"),
            ("pid", "/pid"),
            ("command", "/command"),
            ("jid", "/jail/jid"),
            ("jail", "/jail/name"),
            ("state", "/state"),
            ("wchan", "/wchan"),
            ("cpu", "/cpu"),
            ("curvnet_address", "/curvnet/address"),
            ("curvnet_condition", "/curvnet_condition"),
            ("compared", "/compared"),
            ("dumping", "/dumping"),
        ],
    );
    compare(
        "modules",
        &read("modules"),
        ask(&["modules"])["modules"].as_array().unwrap(),
        &[
            ("id", "/id"),
            ("name", "/name"),
            ("address", "/address"),
            ("size", "/size"),
            ("set_vnet_address", "/set_vnet/address"),
            ("set_vnet_size", "/set_vnet/size"),
            ("variables", "/variables"),
        ],
    );
    let checks = vnetkvm(&[&FILES[..], &["check", "--json"]].concat(), at).stdout;
    let checks: Value = serde_json::from_slice(&checks).unwrap();
    compare(
        "checks",
        &read("checks"),
        checks["checks"].as_array().unwrap(),
        &[
            VNET[0],
            VNET[1],
            ("name", "/name"),
            ("verdict", "/verdict"),
            ("message", "/message"),
            ("addresses", "/addresses"),
        ],
    );
    let counters = of_all_vnets(&ask(&["counters", "--all-vnets"]), "counters");
    let counters: Vec<Value> = counters
        .iter()
        .flat_map(|of| of["members"].as_array().unwrap().iter().map(move |it| json!([of, it])))
        .collect();
    compare(
        "counters",
        &read("counters"),
        &counters,
        &[
            ("vnet", "/0/vnet/index"),
            ("vnet_address", "/0/vnet/address"),
            ("variable", "/0/name"),
            ("counter", "/1/name"),
            ("type", "/0/type"),
            ("value", "/1/value"),
        ],
    );
    let (info, triaged) = (ask(&["info"]), answer(&["-N", "kernel", "triage", "vmcore.0"], at));
    compare(
        "dumps",
        &read("dumps"),
        &[json!([info["info"], triaged["dumps"][0]])],
        &[
            ("path", "/0/core/path"),
            ("size", "/0/core/size"),
            ("format", "/0/core/format"),
            ("architecture", "/0/core/arch"),
            ("panic", "/0/panic"),
            ("version", "/1/version"),
            ("ident", "/0/kernel/ident"),
            ("osreldate", "/0/kernel/osreldate"),
            ("build_id", "/0/kernel/build_id"),
            ("belongs", "/0/kernel/belongs/verdict"),
            ("vnets", "/0/vnets"),
            ("jails", "/0/jails"),
            ("variables", "/0/variables"),
            ("signature", "/1/signature"),
            ("crash_function", "/1/stack/0"),
            ("crash_stack", "/1/stack"),
            ("crash_tid", "/1/thread/tid"),
            ("crash_vnet_address", "/1/thread/curvnet/address"),
        ],
    );
}

#[test]
fn sockets_and_addresses_are_those_of_all_vnets() {
    let image = built(&scenario("sockets.toml"));
    let at = image.path();
    let words = ["export", "-o", "exports", "--host", "h", "--tables", "sockets,addresses"];
    succeeds(&[&FILES[..], &words].concat(), at);
    let tables = fs::read_dir(at.join("exports")).unwrap().count();
    assert_eq!(tables, 2, "only these are written");
    let ask = |words: &[&str]| answer(&[&FILES[..], words].concat(), at);
    compare(
        "sockets",
        &exported(at, "sockets", "host=h/dump=vmcore.0"),
        &of_all_vnets(&ask(&["sockets", "--all-vnets"]), "sockets"),
        &[
            VNET[0],
            VNET[1],
            ("protocol", "/protocol"),
            ("state", "/state"),
            ("local", "/local"),
            ("remote", "/remote"),
            ("recv_queue", "/recv_queue"),
            ("listen_complete", "/listen_queue/complete"),
            ("listen_incomplete", "/listen_queue/incomplete"),
            ("listen_limit", "/listen_queue/limit"),
            ("pcb", "/pcb"),
            ("socket", "/socket"),
            ("jid", "/jail/jid"),
            ("dropped", "/dropped"),
        ],
    );
    let interfaces = of_all_vnets(&ask(&["interfaces", "--all-vnets"]), "interfaces");
    let addresses: Vec<Value> = interfaces
        .iter()
        .flat_map(|of| {
            of["address_details"].as_array().unwrap().iter().map(move |it| json!([of, it]))
        })
        .collect();
    compare(
        "addresses",
        &exported(at, "addresses", "host=h/dump=vmcore.0"),
        &addresses,
        &[
            ("vnet", "/0/vnet/index"),
            ("interface", "/0/name"),
            ("family", "/1/family"),
            ("address", "/1/address"),
            ("prefix", "/1/prefix"),
            ("zone", "/1/zone"),
            ("broadcast", "/1/broadcast"),
            ("flags", "/1/flags"),
        ],
    );
}

/// The scalars of a value in JSON, with their paths: signed, unsigned, text, elements left out.
fn scalars(value: &Value, path: &str, most: usize, out: &mut Vec<(String, [Value; 4])>) {
    const NULL: Value = Value::Null;
    let mut add = |cells| out.push((path.to_owned(), cells));
    let numbers = |value: &Value| [json!(value.as_i64()), json!(value.as_u64())];
    let with_text = |[signed, unsigned]: [Value; 2], text: Value| [signed, unsigned, text, NULL];
    let pointer = |text: &Value| json!(u64::from_str_radix(&text.as_str().unwrap()[2..], 16).ok());
    match value {
        Value::Number(number) if number.is_f64() => {
            add([NULL, NULL, json!(number.as_f64().unwrap().to_string()), NULL]);
        }
        Value::Number(_) => add(with_text(numbers(value), NULL)),
        Value::Bool(yes) => add(with_text(numbers(&json!(u8::from(*yes))), NULL)),
        Value::String(text) if text.starts_with("0x") => add([NULL, pointer(value), NULL, NULL]),
        Value::String(_) => add([NULL, NULL, value.clone(), NULL]),
        Value::Array(all) if all.len() > most => add([NULL, NULL, NULL, json!(all.len())]),
        Value::Array(all) => {
            for (index, element) in all.iter().enumerate() {
                scalars(element, &format!("{path}[{index}]"), most, out);
            }
        }
        Value::Object(it) if it.contains_key("error") => add([NULL, NULL, NULL, NULL]),
        Value::Object(it) if it.contains_key("enum") => {
            add(with_text(numbers(&it["value"]), it["enum"].clone()));
        }
        Value::Object(it) if it.contains_key("counter") => {
            add(with_text(numbers(&it["counter"]), NULL));
        }
        Value::Object(it) if it.contains_key("pointer") => {
            add([NULL, pointer(&it["pointer"]), NULL, NULL]);
        }
        Value::Object(it) if it.len() == 1 && it.get("bytes").is_some_and(Value::is_string) => {
            add([NULL, NULL, it["bytes"].clone(), NULL]);
        }
        Value::Object(members) => {
            for (name, member) in members {
                let joint = if path.is_empty() { "" } else { "." };
                scalars(member, &format!("{path}{joint}{name}"), most, out);
            }
        }
        Value::Null => panic!("no value of a variable is null"),
    }
}

#[test]
fn variables_are_taken_apart_into_scalars() {
    let image = built(&scenario("demo.toml"));
    let at = image.path();
    let host = "host=gw.example.org/dump=vmcore.0";
    for most in [64, 3] {
        let most_text = most.to_string();
        let words = ["export", "-o", "exports", "--tables", "variables,errors", "--max-elements"];
        succeeds(&[&FILES[..], &words, &[&most_text]].concat(), at);
        let told = answer(&[&FILES[..], &["vars", "--all-vnets"]].concat(), at);
        let told = of_all_vnets(&told, "variables");
        // Members of a JSON object have lost their order.
        let mut expected = Vec::new();
        for variable in &told {
            let mut parts = Vec::new();
            scalars(&variable["value"], "", most, &mut parts);
            let start = [&variable["vnet"]["index"], &variable["name"], &variable["file"]];
            let start = start.map(Value::to_string).join(" ");
            expected.extend(parts.into_iter().map(|part| (start.clone(), part)));
        }
        let rows = exported(at, "variables", host);
        let columns = ["value_signed", "value_unsigned", "value_text", "left_out"];
        let mut found: Vec<_> = rows
            .iter()
            .map(|row| {
                let start = ["vnet", "name", "file"].map(|name| row[name].to_string()).join(" ");
                let path = row["path"].as_str().unwrap().to_owned();
                let mut cells = columns.map(|name| row[name].clone());
                // What a pointer leads to is not in all of the JSON.
                if cells[0].is_null() && !cells[1].is_null() {
                    cells[2] = Value::Null;
                }
                (start, (path, cells))
            })
            .collect();
        expected.sort_by_key(|part| format!("{part:?}"));
        found.sort_by_key(|part| format!("{part:?}"));
        let different = expected.iter().zip(&found).find(|(one, other)| one != other);
        assert_eq!(different, None, "at most {most} elements");
        assert_eq!(expected.len(), found.len());
        assert!(found.len() > 3000);
        // What is null for a reason has it in `errors`, and nothing else has.
        let is_null = |row: &&Value| columns.iter().all(|name| row[name].is_null());
        let errors = exported(at, "errors", host);
        let of_values = errors.iter().filter(|row| row["table_name"] == "variables");
        assert_eq!(of_values.count(), rows.iter().filter(is_null).count());
    }
    // The scenario sets this in web01.
    let rows = exported(at, "variables", host);
    let ttl = |vnet: u64| {
        let is_it = |row: &&Value| row["name"] == "ip_defttl" && row["vnet"] == vnet;
        rows.iter().find(is_it).unwrap()["value_signed"].clone()
    };
    assert_eq!([ttl(0), ttl(1), ttl(2)], [64, 42, 128]);
}

#[test]
fn sysctls_of_no_vnet_are_there_once() {
    let image = built(&scenario("demo.toml"));
    let at = image.path();
    let words = ["export", "-o", "exports", "--tables", "sysctls"];
    succeeds(&[&FILES[..], &words].concat(), at);
    let rows = exported(at, "sysctls", "host=gw.example.org/dump=vmcore.0");
    let named = |name: &str| -> Vec<[Value; 3]> {
        let rows = rows.iter().filter(|row| row["name"] == name);
        rows.map(|row| ["vnet", "value_signed", "value_text"].map(|it| row[it].clone())).collect()
    };
    let null = Value::Null;
    assert_eq!(named("kern.ostype"), [[null.clone(), null.clone(), json!("FreeBSD")]]);
    let ttl = |vnet: u64, ttl: u64| [json!(vnet), json!(ttl), null.clone()];
    assert_eq!(named("net.inet.ip.ttl"), [ttl(0, 64), ttl(1, 42), ttl(2, 128)]);
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
    let page = include_str!("../docs/fleet.md");
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
