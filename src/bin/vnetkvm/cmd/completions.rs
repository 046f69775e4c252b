//! `completions`: a script that teaches a shell this command line.

use clap_complete::Shell;

use crate::exit::Outcome;
use crate::output::write_out;
use crate::usage;

pub fn run(shell: Shell) -> anyhow::Result<Outcome> {
    // The generator panics where it cannot write: a Vec always takes it.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut usage::command(), "vnetkvm", &mut script);
    write_out(&script)?;
    Ok(Outcome::Answered)
}
