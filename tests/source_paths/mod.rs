//! The source as tests about its structure read it: its files, and the paths that they name.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file without its comments and unit tests.
pub struct SourceFile {
    /// Below `src/`: `value/queue/mod.rs`.
    pub path: String,
    /// `value::queue`; empty for the crate itself.
    pub module: String,
    pub code: String,
}

/// The files of the library, but for `lib.rs`.
pub fn library() -> Vec<SourceFile> {
    let mut files = read(&root().join("src"));
    files.retain(|file| !file.path.starts_with("bin/") && file.path != "lib.rs");
    files
}

/// The files of the binary.
pub fn binary() -> Vec<SourceFile> {
    read(&root().join("src/bin/vnetkvm"))
}

/// What the unit tests of a file begin with, which come last.
const UNIT_TESTS: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test, feature = \"cli\"))]"];

fn read(top: &Path) -> Vec<SourceFile> {
    let files = source_files(top).into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().take_while(|line| !UNIT_TESTS.contains(line));
        let code = code.filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        let path = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
        let module = path.strip_suffix(".rs").unwrap();
        let module = module.strip_suffix("/mod").unwrap_or(module).replace('/', "::");
        let module = if module == "main" { String::new() } else { module };
        SourceFile { path, module, code }
    });
    files.collect()
}

/// Every file of Rust below `top`.
pub fn source_files(top: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![top.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files
}

/// Every path below `crate::` that the code names, without the `crate::`.
pub fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        expand(rest, "", &mut paths);
    }
    paths
}

/// Reads a path or a `{…}` of paths from the start of `text`, adds what it names
/// below `prefix`, and gives what follows it.
pub fn expand<'a>(text: &'a str, prefix: &str, paths: &mut BTreeSet<String>) -> &'a str {
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
    let path = match name {
        "self" | "*" => prefix.to_owned(),
        _ => join(prefix, name),
    };
    match rest.strip_prefix("::") {
        Some(deeper) => expand(deeper, &path, paths),
        None => {
            paths.insert(path);
            rest
        }
    }
}

pub fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
