//! `completions`: a script that teaches a shell this command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Outcome;
use crate::output::write_out;

pub fn run(shell: Shell) -> anyhow::Result<Outcome> {
    // The generator panics where it cannot write: a Vec always takes it.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vnetkvm", &mut script);
    write_out(&script)?;
    Ok(Outcome::Answered)
}
