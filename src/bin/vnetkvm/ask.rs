//! What each command asks.

use vnetkvm::answers::pcpu::Which;
use vnetkvm::answers::sysctls::Show;
use vnetkvm::answers::{self, Answer, Chosen, interfaces};
use vnetkvm::error::Error;
use vnetkvm::kernel::LinkerSet;
use vnetkvm::session::Session;
use vnetkvm::value::Limits;

use crate::args::Globals;
use crate::commands::{Command, PcpuArgs, SysctlArgs};
use crate::exit::{Failure, Outcome};
use crate::lost_files::require_intact_files;
use crate::output::{show, show_search};
use crate::progress::Bar;
use crate::say::{hint, note};
use crate::{cmd, context};

impl Command {
    /// Whether status 1 says that it found what it looks for, so that a question that matches
    /// nothing is a failure.
    pub fn searches(&self) -> bool {
        matches!(self, Self::Check { .. } | Self::Diff(_))
    }

    /// Asks the command's question and shows the answer.
    /// `definition` makes the definition of the whole command line.
    pub fn run(
        &self,
        globals: &Globals,
        definition: fn() -> clap::Command,
    ) -> anyhow::Result<Outcome> {
        let result = self.answer(globals, definition);
        // If part of a file was lost, neither the answer nor the error can be trusted.
        require_intact_files().and(result)
    }

    fn answer(
        &self,
        globals: &Globals,
        definition: fn() -> clap::Command,
    ) -> anyhow::Result<Outcome> {
        match self {
            Self::Info { dmesg } => cmd::info::run(globals, *dmesg),
            Self::Vnets { scan, wide } => vnets(globals, *scan, *wide),
            Self::Vars { patterns, pivot: true } => vars_side_by_side(globals, patterns),
            Self::Vars { patterns, .. } => ask_vnets(globals, |session, chosen| {
                let limits = context::limits(globals, SHOWN_ELEMENTS);
                let variables = answers::variables(session, chosen, patterns, &limits);
                let hint = "name the variables to list: `vnetkvm vars 'tcp*'`";
                variables.map_err(|why| context::without_vimage(why, hint))
            }),
            Self::Diff(args) => cmd::diff::run(globals, args),
            Self::Modules => modules(globals),
            Self::Modspace { pcpu } => ask(globals, |session| {
                let set = if *pcpu { LinkerSet::Pcpu } else { LinkerSet::Vnet };
                answers::modspace(session, set)
            }),
            Self::Pcpu(args) => pcpu(globals, args),
            Self::Print(args) => cmd::print::run(globals, args),
            Self::Type { names } => cmd::type_::run(globals, names),
            Self::Read(args) => cmd::read::run(globals, args),
            Self::Whatis(args) => cmd::whatis::run(globals, args),
            Self::Sysinit if globals.vnet.is_given() => ask_vnets(globals, answers::construction),
            Self::Sysinit => ask(globals, answers::sysinits),
            Self::Counters { patterns, per_cpu, structs } => {
                let question =
                    answers::counters::Question { patterns, types: structs, per_cpu: *per_cpu };
                ask_vnets(globals, |session, chosen| {
                    let counters = answers::counters(session, chosen, question);
                    let hint = "name the variables to sum: `vnetkvm counters ipstat tcpstat`";
                    counters.map_err(|why| context::without_vimage(why, hint))
                })
            }
            Self::Jails => {
                ask(globals, |session| answers::jails(session, &context::selector(globals)))
            }
            Self::Locks => ask(globals, answers::locks),
            Self::Eventhandlers { names } => {
                ask(globals, |session| answers::eventhandlers(session, names))
            }
            Self::Threads { all } => {
                ask(globals, |session| answers::threads(session, &context::selector(globals), *all))
            }
            Self::Bt { running, all, vnets } => cmd::bt::run(globals, *running, *all, *vnets),
            Self::Recursions => recursions(globals),
            Self::Interfaces { names, long } => ask_vnets(globals, |session, chosen| {
                let long = *long || !names.is_empty();
                answers::interfaces(session, chosen, interfaces::Question { names, long })
            }),
            Self::Sockets { listen, protocol } => ask_vnets(globals, |session, chosen| {
                let question = answers::sockets::Question { listening: *listen, kinds: protocol };
                answers::sockets(session, chosen, question)
            }),
            Self::Routes(args) => ask_vnets(globals, |session, chosen| {
                answers::routes(session, chosen, args.question())
            }),
            Self::Neighbors(family) => ask_vnets(globals, |session, chosen| {
                answers::neighbors(session, chosen, family.family())
            }),
            Self::Topology { form } => cmd::topology::run(globals, *form),
            Self::Sysctl(args) => sysctl(globals, args),
            Self::Check { list: true, names } => show(globals, answers::checks::offered(names)?),
            Self::Check { names, .. } => check(globals, names),
            Self::Triage(args) => cmd::triage::run(globals, args),
            Self::Report(args) => cmd::report::run(globals, args),
            Self::Convert(args) => cmd::convert::run(globals, args),
            #[cfg(feature = "export")]
            Self::Export(args) => cmd::export::run(globals, args),
            Self::Gdb(args) => cmd::gdb::run(globals, args),
            Self::Lldb(args) => cmd::lldb::run(globals, args),
            #[cfg(feature = "gdb-server")]
            Self::GdbServer(args) => cmd::gdb_server::run(globals, args),
            #[cfg(feature = "shell")]
            Self::Shell(args) => crate::shell::run(globals, args),
            Self::Image(command) => cmd::image::run(globals, command),
            Self::Completions { shell } => cmd::completions::run(globals, *shell, definition()),
            Self::Man { directory } => cmd::man::run(directory, definition()),
        }
    }
}

