//! What most commands begin with: a session, and the vnets that are meant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vnetkvm::dump::{self, Core, DumpIdentity};
use vnetkvm::error::VnetError;
use vnetkvm::image;
use vnetkvm::kernel::Kernel;
use vnetkvm::modules::Module;
use vnetkvm::session::{self, Matches, Options, SavecoreInfo, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::source::crash::{self, Which};
use vnetkvm::value::Limits;
use vnetkvm::views::crashed_thread::CrashedThread;
use vnetkvm::vnet::{Stack, Vnet, VnetVariable};

use crate::args::{Cli, Format, OutputArgs, VnetChoice};
use crate::exit::{self, Failure};
use crate::hints;
use crate::limits;
use crate::output::Output;
use crate::progress::Bar;
use crate::say::{hint, note, warning};

/// Opens what the command line names, or what is found in its place.
pub fn open(cli: &Cli) -> anyhow::Result<&'static Session> {
    let session = if cli.input.demo {
        let demo = image::demo()?;
        Session::from_sources(demo.kernel, demo.core)?
    } else {
        warn_missing_debug_dirs(cli);
        let options = options(cli)?;
        let mut bar = Bar::new();
        let session = Session::open_with(&options, &mut |progress| bar.show(progress));
        drop(bar);
        session.inspect_err(|error| log_search(cli, error))?
    };
    Ok(keep(cli, session))
}

/// The dump and its path, without a kernel.
pub fn dump_alone(options: &Options) -> anyhow::Result<(Arc<Core>, PathBuf)> {
    let path = options.core.clone();
    let source = Source::open(&path).map_err(vnetkvm::Error::from)?;
    let mut bar = Bar::new();
    let core = dump::open_with(source, &mut |progress| bar.show(progress));
    drop(bar);
    let core = core.map_err(|source| vnetkvm::Error::Dump { path: path.clone(), source })?;
    Ok((Arc::new(core), path))
}

/// What is odd about a dump of which no kernel is known.
pub fn dump_warnings(core: &Core, path: &Path) -> Vec<String> {
    let saved =
        SavecoreInfo::find(path).map(|saved| saved.disagreements(core, DumpIdentity::default()));
    core.warnings.iter().cloned().chain(saved.into_iter().flatten()).collect()
}

/// Tells with -v how everything was found, and what is odd about it. The session
/// stays for good: to take it apart before the process ends costs milliseconds.
pub fn keep(cli: &Cli, session: Session) -> &'static Session {
    limits::set_budget(cli, session.budget(), session.budget().allowance());
    write_log(cli, session.log());
    session.warnings().iter().for_each(|why| warning(why));
    session.missing_types().iter().for_each(|missing| hint(&hints::missing_types(missing)));
    Box::leak(Box::new(session))
}

/// With -v, which kernels were looked at in vain.
pub fn log_search(cli: &Cli, error: &vnetkvm::Error) {
    if let vnetkvm::Error::NoKernel { searched, .. } = error {
        write_log(cli, searched);
    }
}

fn write_log(cli: &Cli, log: &[String]) {
    if cli.output.verbose {
        log.iter().for_each(|line| note(line));
    }
}

/// The kernel alone, for what needs no dump; without one given, the dump's.
pub fn with_kernel<T>(
    cli: &Cli,
    f: impl FnOnce(&Kernel) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    match &cli.input.kernel {
        Some(path) if !cli.input.demo => f(&open_kernel(cli, path)?),
        _ => f(open(cli)?.kernel().linked()),
    }
}

/// A kernel with its debug file.
pub fn open_kernel(cli: &Cli, path: &Path) -> anyhow::Result<Kernel> {
    warn_missing_debug_dirs(cli);
    let (kernel, search) = session::open_kernel(path, &cli.input.debug_dir)?;
    write_log(cli, &search.log);
    session::not_a_kernel(&kernel).iter().chain(&search.refused).for_each(|why| warning(why));
    Ok(kernel)
}

/// A directory that is not there is a slip of the fingers.
fn warn_missing_debug_dirs(cli: &Cli) {
    for dir in cli.input.debug_dir.iter().filter(|dir| !dir.is_dir()) {
        warning(&format!("--debug-dir {}: there is no such directory", dir.display()));
    }
}

