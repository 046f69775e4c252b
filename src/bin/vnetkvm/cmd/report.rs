//! `report`: a bug report as HTML or Markdown, on standard output or in a file.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use vnetkvm::answers;
use vnetkvm::answers::report::Topic;
use vnetkvm::render::report::{self, LeftOut, Omitted, Style};

use crate::args::{Format, Globals};
use crate::context;
use crate::exit::Outcome;
use crate::hints;
use crate::output;
use crate::output_file::OutputFile;
use crate::say::{hint, note, warning};
use crate::subject::Subject;

/// Where the report goes.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Write to this file, which is replaced when the report is complete
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Replace host names, jail names, IP and Ethernet addresses, ports, paths and descriptions
    /// by placeholders, such as <ip4-3>
    ///
    /// The same thing has the same placeholder everywhere, and in every report of the dump by the
    /// same kernel. Addresses of kernel memory stay. If the names of jails and hosts cannot all be
    /// read, the panic message and the message buffer are left out. Names that only a person can recognise, such as those of
    /// processes, stay too: read the report before publishing it.
    #[arg(long)]
    redact: bool,
}

#[cfg(feature = "gdb-server")]
impl ReportArgs {
    /// Whether it goes to a file.
    pub fn writes_file(&self) -> bool {
        self.output.is_some()
    }
}

pub fn run(globals: &Globals, args: &ReportArgs) -> anyhow::Result<Outcome> {
    let report = match Subject::open(globals)? {
        Subject::Session(session) => answers::report(session),
        Subject::Dump(core, path, why) => {
            hints::of_library(&why).iter().for_each(|text| hint(text));
            let doubts = context::dump_warnings(&core, &path);
            answers::report_of_dump(&core, &path, doubts, &why)
        }
    };
    let style = match globals.output.format {
        Format::Markdown => Style::Markdown,
        _ => Style::Html,
    };
    let write = |out: &mut dyn Write| report::write(&report, style, args.redact, out);
    let Omitted { left_out, withheld } = match &args.output {
        Some(path) => {
            let omitted = OutputFile::write(path, write)?;
            output::warn_of_limit(globals)?;
            omitted
        }
        None => output::raw(globals, write)?,
    };
    if let Some(why) = withheld {
        warning(&format!(
            "the panic message and the message buffer are left out: not all names are known, \
             because {why}"
        ));
        hint("without --redact, the report has them: read it before publishing it");
    }
    for LeftOut { section, count } in left_out {
        note(&format!("note: {count} rows and lines of {:?} are left out", section.title));
        hint(&format!("`vnetkvm {}` shows all", command(section.topic)));
    }
    Ok(Outcome::Answered)
}

/// The command that shows all of a section.
fn command(topic: Topic) -> &'static str {
    match topic {
        Topic::Summary => "bt",
        Topic::Faults => "check",
        Topic::Vnets => "vnets --wide",
        Topic::Jails => "jails",
        Topic::Threads => "threads",
        Topic::Wiring => "topology",
        Topic::Interfaces => "interfaces --all-vnets",
        Topic::Sockets => "sockets --all-vnets",
        Topic::Routes => "routes --all-vnets",
        Topic::Neighbors => "neighbors --all-vnets",
        Topic::Construction => "sysinit --all-vnets",
        Topic::Differences => "diff --all-vnets",
        Topic::ModuleSpace => "modspace",
        Topic::Modules => "modules",
        Topic::Locks => "locks",
        Topic::Messages => "info --dmesg",
    }
}
