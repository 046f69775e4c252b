//! Jails: their tree, and the vnets that they are in.

use std::cell::OnceCell;

use rustc_hash::FxHashMap;

use super::vnets::is_orphan;
use super::{Evidence, Finding, Findings};
use crate::addr::VirtAddr;
use crate::threads::ThreadName;
use crate::threads::stack::Stack;
use crate::value::lock_word::LockState;
use crate::views::call_out::CallOut;
use crate::views::inside::Functions;
use crate::views::jails::{self, Jail, Life};
use crate::vnet::Condition;
use crate::walk::{Problem, Problems};

/// What the view calls out about the lists of jails.
const TREE: [&str; 3] = ["wrong-child", "unknown-parent", "not-a-child"];

/// What takes a jail off its lists before its vnet is destroyed (`sys/kern/kern_jail.c`, 9.3 to
/// main), and what then destroys that.
const REMOVING: [&str; 4] =
    ["vnet_destroy", "prison_deref", "prison_deref_kill", "prison_complete"];

/// The list of jails and their tree agree.
pub(super) fn tree(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let all = match evidence.jails() {
        Ok(all) => all,
        Err(problem) => return Ok(Finding::broken(&problem).into()),
    };
    let (mut findings, mut problems) = (Findings::default(), all.problems.clone());
    let called_out = called_out(evidence, &TREE, &mut problems)?;
    let changing = changing(evidence);
    findings.add_broken_unless(&problems, changing.as_deref());
    for (jail, call_out) in called_out {
        let finding = Finding::call_out(&jail.title(), &call_out).unless(changing.as_deref());
        findings.add(finding.at([jail.address]));
    }
    let removed = all.all().iter().filter(|jail| jail.life == Life::BeingRemoved).count();
    let listed = all.all().len() - removed;
    Ok(findings.or_ok(|| match removed {
        0 => format!("{listed} jails are on the list and in the tree"),
        _ => format!("{listed} jails are on the list and in the tree; {removed} being removed"),
    }))
}

/// Each jail is in a vnet that it may be in.
pub(super) fn vnets(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    const WHAT: [&str; 5] =
        ["no-vnet", "vnet-freed", "vnet-invalid", "vnet-unlisted", "vnet-not-parents"];
    let all = evidence.jails()?;
    let mut findings = Findings::default();
    let called_out = called_out(evidence, &WHAT, &mut Problems::default())?;
    let changing = changing(evidence);
    for (jail, call_out) in called_out {
        // What is wrong with the vnet itself, checks of vnets report.
        let told = call_out.at.is_some_and(|at| match call_out.what {
            "vnet-unlisted" => is_orphan(evidence, at),
            "vnet-freed" | "vnet-invalid" => evidence.is_listed(at),
            _ => false,
        });
        // prison0 belongs to the check of vnet0.
        if jail.jid == 0 || told {
            continue;
        }
        let finding = Finding::call_out(&jail.title(), &call_out).unless(changing.as_deref());
        let vnet = jail.vnet.map(|vnet| evidence.vnet_ref(vnet));
        findings.add(finding.of(vnet).at([jail.address]));
    }
    findings.add_unknown(&all.problems);
    let removed = all.all().iter().filter(|jail| jail.life == Life::BeingRemoved).count();
    let starting = |jail: &&Jail| jail.life == Life::Starting && jail.vnet.is_none();
    let starting = all.all().iter().filter(starting).count();
    let inside = all.all().len() - removed - starting;
    let others = [(removed, "being removed"), (starting, "being created")];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let others: String = others.map(|(count, what)| format!("; {count} {what}")).collect();
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        format!("{inside} jails are in vnets on the list{others}")
    }))
}

