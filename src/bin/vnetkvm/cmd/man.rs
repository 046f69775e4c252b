//! `man`: a manual page for the program and one for each command.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::exit::Outcome;

pub fn run(directory: &Path, definition: clap::Command) -> anyhow::Result<Outcome> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create the directory {}", directory.display()))?;
    let command = definition.disable_help_subcommand(true);
    clap_mangen::generate_to(command, directory)
        .with_context(|| format!("cannot write manual pages to {}", directory.display()))?;
    Ok(Outcome::Answered)
}
