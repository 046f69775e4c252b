//! What most commands begin with: a session and the chosen vnets.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use vnetkvm::answers::Chosen;
use vnetkvm::dump::{Core, DumpIdentity};
use vnetkvm::error::VnetError;
use vnetkvm::image;
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{self, Names, Options, Place, SavecoreInfo, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::source::crash::{self, Which};
use vnetkvm::value::Limits;
use vnetkvm::vnet::Stack;

use crate::args::{Format, Globals, OutputArgs, VnetArgs, VnetChoice};
use crate::exit::{Advice, Failure};
use crate::hints;
use crate::limits;
use crate::output;
use crate::progress::Bar;
use crate::say::{hint, warning};

/// Opens the files that the command line names, or the files found by default.
pub fn open(globals: &Globals) -> anyhow::Result<&Rc<Session>> {
    if let Some(session) = globals.run.session() {
        return Ok(session);
    }
    let session = if globals.input.demo {
        let demo = image::demo()?;
        Session::from_sources(demo.kernel, demo.core)?
    } else {
        warn_useless_debug_dirs(globals);
        let options = options(globals)?;
        let mut bar = Bar::new("unpacking");
        let session = Session::open_with(&options, &mut |progress| bar.show(progress));
        drop(bar);
        session.map_err(|why| with_advice(globals, why))?
    };
    Ok(keep(globals, session))
}

/// Adds the hint that the options on the command line justify.
fn with_advice(globals: &Globals, error: vnetkvm::Error) -> anyhow::Error {
    match hints::with_options(&error, &globals.input) {
        Some(hint) => anyhow::Error::new(error).context(Advice(hint)),
        None => error.into(),
    }
}

/// The dump and its path, without a kernel.
pub fn dump_alone(options: &Options) -> anyhow::Result<(Arc<Core>, PathBuf)> {
    let mut bar = Bar::new("unpacking");
    let core = session::open_dump(&options.core, &mut |progress| bar.show(progress));
    drop(bar);
    Ok((Arc::new(core?), options.core.clone()))
}

/// Whether the path is that of a memory device, which says nothing without a kernel.
pub fn is_device(path: &Path) -> bool {
    Source::open(path).is_ok_and(|source| source.is_device())
}

/// Warnings about a dump whose kernel is not known.
pub fn dump_warnings(core: &Core, path: &Path) -> Vec<String> {
    let saved =
        SavecoreInfo::find(path).map(|saved| saved.disagreements(core, DumpIdentity::default()));
    core.warnings.iter().cloned().chain(saved.into_iter().flatten()).collect()
}

/// Prints the warnings about the kernel and the dump, and keeps the session as long as the run.
pub fn keep(globals: &Globals, session: Session) -> &Rc<Session> {
    limits::set_budget(globals, session.budget(), session.budget().allowance());
    session.warnings().iter().for_each(|why| warning(why));
    session.missing_types().iter().for_each(|missing| hint(&hints::missing_types(missing)));
    globals.run.keep_session(session)
}

/// The kernel alone, for questions that need no dump. If no kernel was given, the dump's.
pub fn with_kernel<T>(
    globals: &Globals,
    f: impl FnOnce(&Kernel) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    match &globals.input.kernel {
        Some(path) if !globals.input.demo => f(&open_kernel(globals, path)?),
        _ => f(open(globals)?.kernel().linked()),
    }
}

/// A kernel with its debug file.
pub fn open_kernel(globals: &Globals, path: &Path) -> anyhow::Result<Kernel> {
    warn_useless_debug_dirs(globals);
    let (kernel, refused) = session::open_kernel(path, &globals.input.debug_dir)?;
    session::not_a_kernel(&kernel).iter().chain(&refused).for_each(|why| warning(why));
    Ok(kernel)
}

/// A missing directory is probably a typing error, and in a closed one nothing is found.
pub fn warn_useless_debug_dirs(globals: &Globals) {
    for dir in &globals.input.debug_dir {
        let why = if is_closed(dir) {
            "permission denied"
        } else if !dir.is_dir() {
            "no such directory"
        } else {
            continue;
        };
        warning(&format!("--debug-dir {}: {why}", dir.display()));
    }
}

/// Is it denied to look for files in the directory?
fn is_closed(dir: &Path) -> bool {
    let inside = fs::metadata(dir.join("."));
    inside.is_err_and(|why| why.kind() == io::ErrorKind::PermissionDenied)
}

/// Which files the command line names, and how to read them.
pub fn options(globals: &Globals) -> anyhow::Result<Options> {
    let input = &globals.input;
    Ok(Options {
        kernel: input.kernel.clone(),
        core: core(globals)?,
        debug_dirs: input.debug_dir.clone(),
        types: input.wanted_types(),
        memory_map: input.memory_map.clone(),
        kernel_phys: input.kernel_phys,
    })
}

/// Where savecore(8) leaves dumps on the machine of the command line.
pub fn crash_dir(globals: &Globals) -> &Path {
    globals.input.crash_dir.as_deref().unwrap_or(Path::new(crash::DIRECTORY))
}

/// The path of the dump: by number, by name, or else the last one.
fn core(globals: &Globals) -> Result<PathBuf, Failure> {
    let input = &globals.input;
    let dir = crash_dir(globals);
    let which = match (input.dump, &input.core) {
        (None, Some(core)) => return Ok(core.clone()),
        (Some(_), Some(_)) if globals.core_named => {
            return Err(Failure::new("-M conflicts with -n").hint("use one of them"));
        }
        (Some(number), _) => Which::Number(number),
        (None, None) => Which::Last,
    };
    match crash::dump(dir, which) {
        crash::Search::Found(core) => {
            let told = match which {
                Which::Number(number) => format!("number {number}"),
                Which::Last => "the last dump".to_owned(),
            };
            log::info!("dump: {}: {told} in {}", core.display(), dir.display());
            Ok(core)
        }
        crash::Search::Several(names) => {
            let what = format!("{} has dumps from several hosts", dir.display());
            Err(Failure::new(what).hint(format!("name one with -M: {}", names.join(", "))))
        }
        crash::Search::None => Err(no_dump(dir, which)),
    }
}

/// The error for a crash directory that does not have the dump.
fn no_dump(dir: &Path, which: Which) -> Failure {
    let shown = dir.display();
    let (given, name, way_out) = match which {
        Which::Number(number) => ("", format!("vmcore.{number}"), "use -M FILE"),
        Which::Last => (
            "no dump was given, and ",
            "vmcore.last".to_owned(),
            "use -M FILE, set VNETKVM_CORE, or try --demo",
        ),
    };
    if is_closed(dir) {
        let what =
            format!("{given}the crash directory {shown} cannot be searched: permission denied");
        return Failure::new(what).hint("run as root, or use -M FILE");
    }
    if !dir.is_dir() {
        let what = if dir.exists() { "is not a directory" } else { "does not exist" };
        return Failure::new(format!("{given}the crash directory {shown} {what}")).hint(way_out);
    }
    let failure = Failure::new(format!("{given}there is no {name} in {shown}"));
    match crash::dumps(dir).as_slice() {
        [] => failure.hint(match crash::files(dir).as_slice() {
            [] => way_out.to_owned(),
            files => format!("{way_out}; the directory contains {}", files.join(", ")),
        }),
        [only] => failure.hint(format!("the directory has {only}: choose it with -n")),
        dumps => failure.hint(format!("choose one with -n: {}", dumps.join(", "))),
    }
}

/// How much of a value to show. A table shows `elements` elements of an array unless the command
/// line gives another number; the other formats show all.
pub fn limits(globals: &Globals, elements: usize) -> Limits {
    let OutputArgs { max_elements, max_depth: depth, .. } = globals.output;
    let elements = match output::format(&globals.output) {
        Format::Table | Format::Html | Format::Markdown => elements,
        Format::Plain | Format::Json | Format::Jsonl | Format::Template(_) => usize::MAX,
    };
    Limits { elements: max_elements.unwrap_or(elements), depth, ..Limits::default() }
}

/// Where names in an address are looked up: in a network stack, and among what the shell keeps.
pub fn place<'r>(globals: &'r Globals, stack: Stack<'r>) -> Place<'r> {
    Place { stack, names: Names { kept: globals.run.kept(), ..Names::default() } }
}

/// The vnets that the command line chooses.
pub fn chosen<'s>(globals: &Globals, session: &'s Session) -> anyhow::Result<Chosen<'s>> {
    Chosen::ask(session, &selector(globals)).map_err(not_chosen)
}

