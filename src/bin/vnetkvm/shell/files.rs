//! Names of files in an unfinished line.

use std::fs;
use std::path::Path;

use super::found::{Found, found};

/// More than anybody would read.
const MOST: usize = 1000;

/// The files whose path begins so, or only the directories; `start` is where it begins. Names that
/// would need quotation marks are left out.
pub fn beginning(start: usize, path: &str, only_directories: bool) -> Found {
    let (directory, prefix) = path
        .rsplit_once('/')
        .map_or(("", path), |(directory, prefix)| (&path[..=directory.len()], prefix));
    let place = if directory.is_empty() { Path::new(".") } else { Path::new(directory) };
    let Ok(entries) = fs::read_dir(place) else { return Found::default() };
    let mut words: Vec<String> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let is_hidden = name.starts_with('.') && !prefix.starts_with('.');
            if !name.starts_with(prefix) || is_hidden || !is_plain(&name) {
                return None;
            }
            let is_directory = fs::metadata(entry.path()).is_ok_and(|it| it.is_dir());
            let end = if is_directory { "/" } else { "" };
            (is_directory || !only_directories).then(|| format!("{directory}{name}{end}"))
        })
        .take(MOST)
        .collect();
    words.sort_unstable();
    found(start, words)
}

fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || "._-+,:@%".contains(c))
}
