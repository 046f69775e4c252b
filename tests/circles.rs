//! No two files import each other.
//!
//! A file imports another if it names what the other defines, directly or through a
//! re-export. A folder's own file may re-export what its files define: that is no import.
//! Methods and parts of a large type may stand in several files, which name the type.

mod source_paths;

use std::collections::{BTreeMap, BTreeSet};

use source_paths::{SourceFile, binary, expand, join, library};

/// Types whose methods or parts stand in files of their own, and the modules that define them.
const LARGE_TYPES: &[(&str, &str)] = &[
    ("image::machine", "Machine"),
    ("image::runtime", "Runtime"),
    ("session", "Session"),
    ("source::other", "OtherFile"),
    ("types", "Types"),
    ("types::dwarf", "DwarfFile"),
    ("types::dwarf", "Reader"),
    ("types::dwarf::code", "Code"),
    ("types::ctf", "CtfFile"),
    ("value::elements", "Elements"),
    ("value::model", "Value"),
    ("value::read", "ValueReader"),
    ("views::backtrace", "Tracer"),
];

#[test]
fn no_two_files_import_each_other() {
    for (files, some) in [(library(), 200), (binary(), 20)] {
        let imports = Source::new(&files).imports();
        assert!(imports.len() > some, "only {} imports were found", imports.len());
        assert_eq!(circles(&imports), [""; 0]);
    }
}

/// Which module names which items of which other module.
type Imports = BTreeMap<(String, String), BTreeSet<String>>;

fn circles(imports: &Imports) -> Vec<String> {
    let mut circles = Vec::new();
    for ((from, to), items) in imports {
        let Some(back) = imports.get(&(to.clone(), from.clone())) else { continue };
        let is_part_of = |module: &String, names: &BTreeSet<String>| {
            names.iter().all(|name| LARGE_TYPES.contains(&(module, name)))
        };
        if from < to && !is_part_of(to, items) && !is_part_of(from, back) {
            let (items, back) = (list(items), list(back));
            circles.push(format!("{from} names {items} of {to}, and {to} names {back} of {from}"));
        }
    }
    circles
}

fn list(items: &BTreeSet<String>) -> String {
    items.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

struct Source<'a> {
    files: &'a [SourceFile],
    modules: BTreeSet<&'a str>,
    /// What a module re-exports, by its path there.
    re_exports: BTreeMap<String, String>,
}

impl<'a> Source<'a> {
    fn new(files: &'a [SourceFile]) -> Self {
        let modules = files.iter().map(|file| file.module.as_str()).collect();
        let mut source = Self { files, modules, re_exports: BTreeMap::new() };
        for file in files {
            for path in source.paths(&re_exports(&file.code).join("\n"), &file.module) {
                let name = path.rsplit("::").next().unwrap();
                source.re_exports.insert(join(&file.module, name), path.clone());
            }
        }
        source
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for file in self.files {
            let re_exports = re_exports(&file.code);
            let own = re_exports.iter().fold(file.code.clone(), |code, one| code.replace(one, ""));
            let named = self.paths(&own, &file.module);
            let passed_on = self.paths(&re_exports.join("\n"), &file.module);
            let passed_on = passed_on.into_iter().filter(|path| !is_below(path, &file.module));
            for path in named.into_iter().chain(passed_on) {
                let (module, item) = self.resolve(&path);
                let is_related = is_below(&module, &file.module) || is_below(&file.module, &module);
                if module != file.module && !(item.is_empty() && is_related) {
                    let item = if item.is_empty() { "self".to_owned() } else { item };
                    imports.entry((file.module.clone(), module)).or_default().insert(item);
                }
            }
        }
        imports
    }

    /// The module that defines what a path names, and what is left of the path there.
    fn resolve(&self, path: &str) -> (String, String) {
        let mut path = path.to_owned();
        // A re-export may be one of a re-export.
        for _ in 0..8 {
            let ends = path.match_indices("::").map(|(end, _)| end).chain([path.len()]);
            let passed_on = ends.filter_map(|end| {
                Some((end, self.re_exports.get(&path[..end]).filter(|to| **to != path[..end])?))
            });
            let Some((end, to)) = passed_on.last() else { break };
            path = format!("{to}{}", &path[end..]);
        }
        let mut module = path.as_str();
        while !self.modules.contains(module) {
            module = module.rsplit_once("::").map_or("", |(parent, _)| parent);
            if module.is_empty() {
                break;
            }
        }
        let item = path[module.len()..].trim_start_matches("::").to_owned();
        (module.to_owned(), item)
    }

    /// The paths of this crate that the code of a module names, from the crate on.
    fn paths(&self, code: &str, module: &str) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        let parent =
            |module: &str| module.rsplit_once("::").map_or("", |(parent, _)| parent).to_owned();
        for (end, _) in code.match_indices("::") {
            let start = code[..end].rfind(|c: char| !c.is_alphanumeric() && c != '_');
            let start = start.map_or(0, |before| before + 1);
            if code[..start].ends_with(':') {
                continue;
            }
            let mut rest = &code[end + 2..];
            let base = match &code[start..end] {
                "crate" => String::new(),
                "self" => module.to_owned(),
                "super" => {
                    let mut base = parent(module);
                    while let Some(deeper) = rest.strip_prefix("super::") {
                        (base, rest) = (parent(&base), deeper);
                    }
                    base
                }
                name if self.modules.contains(join(module, name).as_str()) => join(module, name),
                _ => continue,
            };
            expand(rest, &base, &mut paths);
        }
        paths
    }
}

/// The `pub use` of a file.
fn re_exports(code: &str) -> Vec<&str> {
    let starts = code.match_indices("pub").filter(|(start, _)| {
        let is_line = *start == 0 || code[..*start].ends_with('\n');
        let rest = code[start + 3..].split_once(';').map_or("", |(statement, _)| statement);
        let rest =
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |it| it.1);
        is_line && rest.starts_with(" use ")
    });
    starts.map(|(start, _)| &code[start..=start + code[start..].find(';').unwrap()]).collect()
}

fn is_below(path: &str, module: &str) -> bool {
    module.is_empty() || path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
}

#[test]
fn circles_are_found_through_re_exports() {
    let file = |module: &str, code: &str| SourceFile {
        path: String::new(),
        module: module.to_owned(),
        code: code.to_owned(),
    };
    let mut files = vec![
        file("a", "mod b;\npub use b::B;\npub use self::b::{C, D};"),
        file("a::b", "use super::super::c::{self, E};"),
        file("c", "use crate::d::F;\nfn f() -> crate::a::C {}"),
        file("d", "use crate::x;"),
        file("types", "mod load;\nuse load::Loader;"),
        file("types::load", "use crate::types::Types;"),
    ];
    let found = |files: &[SourceFile]| circles(&Source::new(files).imports());
    assert_eq!(found(&files), ["a::b names E, self of c, and c names C of a::b"]);
    files[2].code.clear();
    assert_eq!(found(&files), [""; 0]);
    files[5].code.push_str("use super::Made;");
    assert_eq!(found(&files).len(), 1);
}
