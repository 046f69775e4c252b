//! A sound kernel gives no cause for alarm, whatever its release and architecture.

#![cfg(all(feature = "cli", feature = "image"))]

mod every_kernel;

use std::fs;
use std::path::Path;
use std::process::Command;

use every_kernel::KERNELS;
use serde_json::Value;

const QUESTIONS: [&str; 10] = [
    "vnets",
    "jails",
    "threads --all",
    "bt --all",
    "interfaces --all-vnets",
    "topology",
    "sockets --all-vnets",
    "routes --all-vnets",
    "neighbors --all-vnets",
    "info",
];

fn vnetkvm(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
    command.args(words).env("TERM", "dumb");
    command
}

fn build(kernel: &str, into: &Path) {
    let kernel = format!("fixtures/kernel/{kernel}");
    let into = into.to_str().unwrap();
    let words = ["image", "build", "fixtures/scenarios/demo.toml", "-N", &kernel, "-o", into];
    let output = vnetkvm(&words).output().unwrap();
    assert!(output.status.success(), "{kernel}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every element of the arrays called `problems`, wherever they are.
fn alarms(answer: &Value, found: &mut Vec<Value>) {
    match answer {
        Value::Array(all) => all.iter().for_each(|value| alarms(value, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::Array(problems) if name == "problems" => found.extend(problems.iter().cloned()),
            value => alarms(value, found),
        }),
        _ => {}
    }
}

#[test]
fn a_sound_kernel_causes_no_alarm() {
    let place = tempfile::tempdir().unwrap();
    for name in KERNELS {
        let image = place.path().join(name);
        build(name, &image);
        let (kernel, core) = (image.join("kernel"), image.join("vmcore.minidump-v2"));
        for question in QUESTIONS {
            let mut command = vnetkvm(&["--json", "-N"]);
            command.arg(&kernel).arg("-M").arg(&core).args(question.split(' '));
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {question}: {said}");
            assert!(!said.contains("warning"), "{name}: {question}: {said}");
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            let mut found = Vec::new();
            alarms(&answer, &mut found);
            assert!(found.is_empty(), "{name}: {question}: {found:#?}");
        }
    }
}

/// Lists that a dump lacks are unknown: nothing says that there is no jail, thread or stack.
#[test]
fn what_a_cut_dump_hides_is_unknown() {
    let place = tempfile::tempdir().unwrap();
    build("classic-clang-dwarf4", place.path());
    let (kernel, core) = (place.path().join("kernel"), place.path().join("vmcore.minidump-v2"));
    let whole = fs::read(&core).unwrap();
    // The page map of 8 MB is still there, and hardly any page.
    fs::write(&core, &whole[..whole.len().min(9_000_000)]).unwrap();
    for (question, array) in [("jails", "jails"), ("threads", "threads"), ("bt", "stacks")] {
        let mut command = vnetkvm(&["--json", "-N"]);
        let output = command.arg(&kernel).arg("-M").arg(&core).arg(question).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer[array], Value::Null, "{question}: {answer}");
        assert!(!answer["problems"].as_array().unwrap().is_empty(), "{question}: {answer}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("unknown: their list"), "{question}: {said}");
    }
}
