//! vnetkvm: a thin shell around the library. Reads the command line, asks the
//! session, hands the answer to the renderers.

mod args;
mod ask;
mod cli;
mod cmd;
mod commands;
mod context;
mod exit;
mod hints;
mod limits;
mod logger;
mod lost_files;
mod output;
mod output_file;
mod progress;
mod say;
mod stdout;
mod subject;
mod usage;

use std::process::ExitCode;

use args::Color;
use exit::report;

fn main() -> ExitCode {
    let cli = match usage::parse() {
        Ok(Some(cli)) => cli,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return report(Err(error.into()), false),
    };
    match cli.globals.output.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    if cli.globals.output.verbose {
        logger::install();
    }
    let result = cli.command.run(&cli.globals, usage::command);
    // If part of a file was lost, neither the answer nor the error can be trusted.
    report(lost_files::require_intact_files().and(result), cli.command.searches())
}
