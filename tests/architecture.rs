//! What each layer must not know, as docs/architecture.md states it, checked
//! against the paths that the source really names. Unit tests may cross layers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the layers at the bottom may name: each other.
const BOTTOM: &[&str] = &["addr", "arch", "budget", "bytes", "fault", "shorten"];

/// What else each layer may name: a module, or a part of one.
const LAYERS: &[(&str, &[&str])] = &[
    ("addr", &[]),
    ("arch", &[]),
    ("budget", &[]),
    ("bytes", &[]),
    ("fault", &[]),
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
    ("value", &["memory", "kernel", "types", "target", "walk"]),
    ("modules", &["source", "memory", "kernel", "types", "target", "walk", "value"]),
    ("vnet", &["constants", "kernel", "types", "target", "walk", "value", "modules"]),
    ("threads", &["constants", "kernel", "types", "target", "walk", "value", "modules", "vnet"]),
    (
        "views",
        &["constants", "kernel", "types", "target", "walk", "value", "modules", "vnet", "threads"],
    ),
    ("expr/eval", &["kernel", "types", "target", "value", "vnet"]),
    ("expr", &[]),
    // The errors of all layers, joined.
    ("error", &["source", "dump", "kernel", "types", "target", "vnet", "expr"]),
    (
        "session",
        &[
            "source", "dump", "memory", "kernel", "types", "target", "walk", "value", "modules",
            "vnet", "threads", "views", "expr", "error",
        ],
    ),
    (
        "render",
        &[
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
    // Paths are parsed, never evaluated.
    ("image", &["source", "kernel", "types", "expr"]),
];

#[test]
fn no_layer_names_what_it_must_not_know() {
    let mut wrong = Vec::new();
    let mut named = 0;
    for (path, code) in library() {
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
    for (path, code) in library() {
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
    for path in source_files() {
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

/// The library's files, by path below src/, without comments and unit tests.
fn library() -> Vec<(String, String)> {
    let files = source_files().into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
        let code = code.filter(|line| !line.trim_start().starts_with("//"));
        (name, code.collect::<Vec<_>>().join("\n"))
    });
    files.filter(|(name, _)| !name.starts_with("bin/") && name != "lib.rs").collect()
}

fn source_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files
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

/// Every path below `crate::` that the code names, without the `crate::`.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        expand(rest, "", &mut paths);
    }
    paths
}

/// Reads a path or a `{…}` of paths from the start of `text`, adds what it names
/// below `prefix`, and gives what follows it.
fn expand<'a>(text: &'a str, prefix: &str, paths: &mut BTreeSet<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            if rest.is_empty() {
                return rest;
            }
            rest = expand(rest, prefix, paths);
            // What follows an `as` is no path of its own.
            rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
        }
    }
    let word = |byte: char| byte.is_alphanumeric() || byte == '_' || byte == '*';
    let end = text.find(|byte| !word(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = match (prefix, name) {
        (_, "self" | "*") => prefix.to_owned(),
        ("", _) => name.to_owned(),
        _ => format!("{prefix}::{name}"),
    };
    match rest.strip_prefix("::") {
        Some(deeper) => expand(deeper, &path, paths),
        None => {
            paths.insert(path);
            rest
        }
    }
}

#[test]
fn paths_are_found_in_every_spelling() {
    let code = "use crate::a::{self, b, c::{D as E, *}};\nfn f(x: crate::g::H) {}";
    let expected = ["a", "a::b", "a::c", "a::c::D", "g::H"];
    assert_eq!(crate_paths(code).into_iter().collect::<Vec<_>>(), expected);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