/// Each vnet on the list belongs to one jail.
pub(super) fn owners(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let all = evidence.jails()?;
    let mut findings = Findings::default();
    let listed = evidence.vnets()?.iter().filter(|vnet| {
        // That of prison0 has a check of its own.
        vnet.is_listed() && !vnet.is_freed() && !vnet.default
    });
    let mut owners: FxHashMap<VirtAddr, Vec<&Jail>> = FxHashMap::default();
    for jail in all.all().iter().filter(|jail| jail.own_vnet && jail.jid != 0) {
        owners.entry(jail.vnet.unwrap_or_default()).or_default().push(jail);
    }
    let removers = OnceCell::new();
    for vnet in listed {
        let finding = match owners.get(&vnet.address).map_or(&[][..], |all| all) {
            [one] => Finding::ok(format!("it belongs to {}", one.title())),
            [] => {
                let why = "no jail owns it, though it is on the list";
                let unknown = match all.problems.none() {
                    Err(problem) => Some(problem.to_string()),
                    Ok(()) => coming_or_going(evidence, &removers, vnet.address),
                };
                Finding::fault(why).at([vnet.address]).unless(unknown.as_deref())
            }
            several => {
                let titles: Vec<String> = several.iter().map(|jail| jail.title()).collect();
                let why = format!("several jails own it: {}", titles.join(" and "));
                Finding::fault(why).at([vnet.address]).at(several.iter().map(|jail| jail.address))
            }
        };
        findings.add(finding.of(Some(vnet.into())));
    }
    Ok(findings)
}

/// The call-outs of these kinds, each with its jail, in the order of the jails.
fn called_out<'a>(
    evidence: &'a Evidence<'_>,
    what: &[&str],
    problems: &mut Problems,
) -> Result<Vec<(&'a Jail, CallOut)>, Problem> {
    let all = evidence.jails()?;
    let vnets = evidence.known_vnets()?;
    let mut found = jails::check(evidence.target(), all, vnets, problems);
    let of_jail = |jail: &'a Jail| {
        let call_outs = found.remove(&jail.address).unwrap_or_default();
        call_outs.into_iter().map(move |call_out| (jail, call_out))
    };
    let mut all: Vec<_> = all.all().iter().flat_map(of_jail).collect();
    all.retain(|(_, call_out)| what.contains(&call_out.what));
    Ok(all)
}

/// Why jails may be half changed: the lock of their lists is held exclusively.
fn changing(evidence: &Evidence<'_>) -> Option<String> {
    let lock = LockState::of(evidence.target(), "allprison_lock").ok()?;
    lock.exclusive_holder().map(|thread| format!("the thread at {thread} is changing them"))
}

/// A thread that removes a jail, the innermost function that shows it, and its stack.
type Remover = (ThreadName, &'static str, Stack);

/// Why a vnet on the list may have no jail: its jail is just being created or removed.
fn coming_or_going(
    evidence: &Evidence<'_>,
    removers: &OnceCell<Vec<Remover>>,
    vnet: VirtAddr,
) -> Option<String> {
    let jails = evidence.jails().ok()?.all();
    let mut starting =
        jails.iter().filter(|jail| jail.life == Life::Starting && jail.vnet.is_none());
    let built = evidence.unlisted().ok()?.filter(|vnet| {
        // It is linked only when it is ready, and then its jail gets it.
        vnet.condition == Some(Condition::UnderConstruction)
    });
    if let Some(Jail { jid, name, .. }) = starting.nth(built.count()) {
        return Some(format!("jail {jid} ({name}) is about to get its vnet"));
    }
    let removers = removers.get_or_init(|| find_removers(evidence));
    let its = removers
        .iter()
        .find(|(_, function, stack)| *function != "vnet_destroy" || stack.mentions(vnet));
    its.map(|(thread, function, _)| format!("{thread} is in {function}"))
}

fn find_removers(evidence: &Evidence<'_>) -> Vec<Remover> {
    let removing = Functions::named(evidence.target(), REMOVING);
    let found = evidence.all_threads().iter().filter_map(|thread| {
        let (function, _) = removing.of(&thread.thread)?;
        Some((thread.name(), function, Stack::of(&thread.thread).ok()?))
    });
    found.collect()
}
