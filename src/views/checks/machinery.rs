//! Constructors and destructors, locks, and event handlers.

use super::{Evidence, Finding, Findings};
use crate::addr::VirtAddr;
use crate::value::lock_word::Holder;
use crate::views::eventhandlers::VnetHandlers;
use crate::vnet::locks::Guards;
use crate::walk::Problem;

/// The lists of constructors and destructors are sorted, and lead to functions that are loaded.
pub(super) fn sysinits(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let all = evidence.sysinits()?;
    let writer = evidence.locks().ok().and_then(|locks| locks.writer(Guards::Sysinits));
    let writer = writer.map(|thread| format!("{thread} is registering one"));
    let mut findings = Findings::default();
    findings.add_broken_unless(&all.problems, writer.as_deref());
    for sysinit in all.iter() {
        let name = sysinit.function.as_ref().map(|function| function.target_name());
        let name = name.unwrap_or_else(|_| format!("the vnet_sysinit at {}", sysinit.address));
        let parts = [sysinit.function.as_ref().err(), sysinit.argument.as_ref().err()];
        for why in parts.into_iter().flatten() {
            findings.add(Finding::unreadable(&name, why).at([sysinit.address]));
        }
    }
    let (up, down) = (all.constructors.len(), all.destructors.len());
    Ok(findings.or_ok(|| format!("{up} constructors and {down} destructors are in order")))
}

/// Each lock is free, or held by a thread that exists.
pub(super) fn locks(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let all = evidence.locks()?;
    let mut findings = Findings::default();
    for view in &all.locks {
        let name = view.lock.name;
        let at = view.lock.address;
        let finding = match &view.lock.state {
            Err(why) => Finding::unreadable(name, why),
            Ok(state) => match (state.holder, &view.owner, &view.nameless) {
                (Holder::Destroyed, ..) => Finding::fault(format!("{name} is destroyed")),
                (Holder::Nonsense, ..) => {
                    let word = VirtAddr::new(state.word);
                    Finding::fault(format!("{name} has a word that no lock can have: {word}"))
                }
                (Holder::Exclusive { thread }, None, Some(why)) => {
                    let unknown = all.problems.none().err().map(|problem| problem.to_string());
                    Finding::fault(format!("{name} is held by {thread}, which is no thread: {why}"))
                        .at([thread])
                        .unless(unknown.as_deref())
                }
                (Holder::Shared { readers }, ..) => match impossible(evidence, readers) {
                    Some(why) => Finding::fault(format!("{name} is shared by {readers}: {why}")),
                    None => continue,
                },
                _ => continue,
            },
        };
        findings.add(finding.at(at));
    }
    let held = |holder: &Holder| matches!(holder, Holder::Shared { .. } | Holder::Exclusive { .. });
    let states = all.locks.iter().filter_map(|view| view.lock.state.as_ref().ok());
    let held = states.filter(|state| held(&state.holder)).count();
    let count = all.locks.len();
    Ok(findings.or_ok(|| format!("{count} locks are sound, and {held} of them are held")))
}

/// Why so many threads cannot share a lock. A thread may share one more than once.
fn impossible(evidence: &Evidence<'_>, readers: u64) -> Option<String> {
    const AGAIN: u64 = 16;
    let threads = evidence.threads().ok().filter(|all| all.problems.is_empty())?;
    let count = threads.threads.len() as u64;
    (readers > count.saturating_mul(AGAIN)).then(|| format!("there are {count} threads"))
}

/// Event handlers are functions that are loaded.
pub(super) fn eventhandlers(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let read = VnetHandlers::read(evidence.target(), evidence.unloaded());
    let all = read.map_err(|why| Problem::new("eventhandler_lists", why.to_string()))?;
    let mut findings = Findings::default();
    findings.add_broken(&all.problems);
    for call_out in &all.call_outs {
        findings.add(Finding::fault(&*call_out.why).at(call_out.at));
    }
    for handler in all.handlers.iter().filter(|handler| !handler.is_dead()) {
        let event = handler.event.as_deref().unwrap_or("an event");
        let parts = [handler.function.as_ref().err(), handler.argument.as_ref().err()];
        for why in parts.into_iter().flatten() {
            let subject = format!("a handler of {event} for each vnet");
            findings.add(Finding::unreadable(&subject, why).at([handler.address]));
        }
    }
    let (count, each) = (all.registered, all.handlers.len());
    Ok(findings
        .or_ok(|| format!("{count} event handlers are loaded, {each} of them for each vnet")))
}