/// All vnets, for a question whose answer has a column for each.
pub fn all_side_by_side<'s>(globals: &Globals, session: &'s Session) -> anyhow::Result<Chosen<'s>> {
    if globals.vnet.is_given() && !globals.vnet.all_vnets {
        return Err(Failure::new("--pivot shows all vnets")
            .hint("leave out the choice of one")
            .into());
    }
    Chosen::ask(session, &Selector::All).map_err(not_chosen)
}

/// How much of values to read that are compared: all, unless the command line gives a number.
pub fn limits_side_by_side(globals: &Globals) -> Limits {
    limits(globals, usize::MAX)
}

/// Why no vnet can be chosen.
pub fn not_chosen(why: vnetkvm::Error) -> anyhow::Error {
    without_vimage(why, "leave out the choice of a vnet, or use --vnet 0 or --jail 0 for the host")
}

/// Adds a hint to the error that the kernel has no VIMAGE.
pub fn without_vimage(error: vnetkvm::Error, hint: &str) -> anyhow::Error {
    match error {
        vnetkvm::Error::Vnet(VnetError::NoVimage) => {
            Failure::new(error.to_string()).hint(hint).into()
        }
        other => other.into(),
    }
}

/// The choice of vnets, as the library takes it.
pub fn selector(globals: &Globals) -> Selector {
    let args = &globals.vnet;
    named_vnets(args)
        .pop()
        .or_else(|| args.pid.map(Selector::Pid))
        .or_else(|| args.tid.map(Selector::Tid))
        .or_else(|| args.all_vnets.then_some(Selector::All))
        .unwrap_or(Selector::Default)
}

/// The vnets that were chosen by number, address or jail: one, or for `diff` several.
pub fn named_vnets(args: &VnetArgs) -> Vec<Selector> {
    let by_vnet = args.vnet.iter().map(|choice| match *choice {
        VnetChoice::Index(index) => Selector::Index(index),
        VnetChoice::Address(address) => Selector::Address(address),
    });
    by_vnet.chain(args.jail.iter().cloned().map(Selector::Jail)).collect()
}
