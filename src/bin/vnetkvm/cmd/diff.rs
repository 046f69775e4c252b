//! `diff`: what is compared with what.

use std::path::Path;

use vnetkvm::answers::diff::{self, Against, Question};
use vnetkvm::session::{Options, Session};

use crate::args::Globals;
use crate::args::diff::DiffArgs;
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::limits;
use crate::output::show_search;
use crate::progress::Bar;
use crate::say::warning;

pub fn run(globals: &Globals, args: &DiffArgs) -> anyhow::Result<Outcome> {
    let given = context::named_vnets(&globals.vnet);
    if given.len() > 2 {
        let failure = Failure::new("at most two vnets can be compared");
        return Err(failure.hint("use --all-vnets to compare each with its initial values").into());
    }
    if given.len() == 2 && args.against.is_some() {
        let what = "--against conflicts with a second vnet";
        return Err(Failure::new(what).hint("use one of them").into());
    }
    let session = context::open(globals)?;
    let against = match (&given[..], &args.against) {
        ([first, _], _) => {
            let selection = session.select(first)?;
            let stack = selection.stacks.first().copied();
            stack.map_or(Against::Initial, Against::Vnet)
        }
        (_, Some(core)) => Against::Dump(open_other(globals, args, core, session)?),
        _ => Against::Initial,
    };
    let chosen = context::chosen(globals, session)?;
    let question = Question { patterns: &args.patterns, all: args.all };
    let answer = diff::diff(session, chosen, against, question).map_err(|why| {
        context::without_vimage(why, "name the variables to compare: `vnetkvm diff 'tcp*'`")
    })?;
    show_search(globals, answer)
}

/// Opens the other dump with its kernel.
fn open_other<'r>(
    globals: &'r Globals,
    args: &DiffArgs,
    core: &Path,
    session: &Session,
) -> anyhow::Result<&'r Session> {
    let own = (!globals.input.demo).then(|| session.kernel().linked().main().source().path());
    let options = |kernel: Option<&Path>| Options {
        kernel: kernel.map(Path::to_owned),
        core: core.to_owned(),
        debug_dirs: globals.input.debug_dir.clone(),
        types: globals.input.wanted_types(),
        ..Options::default()
    };
    let open = |kernel: Option<&Path>| {
        let mut bar = Bar::new("unpacking");
        let opened = Session::open_with(&options(kernel), &mut |progress| bar.show(progress));
        drop(bar);
        opened
    };
    let other = match (&args.against_kernel, own) {
        (Some(kernel), _) => open(Some(kernel))?,
        (None, Some(own)) => match open(Some(own)) {
            Ok(other) if !is_other_kernel(&other) => other,
            // The error about this kernel says more than that none is found.
            refused => open(None).or(refused)?,
        },
        (None, None) => open(None)?,
    };
    let name = core.display();
    other.warnings().iter().for_each(|why| warning(&format!("{name}: {why}")));
    limits::set_budget(globals, other.budget(), other.budget().allowance());
    Ok(globals.run.keep_session(other))
}

fn is_other_kernel(session: &Session) -> bool {
    session.require_match().is_err()
}
