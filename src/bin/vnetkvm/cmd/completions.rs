//! `completions`: a completion script for a shell.

use std::io::Write;

use clap_complete::Shell;

use crate::args::Globals;
use crate::exit::Outcome;
use crate::stdout::Stdout;

pub fn run(
    globals: &Globals,
    shell: Shell,
    mut definition: clap::Command,
) -> anyhow::Result<Outcome> {
    // The generator panics if a write fails; writing to a Vec never does.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition, "vnetkvm", &mut script);
    let mut out = Stdout::new(&globals.run);
    out.write_all(&script)?;
    out.finish()?;
    Ok(Outcome::Answered)
}