/// What the command line says of the files.
pub fn options(cli: &Cli) -> anyhow::Result<Options> {
    let input = &cli.input;
    Ok(Options {
        kernel: input.kernel.clone(),
        core: core(cli)?,
        debug_dirs: input.debug_dir.clone(),
        memory_map: input.memory_map.clone(),
        kernel_phys: input.kernel_phys,
    })
}

/// The dump that is meant: by number, by name, or else the last.
fn core(cli: &Cli) -> Result<PathBuf, Failure> {
    let input = &cli.input;
    let dir = input.crash_dir.as_deref().unwrap_or(Path::new(crash::DIRECTORY));
    let which = match (input.dump, &input.core) {
        (None, Some(core)) => return Ok(core.clone()),
        (Some(_), Some(_)) if cli.core_named => {
            return Err(Failure::new("both -M and -n were given").hint("use one of them"));
        }
        (Some(number), _) => Which::Number(number),
        (None, None) => Which::Last,
    };
    match crash::dump(dir, which) {
        crash::Search::Found(core) => {
            let told = match which {
                Which::Number(number) => format!("the one with number {number}"),
                Which::Last => "the last".to_owned(),
            };
            write_log(cli, &[format!("dump: {} is {told} in {}", core.display(), dir.display())]);
            Ok(core)
        }
        crash::Search::Several(names) => {
            let what = format!("{} has dumps of several hosts", dir.display());
            Err(Failure::new(what).hint(format!("name one with -M: {}", names.join(", "))))
        }
        crash::Search::None => Err(no_dump(dir, which)),
    }
}

/// What to say of a crash directory without the dump that is meant.
fn no_dump(dir: &Path, which: Which) -> Failure {
    let shown = dir.display();
    let (given, name, way_out) = match which {
        Which::Number(number) => ("", format!("vmcore.{number}"), "use -M FILE"),
        Which::Last => (
            "no core was given, and ",
            "vmcore.last".to_owned(),
            "use -M FILE or set VNETKVM_CORE; --demo needs neither",
        ),
    };
    if !dir.is_dir() {
        let what = if dir.exists() { "is not a directory" } else { "does not exist" };
        return Failure::new(format!("{given}the crash directory {shown} {what}")).hint(way_out);
    }
    let failure = Failure::new(format!("{given}there is no {name} in {shown}"));
    match crash::dumps(dir).as_slice() {
        [] => failure.hint(match crash::files(dir).as_slice() {
            [] => way_out.to_owned(),
            files => format!("{way_out}; the directory has {}", files.join(", ")),
        }),
        [only] => failure.hint(format!("{only} is there: choose it with -n")),
        dumps => failure.hint(format!("choose one with -n: {}", dumps.join(", "))),
    }
}

/// The variables that the patterns name. A pattern that names none is told of, and
/// is an error if it is the last hope.
pub fn variables(
    session: &Session,
    patterns: &[String],
    output: &mut Output,
) -> anyhow::Result<Vec<VnetVariable>> {
    let Matches { variables, missed, problems } = session
        .matches(patterns)
        .map_err(|why| without_vimage(why, "name variables to show: `vnetkvm vars 'tcp*'`"))?;
    output.problems(&problems);
    exit::report_missed(missed, !variables.is_empty())?;
    Ok(variables)
}

/// Which modules' variables are shown as bytes, because no file tells their types.
pub fn warn_untyped_variables(
    cli: &Cli,
    session: &Session,
    variables: &[VnetVariable],
) -> Result<(), vnetkvm::Error> {
    let untyped = |variable: &&VnetVariable| variable.type_id.is_none();
    let mut names: Vec<&str> =
        variables.iter().filter(untyped).map(|variable| &*variable.module).collect();
    names.sort_unstable();
    names.dedup();
    if names.iter().any(|name| *name != "kernel") {
        warn_untyped_modules(session, |module| names.contains(&&*module.name))?;
    }
    if cli.output.verbose && variables.iter().any(|variable| &*variable.module != "kernel") {
        session.modules()?.files.iter().flat_map(|module| &module.log).for_each(|line| note(line));
    }
    Ok(())
}

/// Why no file tells the types of these modules' variables.
pub fn warn_untyped_modules(
    session: &Session,
    wanted: impl Fn(&Module) -> bool,
) -> Result<(), vnetkvm::Error> {
    let modules = session.modules()?.modules().filter(|module| wanted(module));
    modules.flat_map(Module::without_types).for_each(|why| warning(&why));
    Ok(())
}

