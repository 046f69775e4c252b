//! `image`: memory images from scenarios.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use vnetkvm::image::{self, Scenario};

use crate::args::{Cli, ImageCommand};
use crate::exit::Outcome;
use crate::output::Output;

pub fn run(cli: &Cli, command: &ImageCommand) -> anyhow::Result<Outcome> {
    match command {
        ImageCommand::Build { scenario, output } => build(cli, scenario, output),
    }
}

/// Writes the kernel and a dump of every format, and says where.
fn build(cli: &Cli, path: &Path, directory: &Path) -> anyhow::Result<Outcome> {
    let failed = || format!("cannot build the image of {}", path.display());
    let mut scenario = Scenario::open(path).with_context(failed)?;
    if let Some(kernel) = &cli.input.kernel {
        scenario.kernel = Some(kernel.clone());
    }
    let kernel = scenario.open_kernel().with_context(failed)?;
    let built = image::build(&scenario, kernel).with_context(failed)?;
    let mut written = built.save_kernel(directory).with_context(failed)?;
    for file in &scenario.formats {
        let core = built.save(file, directory).with_context(failed)?;
        let info = scenario.info.map(|version| built.save_info(file, version, &core)).transpose();
        written.push(core);
        written.extend(info.with_context(failed)?.flatten());
    }
    let mut output = Output::new(&cli.output);
    for path in written {
        writeln!(output.text(), "{}", path.display())?;
    }
    output.finish(Outcome::Answered)
}
