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
mod interrupt;
mod limits;
mod logger;
mod lost_files;
#[cfg(any(feature = "gdb-server", feature = "shell"))]
mod opened;
mod option_word;
mod output;
mod output_directory;
mod output_file;
mod progress;
mod run;
mod say;
#[cfg(feature = "shell")]
mod shell;
mod stdout;
mod subject;
mod usage;
#[cfg(any(feature = "gdb-server", feature = "shell"))]
mod vnet_option;
mod watch;

use std::mem::ManuallyDrop;
use std::process::ExitCode;

use args::Color;
use cli::Cli;
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
    // Closing what was opened would cost milliseconds before the process ends.
    let mut cli = ManuallyDrop::new(cli);
    let Cli { globals, command } = &mut *cli;
    if let Err(why) = interrupt::catch() {
        return report(Err(why.into()), false);
    }
    match globals.watch.watch {
        Some(pause) => watch::run(command, globals, pause),
        None => report(command.run(globals, usage::command), command.searches()),
    }
}
