//! The limits on the cost of an answer: `--max-work` and `--max-memory`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vnetkvm::budget::{Allowance, Budget, Exhausted, Resource};

use crate::args::Globals;

/// The budget of the question that is being answered.
static BUDGET: Mutex<Option<Arc<Budget>>> = Mutex::new(None);

/// Sets the budget to what the command line allows, or else to what the files justify.
pub fn set_budget(globals: &Globals, budget: &Arc<Budget>, justified: Allowance) {
    let work = globals.input.max_work.unwrap_or(justified.work);
    let bytes = globals.input.max_memory.unwrap_or(justified.bytes);
    budget.renew(Allowance { work, bytes });
    // The first budget is the session's; later ones are ignored.
    current().get_or_insert_with(|| Arc::clone(budget));
}

/// The limit that was reached, if any.
pub fn reached() -> Option<Exhausted> {
    current().as_ref()?.exhausted()
}

/// Forgets the budget, so that the next question has one of its own.
pub fn forget() {
    *current() = None;
}

/// Ends the question that is being answered.
#[cfg(feature = "shell")]
pub fn stop() {
    if let Some(budget) = current().as_ref() {
        budget.stop();
    }
}

fn current() -> MutexGuard<'static, Option<Arc<Budget>>> {
    BUDGET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hint that names the option to raise the limit.
pub fn option(why: &Exhausted) -> Option<&'static str> {
    match why.resource {
        Resource::Work => Some("raise the limit with --max-work STEPS"),
        Resource::Bytes => Some("raise the limit with --max-memory BYTES"),
        Resource::Parts(_) | Resource::Levels(_) | Resource::Patience => None,
    }
}
