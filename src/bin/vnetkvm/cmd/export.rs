//! `export`: tables of one dump as Parquet files, or one table as an Arrow stream.

mod files;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use vnetkvm::dump::Core;
use vnetkvm::export::{
    ArrowStream, Discarded, Exported, Origin, ParquetWriter, Partition, Question, Subject, TABLES,
    Table, Written, export, table_named, written,
};
use vnetkvm::session::Session;
use vnetkvm::value::Limits;

use crate::args::Globals;
use crate::exit::{Failure, Outcome};
use crate::say::{hint, warning};
use crate::{context, hints, output, subject};
use files::Files;

/// What is written, and where.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Write below this directory: DIR/TABLE/host=HOST/dump=NAME/part-0.parquet
    ///
    /// Files that are there for this host and dump are replaced when all are complete.
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(required_unless_present = "arrow")]
    output: Option<PathBuf>,

    /// Write only these tables (default: all)
    #[arg(long, value_name = "TABLE", value_delimiter = ',', value_parser = table_name())]
    tables: Vec<&'static Table>,

    /// Write this table to standard output instead, as an Arrow IPC stream
    #[arg(long, value_name = "TABLE", value_parser = table_name())]
    #[arg(conflicts_with_all = ["output", "tables", "host", "name"], hide_possible_values = true)]
    arrow: Option<&'static Table>,

    /// The name of the host (default: the one in the dump)
    #[arg(long)]
    host: Option<String>,

    /// The name of the dump (default: that of its file)
    #[arg(long)]
    name: Option<String>,
}

impl ExportArgs {
    /// Whether it goes to standard output.
    #[cfg(any(feature = "gdb-server", feature = "shell"))]
    pub fn is_stream(&self) -> bool {
        self.arrow.is_some()
    }
}

fn table_name() -> impl TypedValueParser<Value = &'static Table> {
    PossibleValuesParser::new(TABLES.iter().map(|table| table.name))
        .try_map(|name| table_named(&name).ok_or("no such table"))
}

/// An array with more elements has no rows for them.
const ELEMENTS: usize = 64;

pub fn run(globals: &Globals, args: &ExportArgs) -> anyhow::Result<Outcome> {
    if args.arrow.is_some() && io::stdout().is_terminal() {
        let hint = "give it to a program that reads Arrow, or use -o DIR for Parquet files";
        return Err(Failure::new("an Arrow stream is not for terminals").hint(hint).into());
    }
    let elements = globals.output.max_elements.unwrap_or(ELEMENTS);
    let depth = globals.output.max_depth;
    let limits = Limits { elements, depth, ..Limits::default() };
    let opened = Opened::open(globals)?;
    if let Some(why) = opened.why() {
        warning(&format!("only `dumps` and `errors` have rows: {}", why.story()));
        hints::of_library(why).iter().for_each(|text| hint(text));
    }
    match (args.arrow, &args.output) {
        (Some(table), _) => stream(globals, &opened, table, &limits),
        (None, Some(directory)) => files(globals, args, &opened, directory, &limits),
        (None, None) => Err(Failure::new("neither -o nor --arrow was given").into()),
    }
}

/// What there is to export from.
enum Opened<'r> {
    Session(&'r Session),
    Dump(Arc<Core>, PathBuf, vnetkvm::Error),
    Unreadable(PathBuf, vnetkvm::Error),
}

impl<'r> Opened<'r> {
    /// Opens the files that the command line names, or the files found by default. A dump that
    /// cannot be read is no error, but a kernel that is named is.
    fn open(globals: &'r Globals) -> anyhow::Result<Self> {
        let error = match subject::Subject::open(globals) {
            Ok(subject::Subject::Session(session)) => return Ok(Self::Session(session)),
            Ok(subject::Subject::Dump(core, path, why)) => return Ok(Self::Dump(core, path, why)),
            Err(error) => error,
        };
        if globals.input.demo || error.downcast_ref::<vnetkvm::Error>().is_none() {
            return Err(error);
        }
        let options = context::options(globals)?;
        match context::dump_alone(&options).map_err(anyhow::Error::downcast) {
            Err(Ok(why)) => Ok(Self::Unreadable(options.core, why)),
            _ => Err(error),
        }
    }

    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Session(session) => Subject::Session(session),
            Self::Dump(core, path, why) => Subject::Dump { core, path, why },
            Self::Unreadable(path, why) => Subject::Unreadable { path, why },
        }
    }

    fn why(&self) -> Option<&vnetkvm::Error> {
        match self {
            Self::Session(_) => None,
            Self::Dump(_, _, why) | Self::Unreadable(_, why) => Some(why),
        }
    }
}

/// Writes Parquet files.
fn files(
    globals: &Globals,
    args: &ExportArgs,
    opened: &Opened<'_>,
    directory: &Path,
    limits: &Limits,
) -> anyhow::Result<Outcome> {
    let subject = opened.subject();
    let path = subject.path();
    let own_name = || path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let name = args.name.clone().unwrap_or_else(own_name);
    let overview = subject.overview();
    let host = args.host.as_ref().or_else(|| overview.as_ref()?.host.as_ref());
    let partition = Partition::new(host.map(String::as_str), &name);
    let all: Vec<&'static Table> = TABLES.iter().collect();
    let tables = if args.tables.is_empty() { &all } else { &args.tables };
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let origin = Origin {
        path: path.display().to_string(),
        time: overview.as_ref().and_then(|told| told.core.time),
    };
    let at = |table: &Table| directory.join(partition.file(table));
    tables.iter().try_for_each(|table| files::refuse_other(&at(table), &origin))?;
    let mut complete = Files::default();
    let mut all_written = Vec::new();
    let unread = export(
        subject,
        Question { tables, limits },
        |table| ParquetWriter::new(table, &origin, Files::create(directory)?),
        |Exported { table, rows, writer }| {
            let file = at(table);
            all_written.push(Written::new(table, rows, &file));
            complete.add(writer.finish()?, file)
        },
    )
    .with_context(|| format!("cannot write tables to {}", directory.display()))?;
    require_all(globals, unread)?;
    output::warn_of_limit(globals)?;
    complete.replace()?;
    output::show(globals, written(all_written, unread))
}

/// Writes an Arrow stream to standard output.
fn stream(
    globals: &Globals,
    opened: &Opened<'_>,
    table: &'static Table,
    limits: &Limits,
) -> anyhow::Result<Outcome> {
    let question = Question { tables: &[table], limits };
    if globals.output.strict {
        // What was written cannot be taken back.
        let unread = export(opened.subject(), question, |_| Ok(Discarded), |_| Ok(()))?;
        require_all(globals, unread)?;
    }
    output::raw(globals, |out: &mut dyn Write| {
        // There is one table, and so it is opened once.
        let mut out = Some(out);
        export(
            opened.subject(),
            question,
            |table| ArrowStream::new(table, out.take().ok_or(io::ErrorKind::ResourceBusy)?),
            |exported| exported.writer.finish().map(drop),
        )
    })?;
    Ok(Outcome::Answered)
}

fn require_all(globals: &Globals, unread: u64) -> anyhow::Result<()> {
    if !globals.output.strict || unread == 0 {
        return Ok(());
    }
    let plural = if unread == 1 { "thing" } else { "things" };
    let hint = "without --strict, the tables are written, and `errors` has the reasons";
    Err(Failure::new(format!("{unread} {plural} could not be read")).hint(hint).into())
}
