//! What README.md, docs/guide.md and the other pages say is true.
//!
//! - Commands in `console` blocks are run and must print what stands below them. A line
//!   `...` stands for any lines, `[..]` for any text in a line, `/tmp` for a directory
//!   that is new in every run.
//! - `sh` blocks of every page, and the commands in README's table, are run by sh in a crash directory
//!   that holds the demonstration's kernel and dump. They must succeed, and of a server its first line is read.
//! - `rust` blocks are compiled with the library's documentation.
//! - The picture shows what its commands print now.
//! - Links lead somewhere, and files of the project that pages name exist.

#![cfg(feature = "cli")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use snapbox::Assert;
use vnetkvm::image::{self, Format, Scenario};

/// The pages whose examples are run.
const PAGES: [&str; 3] = ["README.md", "docs/guide.md", "docs/expressions.md"];

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

#[test]
fn commands_print_what_the_pages_show() {
    let mut commands = 0;
    for page in PAGES {
        let directory = tempfile::tempdir().unwrap();
        for block in blocks(&read(page), "console") {
            commands += replay(&block, directory.path());
        }
    }
    assert!(commands >= 30, "only {commands} commands are shown");
}

#[test]
fn commands_to_type_succeed() {
    let directory = crash_directory();
    let mut run = 0;
    for page in pages() {
        for block in blocks(&fs::read_to_string(page).unwrap(), "sh") {
            // The reader's shell builds and installs; this test does not.
            if !block.starts_with("cargo ") {
                shell(&block, directory.path());
                run += 1;
            }
        }
    }
    assert!(run >= 5, "only {run} blocks were run");
}

#[test]
fn every_question_of_the_readme_has_an_answer() {
    let directory = crash_directory();
    // The demonstration's kernel has no DPCPU variables.
    let of_cpus = crash_directory_of("pcpu");
    // Nor does it show where packets are.
    let with_packets = crash_directory_of("packets");
    let readme = read("README.md");
    let table = readme.split("| question | command |\n").nth(1).unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut run = 0;
    for command in rows.flat_map(|row| row.split('`').skip(1).step_by(2)) {
        if command.contains(" export ") && !cfg!(feature = "export") {
            continue;
        }
        let directory = match command {
            _ if command.contains("pcpu") => &of_cpus,
            _ if command.contains("--redact") => &with_packets,
            _ => &directory,
        };
        if command.ends_with("gdb-server") {
            assert!(first_line(command, directory.path()).starts_with("gdb -iex"), "{command}");
            continue;
        }
        // It waits for questions.
        let command = match command.ends_with(" shell") {
            true => format!("echo vnets | {command}"),
            false => command.to_owned(),
        };
        let output = shell(&command, directory.path());
        assert!(command.contains('>') || !output.stdout.is_empty(), "{command} prints nothing");
        run += 1;
    }
    assert!(run >= 10, "only {run} commands are in the table");
}

#[test]
fn every_block_is_of_a_kind_that_is_tested() {
    for page in PAGES {
        let text = read(page);
        for opening in text.lines().filter(|line| line.starts_with("```")).step_by(2) {
            let tested = ["```console", "```sh", "```rust,no_run"];
            assert!(tested.contains(&opening), "{page} has a block {opening}");
        }
    }
}

#[test]
fn the_first_command_is_the_main_job_and_the_second_runs_the_tests() {
    let first = blocks(&read("README.md"), "sh").next().unwrap();
    let expected = ["cargo run --release -- --demo vars --vnet 1", "cargo test"];
    assert_eq!(first.lines().collect::<Vec<_>>(), expected);
    assert!(
        read(".ci/run").lines().any(|line| line.starts_with(expected[1])),
        "CI runs other tests"
    );
}

/// The colours may differ, the text may not.
#[test]
fn the_picture_shows_what_the_program_prints() {
    let picture = read("docs/picture.svg");
    let lines = picture.split("<text ").skip(1).map(|element| {
        let content = element.split_once('>').unwrap().1.split("</text>").next().unwrap();
        let text: String =
            content.split('<').map(|piece| piece.rsplit('>').next().unwrap()).collect();
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") + "\n"
    });
    let transcript: String = lines.collect();
    let directory = tempfile::tempdir().unwrap();
    let commands = replay(&transcript, directory.path());
    assert!(commands >= 3, "only {commands} commands are in the picture: run docs/picture.py");
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
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            let path =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(path.exists(), "{} links to {target}", page.display());
            if !section.is_empty() {
                let there = fs::read_to_string(&path).unwrap();
                assert!(
                    sections(&there).any(|it| it == section),
                    "{} links to {target}",
                    page.display()
                );
            }
            links += 1;
        }
    }
    assert!(links >= 10, "only {links} links were found");
}

/// `ARCH` in a name stands for an architecture, `NAME` for any name.
#[test]
fn pages_name_files_that_exist() {
    let files = files_below(
        root(),
        &["src", "tests", "benches", "examples", "fixtures", "docs", "packaging", ".ci"],
    );
    let mut named = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines() {
            for span in line.split('`').skip(1).step_by(2) {
                let ours = files.iter().any(|(top, _)| span.starts_with(&format!("{top}/")));
                let plain =
                    span.chars().all(|char| char.is_alphanumeric() || "._-/".contains(char));
                if plain && !span.contains("NAME") && (ours || span.ends_with(".rs")) {
                    let name = format!("/{}", span.trim_end_matches('/').replace("ARCH", "amd64"));
                    let exists = files.iter().any(|(_, path)| path.ends_with(&name));
                    assert!(exists, "{} names {span}", page.display());
                    named += 1;
                }
            }
        }
    }
    assert!(named >= 50, "only {named} files are named");
}