/// A line of a table has room for a few elements of an array.
const SHOWN_ELEMENTS: usize = 32;

/// Asks a question about the whole dump.
fn ask<'r, A: Answer>(
    globals: &'r Globals,
    question: impl FnOnce(&'r Session) -> Result<A, Error>,
) -> anyhow::Result<Outcome> {
    show(globals, question(context::open(globals)?)?)
}

/// Asks a question about the chosen vnets.
fn ask_vnets<'r, A: Answer, E: Into<anyhow::Error>>(
    globals: &'r Globals,
    question: impl FnOnce(&'r Session, Chosen<'r>) -> Result<A, E>,
) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
    let chosen = context::chosen(globals, session)?;
    show(globals, question(session, chosen).map_err(Into::into)?)
}

fn vars_side_by_side(globals: &Globals, patterns: &[String]) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
    let chosen = context::all_side_by_side(globals, session)?;
    let limits = context::limits_side_by_side(globals);
    let pivot = answers::variables_side_by_side(session, chosen, patterns, &limits);
    show(globals, pivot?)
}

fn vnets(globals: &Globals, scan: bool, wide: bool) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
    let mut bar = Bar::new("searching");
    let mut show_progress = |progress| bar.show(progress);
    let scan = scan.then_some(&mut show_progress as &mut dyn FnMut(_));
    let vnets = answers::vnets(session, scan, wide);
    drop(bar);
    let vnets = vnets.map_err(|why| {
        context::without_vimage(why, "`vnetkvm vars 'tcp*'` lists its variables by name")
    })?;
    let hidden = vnets.may_hide.first().map(ToString::to_string);
    let outcome = show(globals, vnets)?;
    if let Some(reason) = hidden {
        hint(&format!("{reason}: `vnetkvm vnets --scan` finds vnets that nothing points to"));
    }
    Ok(outcome)
}

fn check(globals: &Globals, names: &[String]) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
    show_search(globals, answers::checks(session, &context::selector(globals), names)?)
}

fn modules(globals: &Globals) -> anyhow::Result<Outcome> {
    let modules = answers::modules(context::open(globals)?)?;
    if let (Some([]), Err(why)) = (modules.elements.kept(), modules.problems.none()) {
        let hint = "`vnetkvm info` shows whether the dump is complete";
        return Err(Failure::new(why.to_string()).hint(hint).into());
    }
    show(globals, modules)
}

fn pcpu(globals: &Globals, args: &PcpuArgs) -> anyhow::Result<Outcome> {
    let limits = context::limits(globals, SHOWN_ELEMENTS);
    let session = context::open(globals)?;
    let answer = answers::pcpu(session, &args.which(), &args.patterns, &limits)?;
    if let Some(default) = &answer.default {
        note(&format!("note: {default}; choose another with --cpu, or --all-cpus"));
    }
    show(globals, answer)
}

fn recursions(globals: &Globals) -> anyhow::Result<Outcome> {
    match answers::recursions(context::open(globals)?)? {
        Some(recorded) => show(globals, recorded),
        None => {
            let what = "the kernel was compiled without VNET_DEBUG and records no recursions";
            let hint =
                "`vnetkvm vnets` shows which threads use a vnet that is not on the kernel's list";
            Err(Failure::new(what).hint(hint).into())
        }
    }
}

fn sysctl(globals: &Globals, args: &SysctlArgs) -> anyhow::Result<Outcome> {
    if args.names.is_empty() && !args.all {
        let failure = Failure::new("no sysctl was named");
        return Err(failure.hint("name one, or a node such as net.inet.ip; -a prints all").into());
    }
    if let Some((name, value)) = args.names.iter().find_map(|name| name.split_once('=')) {
        let failure = Failure::new(format!("{name}={value}: sysctls cannot be set, only read"));
        return Err(failure.hint(format!("`vnetkvm sysctl {name}` prints its value")).into());
    }
    let (selector, limits) =
        (context::selector(globals), context::limits(globals, Limits::default().elements));
    ask(globals, |session| answers::sysctls(session, &selector, &args.names, args.show(), &limits))
}

impl PcpuArgs {
    fn which(&self) -> Which {
        match (self.all_cpus, &self.cpus[..]) {
            (true, _) => Which::All,
            (false, []) => Which::Default,
            (false, ids) => Which::Ids(ids.to_vec()),
        }
    }
}

impl SysctlArgs {
    fn show(&self) -> Show {
        let alone = self.only_values;
        match self {
            Self { only_names: true, .. } => Show::Names,
            Self { only_types: true, .. } => Show::Types { alone },
            Self { descriptions: true, .. } => Show::Descriptions { alone },
            Self { only_values: true, .. } => Show::Values,
            _ => Show::NamesAndValues,
        }
    }
}
