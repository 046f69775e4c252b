//! `diff`: what differs between a vnet and its initial values, another vnet, or itself in
//! another dump.

mod answer;
mod element;
mod matched;
mod partner;

use std::rc::Rc;

use super::{Chosen, PerVnet, Remark, variables};
use crate::error::Error;
use crate::session::{Matches, Session};
use crate::vnet::{SetVariable, Stack, Vnet, VnetError};
use crate::walk::{Problem, Problems};

pub use answer::{Diff, Summary};
pub use element::{Changed, Difference, Unknown};

use answer::{Baseline, Compared};
use matched::Matched;
use partner::Partner;

/// What to compare.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// Patterns of variables; empty means all.
    pub patterns: &'a [String],
    /// Leave nothing out of what differs between any two stacks.
    pub all: bool,
}

/// What each of the chosen vnets is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Against<'s> {
    /// The values that it started with.
    Initial,
    /// Another vnet.
    Vnet(Stack<'s>),
    /// The same vnet in another dump.
    Dump(&'s Session),
}

/// What differs in each of the chosen vnets.
///
/// # Errors
/// A kernel is not its dump's, or its variables are unknown. A pattern that matches none is
/// [reported with the answer](super::Answer::take_missed).
pub fn diff<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    against: Against<'s>,
    question: Question<'_>,
) -> Result<PerVnet<'s, Diff<'s>>, Error> {
    let (matched, missed, problems) = matches(session, against, question.patterns)?;
    let matched = Rc::new(matched);
    let initial = match against {
        Against::Initial => Some(Rc::new(session.initial_values()?)),
        Against::Vnet(_) | Against::Dump(_) => None,
    };
    let mut remarks = untyped_modules(session, &matched)?;
    let mut known = chosen;
    let mut baselines = Vec::new();
    known.stacks.retain(|stack| {
        let found = match (against, &initial) {
            (Against::Dump(other), _) => partner::of(session, *stack, other),
            (Against::Vnet(other), _) => Ok(Partner::new(session, other)),
            (Against::Initial, Some(values)) => {
                baselines.push(Baseline::Initial(Rc::clone(values)));
                return true;
            }
            (Against::Initial, None) => return false,
        };
        match found {
            Ok(partner) => {
                remarks.push(partner.remark(*stack));
                baselines.push(Baseline::Stack(partner));
                true
            }
            Err(why) => {
                remarks.push(Remark::Warning(why));
                false
            }
        }
    });
    if let (Against::Dump(other), true) = (against, known.all) {
        remarks.extend(without_counterpart(other, &baselines));
    }
    let answers: Vec<Diff<'s>> = known
        .stacks
        .iter()
        .zip(baselines)
        .map(|(stack, old)| {
            let matched = Rc::clone(&matched);
            Diff::new(Compared { session, stack: *stack, old, matched, all: question.all })
        })
        .collect();
    remarks.extend(answers.first().and_then(Diff::origins_remark));
    let mut all_problems = problems;
    for (stack, answer) in known.stacks.iter().zip(&answers) {
        for (of, why) in answer.without_copies() {
            let title = of.or(stack.vnet()).map_or_else(String::new, Vnet::title);
            all_problems.add(Problem::new(format!("the variables of {title}"), why));
        }
    }
    let nothing = matched.is_empty().then(|| "no variable matches".to_owned());
    let no_partner = known.stacks.is_empty().then(|| "no vnet has a counterpart".to_owned());
    let answer = PerVnet::kept(known, answers);
    let missed = missed.into_iter().map(Error::from).collect();
    let nothing = nothing.or(no_partner);
    Ok(PerVnet { problems: all_problems, remarks, missed, nothing, ..answer })
}

/// The vnets of the other dump that nothing is compared with.
fn without_counterpart(other: &Session, baselines: &[Baseline<'_>]) -> Vec<Remark> {
    let is_compared = |vnet: &Vnet| {
        baselines.iter().any(|old| match old {
            Baseline::Stack(partner) => {
                partner.stack.vnet().is_some_and(|known| known.address == vnet.address)
            }
            Baseline::Initial(_) => false,
        })
    };
    let core = other.core_path().display();
    let vnets = other.vnets().map(|vnets| &vnets.all[..]).unwrap_or_default();
    let rest = vnets.iter().filter(|vnet| !vnet.is_freed() && !is_compared(vnet));
    rest.map(|vnet| Remark::Warning(format!("{} of {core} has no counterpart", vnet.title())))
        .collect()
}

/// Which modules' variables are compared as bytes.
fn untyped_modules(session: &Session, matched: &Matched) -> Result<Vec<Remark>, Error> {
    let variables: Vec<SetVariable> =
        matched.both.iter().map(|(_, named)| named.variable.clone()).collect();
    variables::untyped_modules(session, &variables)
}

/// The variables that are compared, why some patterns match none, and what may hide others.
fn matches(
    session: &Session,
    against: Against<'_>,
    patterns: &[String],
) -> Result<(Matched, Vec<VnetError>, Problems), Error> {
    let Matches { variables, missed, mut problems } = session.matches(patterns)?;
    let Against::Dump(other) = against else {
        return Ok((Matched::alone(session, variables), missed, problems));
    };
    let of_other = other.matches(patterns)?;
    problems.extend(of_other.problems);
    let matched = Matched::with_other((session, variables), (other, of_other.variables));
    // What one of the kernels has is compared, and told.
    let missed = if of_other.missed.len() < missed.len() { of_other.missed } else { missed };
    Ok((matched, missed, problems))
}
