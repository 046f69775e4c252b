//! `triage`: one line for each of many dumps, or for each crash.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use vnetkvm::answers;
use vnetkvm::answers::triage::Question;
use vnetkvm::session::Options;
use vnetkvm::source::unpack::Progress;

use crate::args::values::jobs;
use crate::args::{Format, Globals};
use crate::exit::{Failure, Outcome};
use crate::progress::Bar;
use crate::{context, output};

/// Which dumps, and what is shown of them.
#[derive(Debug, Args)]
pub struct TriageArgs {
    /// Dumps, or directories of dumps (default: the crash directory)
    #[arg(value_name = "DUMP", value_hint = ValueHint::AnyPath)]
    dumps: Vec<PathBuf>,

    /// Show crashes instead of dumps: those with the same signature are one
    #[arg(short, long)]
    group: bool,

    /// Read this many dumps at the same time (default: one for each processor)
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

pub fn run(globals: &Globals, args: &TriageArgs) -> anyhow::Result<Outcome> {
    context::warn_useless_debug_dirs(globals);
    let question = question(globals, args)?;
    let mut bar = has_bar(globals).then(|| Bar::counting("reading", "dumps"));
    let triage = answers::triage(&question, move |done, total| {
        if let Some(bar) = &mut bar {
            bar.show(Progress { done: done as u64, total: total as u64 });
        }
        if done == total {
            bar = None;
        }
    })?;
    match args.group {
        true => output::show(globals, triage.groups()),
        false => output::show(globals, triage),
    }
}

fn question(globals: &Globals, args: &TriageArgs) -> Result<Question, Failure> {
    let input = &globals.input;
    Ok(Question {
        paths: match &args.dumps[..] {
            [] => vec![crash_directory(globals)?],
            dumps => dumps.to_vec(),
        },
        options: Options {
            kernel: input.kernel.clone(),
            debug_dirs: input.debug_dir.clone(),
            types: input.wanted_types(),
            ..Options::default()
        },
        jobs: args.jobs,
        work: input.max_work,
        bytes: input.max_memory,
    })
}

/// The directory whose dumps are meant if none is named.
fn crash_directory(globals: &Globals) -> Result<PathBuf, Failure> {
    let dir = context::crash_dir(globals);
    match dir.is_dir() {
        true => Ok(dir.to_owned()),
        false => Err(Failure::new(format!("there is no crash directory {}", dir.display()))
            .hint("name dumps or a directory of dumps, or set --crash-dir")),
    }
}

/// Lines that come one by one to the terminal show the progress themselves.
fn has_bar(globals: &Globals) -> bool {
    *output::format(&globals.output) == Format::Table || !io::stdout().is_terminal()
}
