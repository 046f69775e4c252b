//! The list of vnets, and what each struct vnet says of itself.
//!
//! `vnet_head` and the links are those of a LIST (`sys/sys/queue.h`); magic, block and base are
//! set by `vnet_alloc` (`sys/net/vnet.c`, 9.3 to main).

use super::{Evidence, Finding, Findings};
use crate::walk::{Problem, Why};

/// The links of the list agree in both directions.
pub(super) fn links(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let list = match evidence.list() {
        Ok(list) => list,
        Err(problem) => return Ok(Finding::broken(&problem).into()),
    };
    let mut findings = Findings::default();
    // Others concern vnet0, which has a check of its own.
    let broken = list.problems.iter().filter(|problem| !matches!(problem.why, Why::Other(_)));
    let writer = evidence.list_writer();
    let writer = writer.as_ref().map(|thread| format!("{thread} is changing the list"));
    for problem in broken {
        findings.add(Finding::broken(problem).unless(writer.as_deref()));
    }
    let count = list.vnets.iter().filter(|vnet| vnet.is_listed()).count();
    Ok(findings.or_ok(|| format!("{count} vnets are linked in both directions")))
}

/// Every vnet has the magic of a vnet.
pub(super) fn magic(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let mut findings = Findings::default();
    // What points at a vnet that is freed and not listed has its own check.
    let vnets = evidence.vnets()?.iter().filter(|vnet| vnet.is_listed() || !vnet.is_freed());
    for vnet in vnets {
        let finding = match vnet.wrong_magic() {
            Some(wrong) => Finding::fault(wrong).at([vnet.address]),
            None => Finding::ok(format!("its magic is {:#x}", vnet.magic)),
        };
        findings.add(finding.of(Some(vnet.into())));
    }
    Ok(findings)
}

/// The base fits the block.
pub(super) fn data_base(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let mut findings = Findings::default();
    for vnet in evidence.vnets()?.iter().filter(|vnet| !vnet.is_freed()) {
        let finding = match vnet.wrong_base(evidence.target()) {
            Some(wrong) => Finding::fault(wrong).at([vnet.address, vnet.data_mem]),
            None if vnet.data_mem.is_null() => Finding::ok("it has no block yet"),
            None => Finding::ok("its data_base fits its data_mem"),
        };
        findings.add(finding.of(Some(vnet.into())));
    }
    Ok(findings)
}
