//! The limits on the cost of an answer: `--max-work` and `--max-memory`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vnetkvm::budget::{Allowance, Budget, Exhausted, Resource};

use crate::args::Globals;

static QUESTION: Mutex<Question> = Mutex::new(Question { budgets: Vec::new(), is_stopped: false });

/// The question that is being answered.
struct Question {
    /// One for each dump that it asks.
    budgets: Vec<Arc<Budget>>,
    /// Nobody waits for the answer any more.
    is_stopped: bool,
}

/// Sets the budget to what the command line allows, or else to what the files justify.
pub fn set_budget(globals: &Globals, budget: &Arc<Budget>, justified: Allowance) {
    let work = globals.input.max_work.unwrap_or(justified.work);
    let bytes = globals.input.max_memory.unwrap_or(justified.bytes);
    let mut question = question();
    budget.renew(Allowance { work, bytes });
    if question.is_stopped {
        budget.stop();
    }
    question.budgets.push(Arc::clone(budget));
}

/// The limit that was reached, if any.
pub fn reached() -> Option<Exhausted> {
    question().budgets.iter().find_map(|budget| budget.exhausted())
}

/// Forgets the budgets, so that the next question has its own.
pub fn forget() {
    question().budgets.clear();
}

/// Ends the question that is being answered.
#[cfg(feature = "shell")]
pub fn stop() {
    let mut question = question();
    question.is_stopped = true;
    question.budgets.iter().for_each(|budget| budget.stop());
}

/// Whether the question was stopped.
pub fn is_stopped() -> bool {
    question().is_stopped
}

/// The question that was stopped has ended.
#[cfg(feature = "shell")]
pub fn go_on() {
    question().is_stopped = false;
}

fn question() -> MutexGuard<'static, Question> {
    QUESTION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hint that names the option to raise the limit.
pub fn option(why: &Exhausted) -> Option<&'static str> {
    match why.resource {
        Resource::Work => Some("raise the limit with --max-work STEPS"),
        Resource::Bytes => Some("raise the limit with --max-memory BYTES"),
        Resource::Parts(_) | Resource::Levels(_) | Resource::Patience => None,
    }
}

/// The same for an error that says that a limit was reached. An error that does not has another
/// cause, even if the limit was reached before. On its way through the layers, the limit may have
/// become a part of a sentence.
pub fn option_for(error: &anyhow::Error) -> Option<&'static str> {
    let allowances: Vec<_> = question().budgets.iter().map(|budget| budget.allowance()).collect();
    let limits = allowances.into_iter().flat_map(|Allowance { work, bytes }| {
        [(Resource::Work, work), (Resource::Bytes, bytes)]
            .map(|(resource, limit)| Exhausted { resource, limit })
    });
    let mut told = limits.filter(|why| {
        let why = why.to_string();
        error.chain().any(|cause| cause.to_string().contains(&why))
    });
    told.find_map(|why| option(&why))
}
