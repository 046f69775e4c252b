//! Routes and neighbours: their tables, and the interfaces that they lead to.

use super::finding::excuse;
use super::{Evidence, Finding, Findings};
use crate::addr::VirtAddr;
use crate::value::model::ValueError;
use crate::views::call_out::CallOut;
use crate::views::interface_pointer::InterfaceRef;
use crate::views::neighbors::NeighborTable;
use crate::views::routes::{Route, Table};
use crate::vnet::VnetRef;
use crate::walk::Problem;

/// Call-outs about pointers to interfaces.
const INTERFACES: [&str; 5] = [
    "freed-interface",
    "unlisted-interface",
    "foreign-interface",
    "wild-interface",
    "freed-address",
];

/// Call-outs about next hops.
const NEXT_HOPS: [&str; 4] =
    ["freed-next-hop", "wild-next-hop", "wrong-back-pointer", "foreign-next-hop"];

/// Each table is a tree, belongs to its place, and has as many routes as it counts.
pub(super) fn tables(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let (mut findings, mut count) = (Findings::default(), 0);
    for (vnet, all) in evidence.routes()? {
        let (reference, reason) = (vnet.map(VnetRef::from), excuse(*vnet));
        findings.add_broken_in(reference, &all.problems, reason);
        for table in &all.tables {
            count += 1;
            for call_out in &table.call_outs {
                let subject = format!("the {} routes of FIB {}", table.family, table.fib);
                let finding = Finding::call_out(&subject, call_out);
                findings.add(finding.of(reference).unless(reason));
            }
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        format!("{count} tables have the routes that they count")
    }))
}

/// Routes lead to next hops of their own stack, and nothing is freed.
pub(super) fn next_hops(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    of_routes(evidence, &NEXT_HOPS, "routes have next hops of their own stack")
}

/// Routes lead to interfaces of their own stack, and nothing is freed.
pub(super) fn interfaces(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let sound = "routes lead to interfaces of their own stack";
    let mut findings = of_routes(evidence, &INTERFACES, sound)?;
    let unread = |route: &Route| match &route.hop.interface {
        Ok(found) => found.as_ref().and_then(|interface| unread(interface).cloned()),
        Err(why) => Some(why.clone()).filter(|why| !why.kind.is_damage()),
    };
    for (vnet, all) in evidence.routes()? {
        let routes = all.tables.iter().flat_map(|table| &table.routes);
        let mut unread = routes.filter_map(unread);
        if let Some(first) = unread.next() {
            let message = format!("the interfaces of {} routes: {first}", 1 + unread.count());
            let finding = Finding::unknown(message).at(first.address);
            findings.add_doubt(finding.of(vnet.map(VnetRef::from)));
        }
    }
    Ok(findings)
}

/// Why it is unknown what is at a pointer to an interface.
fn unread(interface: &InterfaceRef) -> Option<&ValueError> {
    interface.name.as_ref().err().filter(|why| !why.kind.is_damage())
}

/// What is called out about routes. Many may lead to the same that is wrong.
fn of_routes(evidence: &Evidence<'_>, wanted: &[&str], sound: &str) -> Result<Findings, Problem> {
    let (mut findings, mut count) = (Findings::default(), 0);
    for (vnet, all) in evidence.routes()? {
        let reference = vnet.map(VnetRef::from);
        findings.add_unknown_of(reference, &all.problems);
        let mut bad: Vec<Bad<'_>> = Vec::new();
        for table in &all.tables {
            for route in &table.routes {
                count += 1;
                let call_outs = route.hop.call_outs.iter();
                call_outs
                    .filter(|call_out| wanted.contains(&call_out.what))
                    .for_each(|call_out| Bad::add(&mut bad, table, route, call_out));
            }
        }
        for Bad { call_out, first, address, others } in bad {
            let subject = match others {
                0 => first,
                1 => format!("{first} and another"),
                others => format!("{first} and {others} others"),
            };
            let finding = Finding::call_out(&subject, call_out).at([address]).of(reference);
            findings.add(finding.unless(excuse(*vnet)));
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || format!("{count} {sound}")))
}

