//! `image`: builds memory images from scenarios.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Subcommand, ValueHint};
use vnetkvm::image::{self, Image, ImageError, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::render::sanitize;

use crate::args::Globals;
use crate::context;
use crate::exit::Outcome;
use crate::lost_files::require_intact_files;
use crate::output;
use crate::output_directory::write_files;

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Build the memory images that a scenario describes
    #[command(
        after_help = "Example:\n  vnetkvm image build fixtures/scenarios/demo.toml -o /tmp/demo"
    )]
    Build {
        /// Scenario file (TOML)
        #[arg(value_name = "SCENARIO", value_hint = ValueHint::FilePath)]
        scenario: PathBuf,

        /// Directory to write to (created if missing)
        #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        output: PathBuf,
    },
}

pub fn run(globals: &Globals, command: &ImageCommand) -> anyhow::Result<Outcome> {
    match command {
        ImageCommand::Build { scenario, output } => build(globals, scenario, output),
    }
}

/// The kernel that the command line names, or else the scenario's own. VNETKVM_KERNEL counts
/// only if the scenario names none.
fn kernel(globals: &Globals, scenario: &Scenario) -> anyhow::Result<Kernel> {
    let named = globals.input.kernel.as_ref();
    match named.filter(|_| globals.kernel_named || scenario.kernel.is_none()) {
        Some(path) if path.extension().is_some_and(|extension| extension == "zst") => {
            let mut packed = Scenario::default();
            packed.kernel = Some(path.clone());
            Ok(packed.open_kernel()?)
        }
        Some(path) => context::open_kernel(globals, path),
        None => Ok(scenario.open_kernel()?),
    }
}

/// Writes the kernel and a dump of every format, and prints their paths.
fn build(globals: &Globals, path: &Path, directory: &Path) -> anyhow::Result<Outcome> {
    let failed = || format!("cannot build the image of {}", path.display());
    let scenario = Scenario::open(path).with_context(failed)?;
    let kernel = kernel(globals, &scenario).with_context(failed)?;
    let built = image::build(&scenario, kernel).with_context(failed)?;
    require_intact_files()?;
    let written = write_files(directory, |new| Ok(save(&scenario, &built, new)?))
        .with_context(|| format!("cannot write to {}", directory.display()))
        .with_context(failed)?;
    output::text(globals, |out| {
        let mut paths = written.iter();
        paths.try_for_each(|path| writeln!(out, "{}", sanitize::line(&path.display().to_string())))
    })
}

/// Saves all files of an image.
fn save(scenario: &Scenario, built: &Image, directory: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let mut written = built.save_kernel(directory)?;
    for file in &scenario.formats {
        let core = built.save(file, directory)?;
        written.push(core.clone());
        let info =
            scenario.info.map(|version| built.save_info(file, version, &core)).transpose()?;
        written.extend(info.flatten());
    }
    Ok(written)
}
