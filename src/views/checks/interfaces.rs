//! Interfaces: the list of each stack, the count of it, and the table of indexes.
//!
//! `if_attach`, `if_detach`, `if_vmove` and `if_free` keep them together (`sys/net/if.c`, 10.4 to
//! main).

use rustc_hash::FxHashSet;

use super::finding::excuse;
use super::{Evidence, Finding, Findings};
use crate::addr::VirtAddr;
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::interface_index::InterfaceIndex;
use crate::views::interfaces::{Conditions, title};
use crate::views::wiring::{Network, StackList};
use crate::vnet::VnetRef;
use crate::walk::Problem;

/// What a thread at work may have left undone.
const UNDER_WAY: &str = "a thread may be attaching or detaching an interface";

/// The list of each stack is whole, and has no interface that is gone or another's.
pub(super) fn list(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let network = evidence.network()?;
    let (mut findings, mut count) = (Findings::default(), 0);
    let in_progress = || network.is_under_way().then_some(UNDER_WAY);
    for stack in &network.stacks {
        let vnet = reference(stack);
        count += stack.list.interfaces.len();
        let problems = &stack.list.problems;
        let changing = (!problems.is_empty()).then(in_progress).flatten();
        findings.add_all_broken(vnet, problems, changing);
        add_shared(&mut findings, network, stack, vnet);
        for (interface, call_out) in call_outs(evidence, network, stack, &["dying-interface"])? {
            let finding = Finding::call_out(&title(&interface), &call_out).of(vnet);
            findings.add(finding.unless(excuse(stack.copies.vnet())));
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        format!("the lists have {count} interfaces, each its own")
    }))
}

/// Those on the lists of several stacks follow one another, so they are one finding.
fn add_shared(
    findings: &mut Findings,
    network: &Network<'_>,
    stack: &StackList<'_>,
    vnet: Option<VnetRef>,
) {
    let is_shared = |it: &&Object<'_>| network.shared.contains(&it.address);
    let shared: Vec<_> = stack.list.interfaces.iter().filter(is_shared).collect();
    let Some(first) = shared.first() else { return };
    let others = match shared.len() {
        1 => String::new(),
        2 => ", like the one after it,".to_owned(),
        count => format!(", like the {} after it,", count - 1),
    };
    let message = format!("{}{others} is on the lists of several vnets", title(first));
    findings.add(Finding::fault(message).at(shared.iter().map(|it| it.address)).of(vnet));
}

/// vnet_ifcnt is the length of the list.
pub(super) fn count(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let network = evidence.network()?;
    let disputed = disputed(network);
    let mut findings = Findings::default();
    for stack in &network.stacks {
        let Some(vnet) = stack.copies.vnet() else { continue };
        findings.add_unknown_of(reference(stack), &stack.list.problems);
        let finding = match stack.list.miscounted(&stack.copies) {
            Some(call_out) => {
                let reasons = [
                    excuse(Some(vnet)),
                    disputed.contains(&vnet.address).then_some(OTHER_LIST),
                    network.is_under_way().then_some(UNDER_WAY),
                ];
                Finding::fault(call_out.why)
                    .at(call_out.at)
                    .unless(reasons.into_iter().flatten().next())
            }
            None if !stack.list.problems.is_empty() => continue,
            None if vnet.ifcnt.is_none() => Finding::unknown("vnet_ifcnt cannot be read"),
            None => Finding::ok("the list has as many interfaces as vnet_ifcnt says"),
        };
        findings.add(finding.of(reference(stack)));
    }
    Ok(findings)
}

const OTHER_LIST: &str = "an interface is on another list than it says";

/// The vnets whose lists and interfaces do not agree about which is where.
fn disputed(network: &Network<'_>) -> FxHashSet<VirtAddr> {
    let mut found = FxHashSet::default();
    for StackList { copies, list } in &network.stacks {
        let Some(vnet) = copies.vnet() else { continue };
        for interface in &list.interfaces {
            let says = interface.pointer("if_vnet").unwrap_or_default();
            if says != vnet.address || network.shared.contains(&interface.address) {
                found.extend([vnet.address, says]);
            }
        }
    }
    found
}