/// The routes about which the same is called out.
struct Bad<'a> {
    call_out: &'a CallOut,
    first: String,
    address: VirtAddr,
    others: usize,
}

impl<'a> Bad<'a> {
    fn add(bad: &mut Vec<Self>, table: &Table, route: &Route, call_out: &'a CallOut) {
        /// More wrong things than one stack has; what else is wrong is not told apart.
        const MOST: usize = 100;
        let same =
            |it: &&mut Self| (it.call_out.what, it.call_out.at) == (call_out.what, call_out.at);
        if let Some(known) = bad.iter_mut().find(same) {
            known.others += 1;
        } else if bad.len() < MOST {
            let first = subject(table, route);
            bad.push(Self { call_out, first, address: route.address, others: 0 });
        } else if let Some(last) = bad.last_mut() {
            last.others += 1;
        }
    }
}

/// The route in words: `the route to 10.0.0.0/8`.
fn subject(table: &Table, route: &Route) -> String {
    let to = match &route.destination {
        Ok(destination) => format!("the route to {}", destination.text()),
        Err(_) => format!("the route at {}", route.address),
    };
    let family = table.family;
    let to = if to.ends_with("default") { format!("{to} ({family})") } else { to };
    if table.fib == 0 { to } else { format!("{to} in FIB {}", table.fib) }
}

/// Each table of neighbours is whole, has as many as it counts, and its entries say so.
pub(super) fn neighbor_tables(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let (mut findings, mut count) = (Findings::default(), 0);
    for (vnet, all) in evidence.neighbors()? {
        let (reference, reason) = (vnet.map(VnetRef::from), excuse(*vnet));
        findings.add_broken_in(reference, &all.problems, reason);
        for table in &all.tables {
            count += 1;
            let own = table.call_outs.iter().filter(|it| !INTERFACES.contains(&it.what));
            for call_out in own {
                let finding = Finding::call_out(&table_title(table), call_out);
                findings.add(finding.of(reference).unless(reason));
            }
            for neighbor in &table.neighbors {
                let name = neighbor.address.as_ref().map_or("a neighbour", |address| address);
                for call_out in &neighbor.call_outs {
                    let subject = format!("{name} in {}", table_title(table));
                    let finding = Finding::call_out(&subject, call_out);
                    findings.add(finding.of(reference).unless(reason));
                }
            }
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        format!("{count} tables have the neighbours that they count")
    }))
}

/// Each table of neighbours is that of an interface of its stack.
pub(super) fn neighbor_interfaces(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let (mut findings, mut count) = (Findings::default(), 0);
    for (vnet, all) in evidence.neighbors()? {
        let (reference, reason) = (vnet.map(VnetRef::from), excuse(*vnet));
        findings.add_unknown_of(reference, &all.problems);
        for table in &all.tables {
            count += 1;
            let about = table.call_outs.iter().filter(|it| INTERFACES.contains(&it.what));
            for call_out in about {
                let subject = format!("the {} neighbours", table.family);
                let finding = Finding::call_out(&subject, call_out).at([table.address]);
                findings.add(finding.of(reference).unless(reason));
            }
            if let Some(why) = table.interface.as_ref().and_then(unread) {
                let subject = format!("the interface of {} neighbours", table.family);
                findings.add(Finding::unreadable(&subject, why).of(reference));
            }
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        format!("{count} tables belong to interfaces of their own stack")
    }))
}

fn table_title(table: &NeighborTable) -> String {
    let interface = table.interface.as_ref();
    let on = interface.and_then(|interface| interface.name.as_deref().ok());
    let on = on.map_or_else(|| table.address.to_string(), str::to_owned);
    format!("the {} neighbours on {on}", table.family)
}
