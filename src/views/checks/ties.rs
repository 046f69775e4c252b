//! What ties interfaces together: each end confirms what the other says.

use super::evidence::Tied;
use super::{Evidence, Finding, Findings};
use crate::views::interfaces::Field;
use crate::views::wiring::{Other, StackList, Ties};
use crate::vnet::VnetRef;
use crate::walk::Problem;

/// One kind of tie.
struct Kind {
    driver: &'static str,
    /// The call-outs about it, at any interface.
    call_outs: &'static [&'static str],
    /// The other ends.
    others: fn(&Ties) -> Option<Field<Vec<&Other>>>,
    /// What there are so many of, if nothing is wrong.
    sound: &'static str,
}

/// Both ends of an epair point at each other.
pub(super) fn epairs(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    check(
        evidence,
        &Kind {
            driver: "epair",
            call_outs: &["half-destroyed-epair"],
            others: |ties| {
                let peer = ties.peer.as_ref()?;
                Some(peer.as_ref().map(|peer| peer.iter().collect()).map_err(Clone::clone))
            },
            sound: "ends of epairs are tied to their other ends",
        },
    )
}

/// Bridges and their members point at each other.
pub(super) fn bridges(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    check(
        evidence,
        &Kind {
            driver: "bridge",
            call_outs: &["lost-member", "member-in-other-vnet", "damaged-members", "lost-bridge"],
            others: |ties| all(ties.members.as_ref()),
            sound: "members are in their bridges",
        },
    )
}

/// VLANs and their parents point at each other.
pub(super) fn vlans(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    check(
        evidence,
        &Kind {
            driver: "vlan",
            call_outs: &["lost-parent", "damaged-vlan", "lost-vlans"],
            others: |ties| {
                let vlan = ties.vlan.as_ref()?.as_ref();
                let parent = vlan.map(|vlan| vlan.iter().map(|vlan| &vlan.parent).collect());
                Some(parent.map_err(Clone::clone))
            },
            sound: "VLANs are on their parents",
        },
    )
}

/// Laggs and their ports point at each other.
pub(super) fn laggs(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    check(
        evidence,
        &Kind {
            driver: "lagg",
            call_outs: &["lost-port", "damaged-ports", "lost-lagg"],
            others: |ties| all(ties.ports.as_ref()),
            sound: "ports are in their laggs",
        },
    )
}

fn all(others: Option<&Field<Vec<Other>>>) -> Option<Field<Vec<&Other>>> {
    Some(others?.as_ref().map(|others| others.iter().collect()).map_err(Clone::clone))
}

fn check(evidence: &Evidence<'_>, kind: &Kind) -> Result<Findings, Problem> {
    let (mut findings, mut sound) = (Findings::default(), 0);
    for StackList { copies, list } in &evidence.network()?.stacks {
        findings.add_unknown_of(copies.vnet().map(VnetRef::from), &list.problems);
    }
    for tied in evidence.ties()? {
        let reason = evidence.excuse(tied.vnet);
        for call_out in &tied.ties.call_outs {
            if kind.call_outs.contains(&call_out.what) {
                let finding = Finding::call_out(&tied.title, call_out);
                findings.add(finding.at([tied.address]).of(tied.vnet).unless(reason));
            }
        }
        match &tied.driver {
            Ok(driver) if driver.as_deref() == Some(kind.driver) => {}
            Ok(_) => continue,
            Err(why) => {
                let subject = format!("the driver of {}", tied.title);
                findings.add(Finding::unknown(format!("{subject}: {why}")).of(tied.vnet));
                continue;
            }
        }
        match (kind.others)(&tied.ties) {
            Some(Ok(others)) => {
                sound += others.len();
                others.iter().for_each(|other| add_unlisted(&mut findings, tied, other));
            }
            // What is damaged is called out.
            Some(Err(why)) if !why.kind.is_damage() => {
                findings.add(Finding::unreadable(&tied.title, &why).of(tied.vnet));
            }
            _ => {}
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || format!("{sound} {}", kind.sound)))
}

/// An other end of which nobody knows whether it is still there.
fn add_unlisted(findings: &mut Findings, tied: &Tied, other: &Other) {
    if other.listed.is_none() && other.problem.is_none() {
        let other_title = other.title();
        let message =
            format!("{}: whether {other_title} is on the list of a vnet is unknown", tied.title);
        findings.add(Finding::unknown(message).at([other.address]).of(tied.vnet));
    }
}
