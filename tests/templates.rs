//! Answers by a template have what JSON lines have: the same elements, the same values.

#![cfg(feature = "cli")]

use std::collections::BTreeSet;
use std::process::Command;

use proptest::prelude::*;
use serde_json::Value;
use vnetkvm::image;
use vnetkvm::render::sanitize;
use vnetkvm::render::template::Template;

/// Commands with elements of every kind, and what each needs to answer.
const COMMANDS: [&str; 25] = [
    "info",
    "info --dmesg",
    "vnets --scan",
    "vars --all-vnets",
    "vars --jail web01 tcp*",
    "print --all-vnets V_ipstat prison0 no_such V_ifnet.cstqh_first",
    "type vnet ifnet",
    "read &prison0 4K",
    "whatis 0x10 &V_tcbinfo 0xfffff80000621040 no_such",
    "counters --all-vnets",
    "sysctl -a --all-vnets",
    "sysinit",
    "sysinit --all-vnets",
    "modules",
    "modspace",
    "jails",
    "threads --all",
    "bt --all",
    "interfaces --all-vnets",
    "sockets --all-vnets",
    "routes --all-vnets",
    "neighbors --all-vnets",
    "topology",
    "check",
    "diff --all-vnets",
];

struct Said {
    status: i32,
    out: String,
    err: String,
}

fn run(files: &[&str], command: &str, format: &str) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(files)
        .args(command.split(' '))
        .args(["--format", format])
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    Said { status, out: text(output.stdout), err: text(output.stderr) }
}

/// The elements of an answer, by JSON lines.
fn elements(files: &[&str], command: &str) -> Vec<Value> {
    let said = run(files, command, "jsonl");
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Is this what a template writes for a value?
fn is_written(cell: &str, value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => cell.is_empty(),
        Some(Value::String(text)) => cell == sanitize::line(text),
        Some(Value::Object(object)) if object.len() == 1 && object.contains_key("error") => {
            let part = |name: &str| object["error"][name].as_str().unwrap();
            cell == sanitize::line(&format!("<{}: {}>", part("kind"), part("message")))
        }
        Some(value @ (Value::Object(_) | Value::Array(_))) => {
            serde_json::from_str::<Value>(cell).is_ok_and(|read| read == *value)
        }
        Some(value) => {
            let json = value.to_string();
            cell == json
        }
    }
}

/// Compares each member of each element, and gives the number of elements and of errors.
fn compare(files: &[&str], command: &str) -> (usize, usize) {
    let elements = elements(files, command);
    let names: BTreeSet<&String> =
        elements.iter().flat_map(|element| element.as_object().unwrap().keys()).collect();
    let paths: Vec<String> = names.iter().map(|name| format!("{{{name}}}")).collect();
    let Said { out, err, .. } = run(files, command, &format!("{}\\t{{}}", paths.join("\\t")));
    assert_eq!(out.lines().count(), elements.len(), "{command}: {err}");
    for (line, element) in out.lines().zip(&elements) {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), names.len() + 1, "{command}: {line}");
        for (name, cell) in names.iter().zip(&cells) {
            let value = element.get(name.as_str());
            assert!(is_written(cell, value), "{command}: {name} is {value:?}, but {cell}");
        }
        assert!(is_written(cells[names.len()], Some(element)), "{command}: {line}");
    }
    (elements.len(), out.matches("\t<").count())
}

#[test]
fn every_command_says_what_json_lines_say() {
    for command in COMMANDS {
        let (elements, _) = compare(&["--demo"], command);
        assert!(elements > 0, "{command} has no elements");
    }
}

/// The last pages are missing: errors stand in the places of values.
#[test]
fn errors_are_those_of_json_lines() {
    let demo = image::demo().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (kernel, core) = (place("kernel"), place("vmcore"));
    std::fs::write(&kernel, demo.kernel.bytes()).unwrap();
    let all = demo.core.bytes();
    let mut errors = 0;
    for pages in [8, 16, 24] {
        std::fs::write(&core, &all[..all.len() - pages * 4096 - 100]).unwrap();
        let files = ["-N", &kernel, "-M", &core];
        for command in ["vars --vnet 0", "vars --vnet 1", "interfaces --vnet 0", "threads"] {
            let (_, found) = compare(&files, command);
            if found > 0 && command.starts_with("vars") {
                let strict = run(&files, &format!("{command} --strict"), "{name}");
                assert_eq!((strict.status, &*strict.out), (2, ""), "{}", strict.err);
            }
            errors += found;
        }
    }
    assert!(errors > 10, "{errors}");
}

