//! `man`: a manual page for the program and one for each command.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;

use crate::exit::Outcome;
use crate::output_directory::write_files;

pub fn run(directory: &Path, definition: clap::Command) -> anyhow::Result<Outcome> {
    let command = definition.disable_help_subcommand(true);
    write_files(directory, |new| {
        clap_mangen::generate_to(command, new)?;
        let pages = fs::read_dir(new)?;
        Ok(pages.map(|page| Ok(page?.path())).collect::<io::Result<_>>()?)
    })
    .with_context(|| format!("cannot write manual pages to {}", directory.display()))?;
    Ok(Outcome::Answered)
}
