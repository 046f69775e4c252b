//! `bt`: which threads' stacks are shown.

use vnetkvm::answers::backtraces::{self, Which};

use crate::args::Globals;
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::output::show;
use crate::say::hint;

/// Elements of an argument that is an array.
const SHOWN_ELEMENTS: usize = 8;

pub fn run(globals: &Globals, running: bool, all: bool, vnets: bool) -> anyhow::Result<Outcome> {
    let selected = globals.vnet.is_given();
    if selected && (running || all) {
        let option = if running { "--running" } else { "--all" };
        let what = format!("{option} does not apply together with a choice of threads");
        return Err(Failure::new(what).into());
    }
    let which = match (running, all) {
        (true, _) => Which::Running,
        (_, true) => Which::All,
        _ if selected => Which::Selected(context::selector(globals)),
        _ => Which::Dumping,
    };
    let session = context::open(globals)?;
    let limits = context::limits(globals, SHOWN_ELEMENTS);
    let stacks = backtraces::backtraces(session, &which, vnets, &limits)?;
    let outcome = show(globals, stacks)?;
    if matches!(outcome, Outcome::NothingMatched(_)) && which == Which::Dumping {
        hint("choose threads with --tid, --pid, --jail, --vnet, --running or --all");
    }
    Ok(outcome)
}
