//! What each layer must not know, as docs/architecture.md states it, checked
//! against the paths that the source really names. Unit tests may cross layers.

mod source_paths;

use std::fs;

use source_paths::{SourceFile, crate_paths, library, root, source_files};

/// What the layers at the bottom may name: each other.
const BOTTOM: &[&str] =
    &["addr", "arch", "budget", "bytes", "fault", "parallel", "recent", "shorten"];

/// What else each layer may name: a module, or a part of one.
const LAYERS: &[(&str, &[&str])] = &[
    ("addr", &[]),
    ("arch", &[]),
    ("budget", &[]),
    ("bytes", &[]),
    ("fault", &[]),
    ("parallel", &[]),
    ("recent", &[]),
    ("shorten", &[]),
    ("constants", &[]),
    ("source", &[]),
    ("dump", &["source"]),
    ("paging", &["dump"]),
    ("memory", &["dump", "paging"]),
    ("kernel", &["source"]),
    ("types", &["kernel"]),
    // Raw memory is opened where both the bytes and the kernel are known.
    ("target", &["source", "dump", "paging", "memory", "kernel", "types"]),
    ("walk", &["target::ReadError"]),
    ("value", &["constants", "memory", "kernel", "types", "target", "walk"]),
    ("modules", &["source", "memory", "kernel", "types", "target", "walk", "value"]),
    ("vnet", &["constants", "kernel", "types", "target", "walk", "value", "modules"]),
    ("threads", &["constants", "kernel", "types", "target", "walk", "value", "modules", "vnet"]),
    (
        "views",
        &["constants", "kernel", "types", "target", "walk", "value", "modules", "vnet", "threads"],
    ),
    ("expr/eval", &["kernel", "types", "target", "walk", "value", "vnet"]),
    ("expr", &[]),
    (
        "convert",
        &[
            "constants",
            "source",
            "dump",
            "memory",
            "kernel",
            "target",
            "walk",
            "threads",
            "views",
            "vnet",
            "writing",
        ],
    ),
    // The errors of all layers, joined.
    ("error", &["source", "dump", "convert", "kernel", "types", "target", "value", "vnet", "expr"]),
    (
        "session",
        &[
            "source", "dump", "memory", "kernel", "types", "target", "walk", "value", "modules",
            "vnet", "threads", "views", "expr", "error",
        ],
    ),
    (
        "answers",
        &[
            "convert",
            "dump",
            "memory",
            "kernel",
            "types",
            "target",
            "walk",
            "value",
            "modules",
            "vnet",
            "threads",
            "views",
            "expr::eval",
            "expr::words",
            "error",
            "session",
        ],
    ),
    (
        "render",
        &[
            "answers",
            "types::model",
            "types::declaration",
            "value::model",
            "walk",
            "value::Value",
            "modules",
            "vnet",
            "threads",
            "views",
        ],
    ),
    (
        "export",
        &["answers", "dump", "error", "kernel", "session", "value", "views", "vnet", "walk"],
    ),
    (
        "gdbserver",
        &[
            "source",
            "kernel",
            "target",
            "walk",
            "value",
            "modules",
            "threads",
            "answers",
            "session",
            "render::markup",
        ],
    ),
    // What is written, it is told.
    ("writing", &[]),
    // Paths are parsed, never evaluated.
    ("image", &["source", "kernel", "types", "expr", "writing"]),
];

#[test]
fn no_layer_names_what_it_must_not_know() {
    let mut wrong = Vec::new();
    let mut named = 0;
    for SourceFile { path, code, .. } in library() {
        let layer = layer_of(&path);
        let top = layer.split('/').next().unwrap();
        let (_, allowed) = LAYERS.iter().find(|(name, _)| *name == layer).unwrap_or_else(|| {
            panic!("{path} belongs to no layer: add {layer} to LAYERS and docs/architecture.md")
        });
        for item in crate_paths(&code) {
            let mut allowed = BOTTOM.iter().chain(*allowed).chain([&top]);
            let evaluates = top == "image" && is_within(&item, "expr::eval");
            if evaluates || !allowed.any(|prefix| is_within(&item, prefix)) {
                wrong.push(format!("{path} names crate::{item}"));
            }
            named += 1;
        }
    }
    assert!(named > 200, "only {named} paths were found");
    assert_eq!(wrong, [""; 0], "see docs/architecture.md, Invariants");
}

#[test]
fn only_the_edges_touch_the_world() {
    const FILES: &[&str] = &["source/", "image/mod.rs"];
    let mut wrong = Vec::new();
    for SourceFile { path, code, .. } in library() {
        let mut forbidden = vec!["println!", "print!", "eprint!", "dbg!", "std::process"];
        if !FILES.iter().any(|edge| path.starts_with(edge)) {
            forbidden.extend(["std::fs", "fs::read", "File::open", "File::create"]);
        }
        if path != "source/map.rs" {
            forbidden.push("unsafe ");
        }
        let found = forbidden.into_iter().filter(|word| code.contains(word));
        wrong.extend(found.map(|word| format!("{path} has {word}")));
    }
    assert_eq!(wrong, [""; 0], "see docs/architecture.md, Invariants");
}

#[test]
fn every_module_says_what_it_is() {
    for path in source_files(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} has no module documentation", path.display());
    }
}

#[test]
fn the_code_map_knows_every_module() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = if name.contains('.') { name } else { format!("{name}/") };
        assert!(page.contains(&format!("src/{name}")), "src/{name} is not on the code map");
    }
}

/// The layer of a file: its module at the top, apart from the evaluator.
fn layer_of(path: &str) -> String {
    let module = path.strip_suffix(".rs").unwrap();
    match module {
        _ if module.starts_with("expr/eval") => "expr/eval".to_owned(),
        _ => module.split('/').next().unwrap().to_owned(),
    }
}

/// Is `item` the module or item `prefix`, or inside it?
fn is_within(item: &str, prefix: &str) -> bool {
    item.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn paths_are_found_in_every_spelling() {
    let code = "use crate::a::{self, b, c::{D as E, *}};\nfn f(x: crate::g::H) {}";
    let expected = ["a", "a::b", "a::c", "a::c::D", "g::H"];
    assert_eq!(crate_paths(code).into_iter().collect::<Vec<_>>(), expected);
}