/// Runs the commands of a transcript, compares what they print, and counts them.
fn replay(transcript: &str, directory: &Path) -> usize {
    let mut commands = 0;
    for example in split_at_commands(transcript) {
        let (command, expected) = example.split_once('\n').unwrap();
        let actual = run(command, directory);
        Assert::new().normalize_paths(false).eq(actual, expected);
        commands += 1;
    }
    commands
}

/// Runs a command line and gives what a terminal would have shown.
fn run(command: &str, directory: &Path) -> String {
    let directory = directory.to_str().unwrap();
    let words = shlex::split(command.strip_prefix("$ ").unwrap()).unwrap();
    let mut words = words.iter().map(|word| word.replace("/tmp", directory));
    let program = match words.next().unwrap().as_str() {
        "vnetkvm" => VNETKVM,
        "rm" => "rm",
        _ => panic!("{command} is no command of an example"),
    };
    let mut process = Command::new(program);
    process.args(words).current_dir(root());
    let output = without_defaults(&mut process).output().unwrap();
    let shown = [output.stderr, output.stdout].concat();
    let shown = String::from_utf8(shown).unwrap().replace(directory, "/tmp");
    // A check that finds a fault has status 1.
    let has_fault = command.contains(" check") && shown.contains("\nfault ");
    // So has one that finds a difference.
    let differs = command.contains(" diff ");
    let succeeds = !has_fault && !differs && !shown.contains("error: ");
    assert_eq!(output.status.success(), succeeds, "{command}: {shown}");
    shown
}

/// Runs a script as a reader would, in the crash directory; it must succeed.
fn shell(script: &str, directory: &Path) -> Output {
    let output = in_crash_directory(script, directory).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // What differs has status 1.
    let differs = script.trim_end().lines().last().unwrap().contains("diff ");
    let expected = [Some(0), Some(i32::from(differs))];
    assert!(expected.contains(&output.status.code()), "{script}: {errors}");
    assert!(!errors.contains("error: "), "{script}: {errors}");
    output
}

/// What a command that never ends prints first.
fn first_line(command: &str, directory: &Path) -> String {
    let script = format!("exec {command}");
    let mut process =
        in_crash_directory(&script, directory).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let read = BufReader::new(process.stdout.take().unwrap()).read_line(&mut line);
    process.kill().unwrap();
    process.wait().unwrap();
    read.unwrap();
    line
}

fn in_crash_directory(script: &str, directory: &Path) -> Command {
    let programs = Path::new(VNETKVM).parent().unwrap().to_str().unwrap();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let mut process = Command::new("sh");
    process.args(["-euc", script]).current_dir(directory).env("PATH", path);
    without_defaults(&mut process).env("VNETKVM_CRASH_DIR", directory);
    process
}

fn without_defaults(process: &mut Command) -> &mut Command {
    process.env_remove("VNETKVM_KERNEL").env_remove("VNETKVM_CORE").env_remove("VNETKVM_CRASH_DIR")
}

/// A directory with the files that the examples name: the kernel of the demonstration,
/// its dump under several names, and its memory without a header.
fn crash_directory() -> tempfile::TempDir {
    crash_directory_of("demo")
}

/// The same of another scenario.
fn crash_directory_of(scenario: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let scenario = root().join(format!("fixtures/scenarios/{scenario}.toml"));
    let scenario = Scenario::open(scenario).unwrap();
    let built = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    built.save_kernel(directory.path()).unwrap();
    fs::rename(at("kernel"), at("kernel.debug")).unwrap();
    let dump = built.save(Format::MinidumpV2, directory.path()).unwrap();
    for name in ["vmcore.0", "vmcore.3", "vmcore.last"] {
        fs::copy(&dump, at(name)).unwrap();
    }
    let memory = built.save(Format::Raw, directory.path()).unwrap();
    fs::rename(memory, at("guest.mem")).unwrap();
    directory
}

/// The contents of the fenced blocks in this language.
fn blocks(page: &str, language: &str) -> impl Iterator<Item = String> {
    let fence = format!("```{language}\n");
    let starts = page.match_indices(&fence).map(|(at, _)| at + fence.len());
    let contents: Vec<String> =
        starts.map(|start| page[start..].split("```").next().unwrap().into()).collect();
    contents.into_iter()
}

/// Each command with what it prints.
fn split_at_commands(block: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> = block.match_indices("\n$ ").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends: Vec<usize> = starts[1..].iter().copied().chain([block.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &block[start..end])
}

/// The names by which links reach the headings of a page.
fn sections(page: &str) -> impl Iterator<Item = String> {
    page.lines().filter(|line| line.starts_with('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
        kept.map(|char| if char == ' ' { '-' } else { char }).collect()
    })
}

/// Every file and directory below these, each with the top directory it is in.
fn files_below<'a>(root: &Path, tops: &[&'a str]) -> Vec<(&'a str, String)> {
    let mut found = Vec::new();
    for top in tops {
        let mut pending = vec![root.join(top)];
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            found.push((*top, path.to_str().unwrap().to_owned()));
        }
    }
    found
}

/// Every page for people to read.
fn pages() -> Vec<PathBuf> {
    let directories = ["", "docs", "docs/formats", "fixtures"];
    let entries = directories.iter().flat_map(|name| fs::read_dir(root().join(name)).unwrap());
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