/// Each interface is in the vnet whose list it is on, and its home is a vnet.
pub(super) fn vnet(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let network = evidence.network()?;
    let mut findings = Findings::default();
    for stack in &network.stacks {
        let vnet = reference(stack);
        findings.add_unknown_of(vnet, &stack.list.problems);
        let unread = |it: &&Object<'_>| {
            it.pointer("if_vnet").is_err() || it.pointer("if_home_vnet").is_err()
        };
        for interface in stack.list.interfaces.iter().filter(unread) {
            let message = format!("{}: its if_vnet cannot be read", title(interface));
            findings.add(Finding::unknown(message).at([interface.address]).of(vnet));
        }
        let wanted = ["wrong-list", "lost-home", "unlisted-home"];
        for (interface, call_out) in call_outs(evidence, network, stack, &wanted)? {
            let finding = Finding::call_out(&title(&interface), &call_out).of(vnet);
            let is_going = call_out.what == "unlisted-home";
            let reason = is_going.then_some("a vnet may be waited for");
            findings.add(finding.unless(reason.or(excuse(stack.copies.vnet()))));
        }
    }
    let count: usize = network.stacks.iter().map(|stack| stack.list.interfaces.len()).sum();
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        format!("{count} interfaces are in the vnets whose lists they are on")
    }))
}

/// No two interfaces of a stack have one name.
pub(super) fn names(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let network = evidence.network()?;
    let mut findings = Findings::default();
    for stack in &network.stacks {
        let vnet = reference(stack);
        findings.add_unknown_of(vnet, &stack.list.problems);
        for interface in &stack.list.interfaces {
            if let Err(why) = interface.text("if_xname") {
                let why = format!("the name of the interface at {}: {why}", interface.address);
                findings.add(Finding::unknown(why).of(vnet));
            }
        }
        let mut told = FxHashSet::default();
        for (interface, call_out) in call_outs(evidence, network, stack, &["duplicate-name"])? {
            if told.insert(call_out.why.clone()) {
                findings.add(Finding::warning(call_out.why).at([interface.address]).of(vnet));
            }
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        "every interface of a stack has a name of its own".to_owned()
    }))
}

/// The table of indexes has each interface at its index, and nothing that is freed.
pub(super) fn index(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let network = evidence.network()?;
    let (mut findings, mut shared) = (Findings::default(), false);
    let listed: FxHashSet<VirtAddr> =
        network.stacks.iter().flat_map(|stack| stack.list.all()).map(|it| it.address).collect();
    for stack in &network.stacks {
        let vnet = reference(stack);
        let reason = excuse(stack.copies.vnet());
        findings.add_unknown_of(vnet, &stack.list.problems);
        for (interface, call_out) in
            call_outs(evidence, network, stack, &["missing-index", "index-of-another"])?
        {
            let finding = Finding::call_out(&title(&interface), &call_out);
            findings.add(finding.of(vnet).unless(reason));
        }
        let table = match InterfaceIndex::of(&stack.copies) {
            Ok(Some(table)) if !(table.shared && shared) => table,
            Ok(_) => continue,
            Err(problem) => {
                findings.add_unknown_of(vnet, &problem.into());
                continue;
            }
        };
        shared |= table.shared;
        let vnet = vnet.filter(|_| !table.shared);
        match table.stale(|at| listed.contains(&at)) {
            Ok(stale) => stale.into_iter().for_each(|call_out| {
                let finding = Finding::fault(call_out.why).at(call_out.at).of(vnet);
                findings.add(finding.unless(reason));
            }),
            Err(why) => {
                let problem = Problem::unreadable(stack.copies.name("ifindex_table"), why);
                findings.add_broken_in(vnet, &problem.into(), reason);
            }
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        "every interface is in the table at its index".to_owned()
    }))
}

/// What is called out about the interfaces on a list that can be read.
fn call_outs<'e>(
    evidence: &Evidence<'e>,
    network: &Network<'e>,
    stack: &StackList<'e>,
    wanted: &[&str],
) -> Result<Vec<(Object<'e>, CallOut)>, Problem> {
    let wanted_still = evidence.target().budget().wanted();
    wanted_still.map_err(|why| Problem::unreadable("interfaces", why.into()))?;
    let StackList { copies, list } = stack;
    let conditions = Conditions::of(copies, list, &network.shared, evidence.known_vnets()?);
    let of = |interface: &Object<'e>| {
        let found = conditions.call_outs(interface).into_iter();
        let found = found.filter(|call_out| wanted.contains(&call_out.what));
        let interface = *interface;
        found.map(move |call_out| (interface, call_out)).collect::<Vec<_>>()
    };
    Ok(list.interfaces.iter().flat_map(of).collect())
}

fn reference(stack: &StackList<'_>) -> Option<VnetRef> {
    stack.copies.vnet().map(VnetRef::from)
}
