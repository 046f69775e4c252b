//! What most commands begin with: a session, and the vnets that are meant.

use vnetkvm::addr::PhysAddr;
use vnetkvm::image;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::value::Limits;
use vnetkvm::vnet::Vnet;

use crate::args::{Cli, Format, OutputArgs, VnetChoice};
use crate::exit::Failure;
use crate::output::note;
use crate::progress::Bar;

/// Opens what the command line names.
pub fn open(cli: &Cli) -> anyhow::Result<Session> {
    let input = &cli.input;
    let session = if input.demo {
        let demo = image::demo()?;
        Session::from_sources(demo.kernel, demo.core)?
    } else {
        let missing = |what: &str, option: &str, variable: &str| {
            Failure::new(format!("no {what} was given"))
                .hint(format!("use {option} FILE or set {variable}; --demo needs neither"))
        };
        let kernel = input.kernel.clone();
        let core = input.core.clone();
        let mut bar = Bar::new();
        let options = Options {
            kernel: kernel.ok_or_else(|| missing("kernel", "-N", "VNETKVM_KERNEL"))?,
            core: core.ok_or_else(|| missing("core", "-M", "VNETKVM_CORE"))?,
            debug_dirs: input.debug_dir.clone(),
            memory_map: input.memory_map.clone(),
            kernel_phys: input.kernel_phys.map(PhysAddr::new),
        };
        Session::open_with(&options, &mut |progress| bar.show(progress))?
    };
    if cli.output.verbose {
        session.log().iter().for_each(|line| note(line));
    }
    session.warnings().iter().for_each(|warning| note(&format!("warning: {warning}")));
    Ok(session)
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
/// one that is. In a kernel without VIMAGE the one stack is no vnet: `None`.
pub fn chosen<'s>(cli: &Cli, session: &'s Session) -> anyhow::Result<Vec<Option<&'s Vnet>>> {
    let selector = selector(cli)?;
    let vnets = session.select(&selector);
    session.list_problems().iter().for_each(|problem| note(&format!("warning: {problem}")));
    let vnets = vnets?;
    let damaged = vnets.iter().flatten().filter(|vnet| !vnet.problems.is_empty());
    for vnet in damaged {
        vnet.problems.iter().for_each(|why| note(&format!("warning: {}: {why}", title(vnet))));
    }
    whole_list(cli, session)?;
    if selector == Selector::Default
        && let [Some(vnet)] = vnets.as_slice()
    {
        let (title, why) = (title(vnet), why_default(vnet));
        note(&format!("note: {title}, {why}; choose another with --vnet or --jail"));
    }
    Ok(vnets)
}

/// With --strict, a list of vnets that is not whole is a failure.
pub fn whole_list(cli: &Cli, session: &Session) -> Result<(), Failure> {
    match session.list_problems().first() {
        Some(why) if cli.output.strict => {
            Err(Failure::new(format!("not all vnets are known: {why}"))
                .hint("without --strict, those that are known are shown"))
        }
        _ => Ok(()),
    }
}

/// Why this vnet is meant where none was chosen.
pub fn why_default(vnet: &Vnet) -> &'static str {
    if vnet.default { "the host's" } else { "in which the crashed thread worked" }
}

/// A vnet by its number and address: `vnet 1 (0xfffff80003a51800)`.
pub fn title(vnet: &Vnet) -> String {
    match vnet.index {
        Some(index) => format!("vnet {index} ({})", vnet.address),
        None => format!("unlisted vnet {}", vnet.address),
    }
}

/// A vnet by its number, or by its address where it has none.
pub fn short_title(vnet: &Vnet) -> String {
    vnet.index.map_or_else(|| vnet.address.to_string(), |index| index.to_string())
}

fn selector(cli: &Cli) -> anyhow::Result<Selector> {
    let args = &cli.vnet;
    let vnet = args.vnet.map(|choice| match choice {
        VnetChoice::Index(index) => Selector::Index(index),
        VnetChoice::Address(address) => Selector::Address(address),
    });
    let choices = [
        vnet,
        args.jail.clone().map(Selector::Jail),
        args.pid.map(Selector::Pid),
        args.tid.map(Selector::Tid),
        args.all_vnets.then_some(Selector::All),
    ];
    let mut given = choices.into_iter().flatten();
    let first = given.next().unwrap_or(Selector::Default);
    match given.next() {
        None => Ok(first),
        Some(_) => Err(Failure::new("more than one choice of vnet was given")
            .hint("use one of --vnet, --jail, --pid, --tid and --all-vnets")
            .into()),
    }
}
