//! What README.md and the other pages say is true: commands in `console` blocks
//! are run and must print what stands below them, and links lead somewhere.
//!
//! A line `...` in the README stands for any lines, `[..]` for any text in a line.
//! `/tmp` stands for a directory that is new in every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::Assert;

#[test]
fn commands_print_what_the_readme_shows() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut commands = 0;
    for block in blocks(&readme, "console") {
        for example in split_at_commands(block) {
            let (command, expected) = example.split_once('\n').unwrap();
            let actual = run(command, directory.path());
            Assert::new().normalize_paths(false).eq(actual, expected);
            commands += 1;
        }
    }
    assert!(commands >= 15, "only {commands} commands are shown");
}

#[test]
fn the_first_command_is_the_main_job_and_the_second_runs_the_tests() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let first = blocks(&readme, "sh").next().unwrap();
    let expected = ["cargo run --release -- --demo vars --vnet 1", "cargo test"];
    assert_eq!(first.lines().collect::<Vec<_>>(), expected);
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.lines().any(|line| line.starts_with(expected[1])), "CI runs other tests");
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let file = target.split('#').next().unwrap();
            let path = page.parent().unwrap().join(file);
            assert!(path.exists(), "{} links to {target}", page.display());
            links += 1;
        }
    }
    assert!(links >= 10, "only {links} links were found");
}

/// Runs a command line and gives what a terminal would have shown.
fn run(command: &str, directory: &Path) -> String {
    let directory = directory.to_str().unwrap();
    let words = shlex::split(command.strip_prefix("$ ").unwrap()).unwrap();
    let (program, arguments) = words.split_first().unwrap();
    assert_eq!(program, "vnetkvm", "{command}");
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(arguments.iter().map(|word| word.replace("/tmp", directory)))
        .current_dir(root())
        .env_remove("VNETKVM_KERNEL")
        .env_remove("VNETKVM_CORE")
        .output()
        .unwrap();
    let shown = [output.stderr, output.stdout].concat();
    let shown = String::from_utf8(shown).unwrap().replace(directory, "/tmp");
    assert_eq!(output.status.success(), !shown.contains("error: "), "{command}: {shown}");
    shown
}

/// The contents of the fenced blocks in this language.
fn blocks<'a>(page: &'a str, language: &str) -> impl Iterator<Item = &'a str> {
    let fence = format!("```{language}\n");
    let starts: Vec<usize> = page.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
    starts.into_iter().map(|start| page[start..].split("```").next().unwrap())
}

/// Each command with what it prints.
fn split_at_commands(block: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> = block.match_indices("\n$ ").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends: Vec<usize> = starts[1..].iter().copied().chain([block.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &block[start..end])
}

/// Every page for people to read.
fn pages() -> Vec<PathBuf> {
    let directories = ["", "docs", "docs/formats", "fixtures"];
    let entries = directories.iter().flat_map(|name| fs::read_dir(root().join(name)).unwrap());
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