#[test]
fn paths_lead_where_they_say() {
    let demo = |command, template| run(&["--demo"], command, template).out;
    assert_eq!(
        demo("vars --all-vnets ip_defttl", r"{vnet.index}\t{name}\t{value}"),
        "0\tip_defttl\t64\n1\tip_defttl\t42\n2\tip_defttl\t128\n"
    );
    assert_eq!(
        demo("print ip_defttl ip_defttl+1", "{expression} {value}"),
        "ip_defttl 42\nip_defttl+1 43\n"
    );
    let lines = demo("interfaces --jail web01", "{name} {addresses[0]} {home_vnet.index}");
    assert_eq!(lines, "lo0 127.0.0.1/8 1\nepair0b 172.16.0.2/24 0\n");
    assert_eq!(demo("jails", r"{jid}\0"), "0\x001\x004\x003\x00");
    assert_eq!(demo("vnets", "{index} {jails[*].name}"), "0 0\n1 web01,web01.php\n2 db01\n");

    let stacks = elements(&["--demo"], "bt --all");
    let functions = stacks.iter().map(|stack| {
        let frames = stack["frames"].as_array().unwrap().iter();
        let names: Vec<&str> =
            frames.map(|frame| frame["function"].as_str().unwrap_or_default()).collect();
        format!("{} {}\n", stack["threads"][0]["tid"], names.join(","))
    });
    let lines = demo("bt --all", "{threads[0].tid} {frames[*].function}");
    assert_eq!(lines, functions.collect::<String>());
}

#[test]
fn a_wrong_template_is_refused_before_anything_is_opened() {
    for (template, fault, marks) in [
        ("{name", "this brace is not closed", "    ^\n"),
        ("{name:>8}", "':' cannot stand in a path", "         ^\n"),
        (r"{name}\e", "there is no such escape", "          ^^\n"),
        ("{{name}}", "the template names no member", "    ^^^^^^^^\n"),
    ] {
        let said = run(&["-N", "/nowhere", "-M", "/nowhere"], "vars", template);
        assert_eq!((said.status, &*said.out), (2, ""), "{template}");
        let told = format!("--format <FORMAT>': {fault}\n    {template}\n{marks}hint: ");
        assert!(said.err.contains(&told), "{}", said.err);
    }
    let said = run(&["--demo"], "vars", "tabel");
    assert_eq!(said.status, 2);
    assert!(said.err.contains("[possible values: table, plain, json, jsonl]"), "{}", said.err);
    assert!(said.err.contains("--format '{vnet.index}\\t{name}'"), "{}", said.err);
    for command in ["report", "gdb", "shell", "completions zsh"] {
        let said = run(&["--demo"], command, "{name}");
        assert_eq!((said.status, &*said.out), (2, ""), "{command}: {}", said.err);
    }
}

#[test]
fn a_name_that_no_element_has_is_an_error() {
    for (command, template, told) in [
        (
            "vars ip_defttl",
            "{name} {vlue}",
            "error: no element of the answer has a member vlue\nhint: did you mean value?\n",
        ),
        (
            "vars ip_defttl",
            "{vnte.index}",
            "error: no element of the answer has a member vnte\nhint: there are address, file, \
             master, module, name, size, symbol, type, value, vnet\n",
        ),
        (
            "jails",
            "{vnet.indexx}",
            "error: no element of the answer has a member vnet.indexx\nhint: did you mean index?\n",
        ),
        (
            "vnets",
            "{index[0]}",
            "error: no element of the answer has an array at index\nhint: `--format jsonl` shows \
             what the elements have\n",
        ),
    ] {
        let said = run(&["--demo"], command, template);
        assert_eq!((said.status, &*said.out), (2, ""), "{template}");
        assert!(said.err.ends_with(told), "{}", said.err);
    }
    // A jail has a state only if it is not simply alive, any value may be an error, and what is
    // known of an address depends on what it is.
    for (command, template, out) in [
        ("vnets", "{index}{jails[*].state}", "0\n1,\n2\n"),
        ("vars ip_defttl", "{value}{value.error.kind}", "42\n"),
        ("read &V_ip_defttl 4", "{bytes}{error.kind}", "2a000000\n"),
        ("whatis &V_tcbinfo", "{kind}{function}", "vnet-variable\n"),
    ] {
        let said = run(&["--demo"], command, template);
        assert_eq!((said.status, &*said.out), (0, out), "{template}: {}", said.err);
    }
    // Without elements, nothing can be said of their names.
    let said = run(&["--demo"], "vars no_such", "{nmae}");
    assert_eq!(said.status, 1);
    assert!(!said.err.contains("nmae"), "{}", said.err);
}

proptest! {
    /// Text with many of the characters that mean something.
    #[test]
    fn no_text_breaks_the_parser(text in r"([{}\[\].*\\]|[a-z0-9é ]|\PC){0,40}") {
        match Template::parse(&text) {
            Ok(template) => prop_assert_eq!(template.text(), text),
            Err(why) => {
                prop_assert!(text.get(why.span.clone()).is_some(), "{:?}", why.span);
                prop_assert_eq!(why.caret().lines().count(), 2);
            }
        }
    }

    /// A path is taken as it is written, in one pair of braces.
    #[test]
    fn every_path_is_a_template(
        path in r"\.?[a-z_][a-z0-9_-]{0,8}(\[([0-9]{1,19}|\*)\]|\.[a-z$]{1,5}){0,6}",
    ) {
        let parses = |text: String| Template::parse(&text).is_ok();
        let (template, text) = (format!("{{{path}}}"), format!("{{{{{path}}}}}"));
        prop_assert!(parses(template));
        prop_assert!(!parses(text));
    }
}
