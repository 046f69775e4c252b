//! Expressions and variables against what gdb says of the same memory
//! (`fixtures/expressions`): types and values. Where gdb does not say what C says,
//! `differences.tsv` has what C says, and why.

#![cfg(feature = "image")]

mod tsv;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;
use vnetkvm::image::{self, Format, Image, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::render::c;
use vnetkvm::session::{Names, Options, Place, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::model::ErrorKind;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::Vnet;

/// Kernels, and what the tables call them.
const KERNELS: [(&str, &str); 2] = [("classic-clang-dwarf4", "amd64"), ("i386", "i386")];

#[test]
fn expressions_are_what_gdb_and_c_say() {
    for (kernel, name) in KERNELS {
        let dump = Dump::of(kernel);
        let session = dump.session();
        let vnet = other_vnet(&session);
        let mut differences = differences(name);
        let mut wrong = Vec::new();
        let mut compared = 0;
        for row in tsv::rows(&table(&format!("expressions-{name}.tsv"))) {
            let [expression, type_name, value] = row.fields();
            let gdb = (type_name.to_owned(), value.to_owned());
            let told = match differences.remove(expression) {
                Some(c) => {
                    assert_ne!(c, gdb, "{name}: gdb says the same of {expression}");
                    c
                }
                None => gdb,
            };
            compared += 1;
            let ours = session.print(vnet.into(), expression, &everything());
            let agrees = match &ours {
                Ok(printed) if told.0.is_empty() => matches!(printed.value, Value::Error(_)),
                Ok(printed) => {
                    *printed.type_name == *told.0 && is_told(&printed.value, &json(&told.1))
                }
                Err(_) => told.0.is_empty(),
            };
            if !agrees {
                wrong.push(format!("{expression}: {told:?}, not {ours:?}"));
            }
        }
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
        assert!(compared > 400, "{name}: only {compared} expressions");
        assert!(differences.is_empty(), "{name}: never asked for: {differences:?}");
    }
}

#[test]
fn every_variable_is_what_gdb_says() {
    for (kernel, name) in KERNELS {
        let dump = Dump::of(kernel);
        let session = dump.session();
        let vnet = other_vnet(&session);
        let rows: Vec<_> = tsv::rows(&table(&format!("variables-{name}.tsv"))).collect();
        assert_eq!(session.variables(&[]).unwrap().len(), rows.len(), "{name}");
        for row in rows {
            let [variable, file, _, value] = row.fields();
            let expression = format!("{variable}@{file}");
            let printed = session.print(vnet.into(), &expression, &everything());
            let printed = printed.unwrap_or_else(|why| panic!("{name}: {expression}: {why}"));
            let ours = &printed.value;
            // gdb shows a number where freed memory's pattern is told.
            if let Value::Error(error) = ours
                && error.kind == ErrorKind::Freed
            {
                assert!(["3735929054", "16045693110842147038"].contains(&value), "{expression}");
                continue;
            }
            assert!(is_told(ours, &json(value)), "{name}: {expression}: {value}, not {ours:?}");
        }
    }
}

#[test]
fn the_letters_of_print_write_what_gdb_writes() {
    /// What is no error here, but text that gdb breaks off at a NUL.
    const DIFFERENCES: [(&str, &str, &str); 1] =
        [("/s", "V_feat_bytes", r#""\000\001\177\200\377""#)];
    for (kernel, name) in KERNELS {
        let dump = Dump::of(kernel);
        let session = dump.session();
        let place = Place { stack: other_vnet(&session).into(), names: Names::default() };
        let (mut wrong, mut compared) = (Vec::new(), 0);
        for row in tsv::rows(&table(&format!("formats-{name}.tsv"))) {
            let [letters, expression, text] = row.fields();
            let reader = session.reader(&everything()).for_people(letters.parse().unwrap());
            let evaluation = session.evaluate(place, expression).unwrap();
            let printed = session.read(&evaluation, &reader);
            let ours = c::line(&printed.value);
            let other = DIFFERENCES.iter().find(|each| (each.0, each.1) == (letters, expression));
            // gdb cannot write wide numbers with every letter.
            let told = match other.map_or(text, |(_, _, told)| told) {
                "" => continue,
                told => told.strip_prefix(&format!("({}) ", printed.type_name)).unwrap_or(told),
            };
            compared += 1;
            if ours != told {
                wrong.push(format!("{letters} {expression}: {told}, not {ours}"));
            }
        }
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
        assert!(compared > 500, "{name}: only {compared} values");
    }
}

/// The tables are what gdb says today.
#[test]
#[ignore = "needs gdb"]
fn gdb_still_says_what_was_recorded() {
    let directory = tempfile::tempdir().unwrap();
    for (kernel, _) in KERNELS {
        let image = image_of(kernel);
        let into = directory.path().join(kernel);
        image.save_kernel(&into).unwrap();
        image.save(Format::Virtual, &into).unwrap();
    }
    let recorded = Command::new(table("record.sh"))
        .args([directory.path(), directory.path()])
        .output()
        .unwrap();
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    for (_, name) in KERNELS {
        for kind in ["expressions", "formats", "variables"] {
            let file = format!("{kind}-{name}.tsv");
            let now = std::fs::read_to_string(directory.path().join(&file)).unwrap();
            let then = std::fs::read_to_string(table(&file)).unwrap();
            let changed = now.lines().zip(then.lines()).find(|(now, then)| now != then);
            assert_eq!(changed, None, "{file}: run fixtures/expressions/record.sh");
            assert_eq!(now.len(), then.len(), "{file}: run fixtures/expressions/record.sh");
        }
    }
}

/// A minidump of the image, so that what gdb reads from the virtual core is read
/// another way.
struct Dump {
    directory: TempDir,
    core: PathBuf,
}

impl Dump {
    fn of(kernel: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = image_of(kernel);
        image.save_kernel(directory.path()).unwrap();
        let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
        Self { directory, core }
    }

    fn session(&self) -> Session {
        let kernel = Some(self.directory.path().join("kernel"));
        Session::open(&Options { kernel, core: self.core.clone(), ..Options::default() }).unwrap()
    }
}

fn image_of(kernel: &str) -> Image {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let scenario = Scenario::open(fixtures.join("scenarios/expressions.toml")).unwrap();
    let kernel = Source::open(fixtures.join("kernel").join(kernel)).unwrap();
    image::build(&scenario, Kernel::open(kernel, None).unwrap()).unwrap()
}

fn other_vnet(session: &Session) -> &Vnet {
    session.select(&Selector::Index(1)).unwrap().stacks[0].vnet().unwrap()
}

fn table(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expressions").join(name)
}

fn everything() -> Limits {
    Limits::unlimited()
}

/// What C says where gdb says something else: type and value by expression.
fn differences(kernel: &str) -> BTreeMap<String, (String, String)> {
    let table = table("differences.tsv");
    let rows = tsv::rows(&table).map(|row| {
        let [kernels, expression, type_name, value, _] = row.fields();
        let told = (type_name.to_owned(), value.to_owned());
        (kernels == "all" || kernels == kernel).then(|| (expression.to_owned(), told))
    });
    rows.flatten().collect()
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// Is a value what gdb told of it?
fn is_told(ours: &Value, told: &Json) -> bool {
    let is_number = |number: i128| match told {
        Json::Number(told) => told.to_string() == number.to_string(),
        Json::String(told) => *told == number.to_string(),
        _ => false,
    };
    match ours {
        Value::Int(number) | Value::Char(number) => is_number(*number),
        Value::Enum(found) => is_number(found.value),
        Value::Bool(value) => is_number((*value).into()),
        Value::Float(value) => told.as_f64() == Some(*value),
        Value::Pointer(pointer) => is_number(pointer.address.get().into()),
        Value::Record(record) => {
            let Json::Object(told) = told else { return false };
            let is_member = |name: &str, value| told.get(name).is_some_and(|m| is_told(value, m));
            told.len() == record.len()
                && record.members().all(|(name, value)| is_member(name, value))
        }
        Value::Array(array) => {
            let told: Vec<&Json> = elements(told).collect();
            told.len() == array.elements.len()
                && array.omitted == 0
                && array.elements.iter().zip(told).all(|(ours, told)| is_told(&ours, told))
        }
        // What stands behind the end of a string is not shown.
        Value::Text(text) => {
            let bytes = elements(told).map_while(|told| told.as_i64().filter(|byte| *byte != 0));
            bytes.map(|byte| byte as u8).eq(text.bytes())
        }
        Value::Counter { address, .. } => is_number(address.get().into()),
        // A counter that there is not yet: a pointer, to gdb.
        Value::Error(why) if why.kind == ErrorKind::Unallocated => {
            is_number(why.address.map_or(0, |address| address.get()).into())
        }
        Value::Told(told_so) => is_told(&told_so.value, told),
        Value::Error(_) => false,
        // A number too large for both, or of a kind that gdb's Python has no name for.
        Value::Bytes(bytes) => {
            let number: Option<[u8; 16]> = bytes.bytes[..].try_into().ok();
            let is_it = |number| Json::String(u128::from_le_bytes(number).to_string()) == *told;
            told.is_null() || number.is_some_and(is_it)
        }
    }
}

/// The elements of an array as the tables have them, equal ones in runs.
fn elements(told: &Json) -> impl Iterator<Item = &Json> {
    let runs = told["[]"].as_array().into_iter().flatten();
    runs.flat_map(|run| {
        let count = run[0].as_u64().unwrap_or(0);
        (0..count).map(move |_| &run[1])
    })
}
