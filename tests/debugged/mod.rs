//! A kernel and a dump in files, for debuggers.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

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