/// How much of a value is shown to people, who may ask for more elements of an
/// array than `elements`; a script gets all there is.
pub fn limits(cli: &Cli, format: Format, elements: usize) -> Limits {
    let OutputArgs { max_elements, max_depth: depth, .. } = cli.output;
    let elements = match format {
        Format::Table => elements,
        Format::Plain | Format::Json | Format::Jsonl => usize::MAX,
    };
    Limits { elements: max_elements.unwrap_or(elements), depth, ..Limits::default() }
}

/// The vnets that the command line means. Without a word from it, says which
/// one that is.
pub fn chosen<'s>(
    cli: &Cli,
    session: &'s Session,
    output: &mut Output,
) -> anyhow::Result<Vec<Stack<'s>>> {
    let selector = selector(cli);
    let selection = session.select(&selector).map_err(|why| {
        without_vimage(why, "leave out the choice of a vnet; --vnet 0 and --jail 0 are the host's")
    })?;
    output.problems(&selection.problems);
    selection.remarks.iter().for_each(|remark| note(&format!("note: {remark}")));
    let stacks = selection.stacks;
    let vnets = stacks.iter().filter_map(|stack| stack.vnet());
    for vnet in vnets.filter(|vnet| !vnet.problems.is_empty()) {
        vnet.problems.iter().for_each(|why| warning(&format!("{}: {why}", vnet.title())));
    }
    if selector == Selector::Default
        && let [Stack::Vnet(vnet)] = stacks.as_slice()
    {
        let title = title_of_default(session, vnet);
        note(&format!("note: {title}; choose another with --vnet or --jail"));
    }
    Ok(stacks)
}

/// Of a kernel without VIMAGE: what to do about it where that is not the usual.
pub fn without_vimage(error: vnetkvm::Error, hint: &str) -> anyhow::Error {
    match error {
        vnetkvm::Error::Vnet(VnetError::NoVimage) => {
            Failure::new(error.to_string()).hint(hint).into()
        }
        other => other.into(),
    }
}

/// Does the command line say which vnet it means?
pub fn is_vnet_chosen(cli: &Cli) -> bool {
    selector(cli) != Selector::Default
}

/// A vnet that is meant where none was chosen, why, and what the crashed thread has to do
/// with it.
pub fn title_of_default(session: &Session, vnet: &Vnet) -> String {
    let why = if vnet.default { "the host's" } else { "in which the crashed thread worked" };
    let crashed = session
        .crashed_thread()
        .ok()
        .flatten()
        .map(|crashed| crashed_thread_remark(session, vnet, &crashed));
    format!("{}, {why}{}", vnet.title(), crashed.unwrap_or_default())
}

/// What is to be said of the crashed thread where it is not known, or worked in no vnet and
/// its jail has another than the one that is meant.
fn crashed_thread_remark(session: &Session, meant: &Vnet, crashed: &CrashedThread) -> String {
    let tid = crashed.tid;
    if crashed.thread.is_none() {
        return format!("; the crashed {crashed}");
    }
    let jail_vnet = crashed.jail_vnet.and_then(|jail_vnet| session.vnet(jail_vnet));
    match jail_vnet
        .filter(|jail_vnet| crashed.curvnet.is_none() && jail_vnet.address != meant.address)
    {
        Some(jail_vnet) => format!(
            "; the crashed thread {tid} worked in no vnet, and its jail's is {}",
            jail_vnet.title()
        ),
        None => String::new(),
    }
}

/// A vnet by its number, or by its address where it has none.
pub fn short_title(vnet: &Vnet) -> String {
    vnet.index.map_or_else(|| vnet.address.to_string(), |index| index.to_string())
}

fn selector(cli: &Cli) -> Selector {
    let args = &cli.vnet;
    let vnet = args.vnet.map(|choice| match choice {
        VnetChoice::Index(index) => Selector::Index(index),
        VnetChoice::Address(address) => Selector::Address(address),
    });
    vnet.or_else(|| args.jail.clone().map(Selector::Jail))
        .or_else(|| args.pid.map(Selector::Pid))
        .or_else(|| args.tid.map(Selector::Tid))
        .or_else(|| args.all_vnets.then_some(Selector::All))
        .unwrap_or(Selector::Default)
}
