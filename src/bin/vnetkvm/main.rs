//! vnetkvm: a thin shell around the library. Reads the command line, asks the
//! session, hands the answer to the renderers.

mod args;
mod cmd;
mod context;
mod exit;
mod hints;
mod limits;
mod lost_files;
mod output;
mod progress;
mod say;
mod stdout;
mod usage;

use std::process::ExitCode;

use args::{Cli, Color, Command};
use exit::{Outcome, report};

fn main() -> ExitCode {
    let cli = match usage::parse() {
        Ok(Some(cli)) => cli,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return report(Err(error.into())),
    };
    match cli.output.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let result = run(cli);
    // What was found after a part of a file was lost is neither an answer nor a reason.
    report(lost_files::require_intact_files().and(result))
}

fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::Completions { shell } => cmd::completions::run(*shell),
        Command::Man { directory } => cmd::man::run(directory),
        Command::Image(command) => cmd::image::run(&cli, command),
        Command::Info { dmesg } => cmd::info::run(&cli, *dmesg),
        Command::Vnets { scan, wide } => cmd::vnets::run(&cli, *scan, *wide),
        Command::Modules => cmd::modules::run(&cli),
        Command::Modspace => cmd::modspace::run(&cli),
        Command::Vars { patterns } => cmd::vars::run(&cli, patterns),
        Command::Print { expressions } => cmd::print::run(&cli, expressions),
        Command::Type { names } => cmd::type_::run(&cli, names),
        Command::Read { address, length, raw, fill } => cmd::read::run(
            &cli,
            &cmd::read::Request { address, length: *length, raw: *raw, fill: *fill },
        ),
        Command::Eventhandlers { names } => cmd::eventhandlers::run(&cli, names),
        Command::Recursions => cmd::recursions::run(&cli),
        Command::Locks => cmd::locks::run(&cli),
        Command::Sysinit => cmd::sysinit::run(&cli),
        Command::Counters { patterns, per_cpu, types } => {
            cmd::counters::run(&cli, &cmd::counters::Request { patterns, per_cpu: *per_cpu, types })
        }
        Command::Sysctl(args) => cmd::sysctl::run(&cli, args),
        Command::Gdb { patterns } => cmd::gdb::run(&cli, patterns),
    }
}
