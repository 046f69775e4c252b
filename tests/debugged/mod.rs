//! A kernel and a dump in files, for debuggers.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use vnetkvm::image::{self, Format, Image, Scenario};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_vnetkvm");

pub struct Files {
    pub kernel: PathBuf,
    pub core: PathBuf,
    pub directory: TempDir,
}

impl Files {
    pub fn of(image: &Image, format: Format) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kernel = image.save_kernel(directory.path()).unwrap().swap_remove(0);
        let core = image.save(format, directory.path()).unwrap();
        Self { kernel, core, directory }
    }

    /// Those of a scenario of the fixtures.
    pub fn scenario(name: &str, format: Format) -> Self {
        Self::built(&Scenario::open(fixtures().join("scenarios").join(name)).unwrap(), format)
    }

    /// Those of a kernel of the fixtures, on a machine with 4 CPUs, after these steps.
    pub fn steps(kernel: &str, steps: &str, format: Format) -> Self {
        let kernel = fixtures().join("kernel").join(kernel);
        let text = format!("kernel = {kernel:?}\nmemory = \"64M\"\ncpus = 4\n{steps}");
        Self::built(&Scenario::parse(&text).unwrap(), format)
    }

    /// Those of a machine with two jails, `web` and `db`, on which `member` of `what` was
    /// overwritten.
    pub fn damaged(what: &str, member: &str, to: &str) -> Self {
        let jails = ["web", "db"]
            .map(|name| format!("[[step]]\ndo = \"jail\"\nname = \"{name}\"\n"))
            .concat();
        let steps = format!(
            "{jails}[[step]]\ndo = \"overwrite\"\nwhat = \"{what}\"\nmember = \"{member}\"\n{to}\n"
        );
        Self::steps("classic-clang-dwarf4", &steps, Format::MinidumpV2)
    }

    fn built(scenario: &Scenario, format: Format) -> Self {
        Self::of(&image::build(scenario, scenario.open_kernel().unwrap()).unwrap(), format)
    }

    /// vnetkvm, with these files.
    pub fn vnetkvm(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("-N").arg(&self.kernel).arg("-M").arg(&self.core);
        command
    }

    /// What vnetkvm itself answers.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.vnetkvm().args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Does not outlive its test.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `gdb-server` of this vnetkvm. Returns the words of a line that it prints: 0 is gdb's, 1
/// lldb's.
pub fn serve(mut vnetkvm: Command, line: usize) -> (Killed, Vec<String>) {
    let mut server = vnetkvm
        .arg("gdb-server")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map(Killed)
        .unwrap();
    // The pipe stays open, because the server may not have written all lines yet.
    let mut lines = BufReader::new(server.0.stdout.as_mut().unwrap()).lines();
    let line = lines.nth(line).unwrap().unwrap();
    (server, shlex::split(&line).unwrap())
}

/// What gdb printed, without its prompts.
pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap().replace("(gdb) ", "")
}

/// The functions of gdb's backtrace, innermost first.
pub fn functions(told: &str) -> Vec<&str> {
    let frames = told.lines().filter(|line| line.starts_with('#'));
    let names = frames.filter_map(|line| {
        let rest = line.split_once(' ')?.1.trim_start();
        let rest = rest.split_once(" in ").map_or(rest, |(_, rest)| rest);
        rest.split_whitespace().next()
    });
    names.collect()
}
