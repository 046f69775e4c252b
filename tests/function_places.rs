//! Pointers to functions are printed with the place of the function in the source. The places are
//! those that gdb's `info line` gives for the fixture kernels.

#![cfg(feature = "cli")]

use std::process::Command;

use serde_json::{Value, json};

fn answer(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm")).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_printed_pointer_to_a_function_has_its_source_line() {
    let shown = answer(&[
        "--demo",
        "--vnet",
        "1",
        "print",
        "feat_function",
        "feat_functions",
        "&tcp_output",
    ]);
    let expected = "\
feat_function = (feat_handler_t *) 0xffffffff8020a440 <feat_callee at dev/features/pointers.c:12>
feat_functions = (int (*[2])(int, const char *)) {
    0xffffffff8020a440 <feat_callee at dev/features/pointers.c:12>, 0x0,
}
&tcp_output = (function) 0xffffffff8020c400 <tcp_output at netinet/tcp_output.c:24>
";
    assert_eq!(shown, expected);
    let json: Value = serde_json::from_str(&answer(&[
        "--demo",
        "--json",
        "--vnet",
        "1",
        "print",
        "feat_function",
    ]))
    .unwrap();
    let (file, line) = ("dev/features/pointers.c", 12);
    let expected = json!({"pointer": "0xffffffff8020a440", "symbol": "feat_callee", "file": file, "line": line});
    assert_eq!(json["results"][0]["value"], expected);
}

#[test]
fn a_listing_of_variables_does_not_look_for_lines() {
    let words = ["--demo", "--vnet", "1", "vars", "feat_function"];
    assert!(answer(&words).contains("0xffffffff8020a440 <feat_callee>\n"));
    let json: Value = serde_json::from_str(&answer(&[&words[..], &["--json"]].concat())).unwrap();
    let expected = json!({"pointer": "0xffffffff8020a440", "symbol": "feat_callee"});
    assert_eq!(json["variables"][0]["value"], expected);
}
