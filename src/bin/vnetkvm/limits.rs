//! What answering may cost: `--max-work` and `--max-memory`.

use std::sync::{Arc, OnceLock};

use vnetkvm::budget::{Allowance, Budget, Exhausted, Resource};

use crate::args::Globals;

/// The budget of the one question that the process answers.
static BUDGET: OnceLock<Arc<Budget>> = OnceLock::new();

/// Gives the budget what the command line allows, or else what the files justify.
pub fn set_budget(globals: &Globals, budget: &Arc<Budget>, justified: Allowance) {
    let work = globals.input.max_work.unwrap_or(justified.work);
    let bytes = globals.input.max_memory.unwrap_or(justified.bytes);
    budget.renew(Allowance { work, bytes });
    // Of several it is the first, which is the session's.
    let _ = BUDGET.set(Arc::clone(budget));
}

/// What the budget had not enough of, if anything.
pub fn reached() -> Option<Exhausted> {
    BUDGET.get()?.exhausted()
}

/// The option that allows more of it.
pub fn option(why: &Exhausted) -> Option<&'static str> {
    match why.resource {
        Resource::Work => Some("--max-work STEPS allows more"),
        Resource::Bytes => Some("--max-memory BYTES allows more"),
        Resource::Parts(_) | Resource::Levels(_) => None,
    }
}
