//! Each vnet for itself: its block, its state, and whether it is where it belongs.
//!
//! `vnet_alloc` and `vnet_destroy` (`sys/net/vnet.c`, 9.3 to main): a vnet is linked after its last
//! constructor and unlinked before its first destructor.

use std::collections::BTreeMap;

use super::{Evidence, Finding, Findings, Verdict};
use crate::addr::VirtAddr;
use crate::constants::SI_SUB_VNET_DONE;
use crate::fault::{Fault, FaultKind};
use crate::views::construction::Construction;
use crate::views::whatis::in_direct_map;
use crate::vnet::{Condition, Vnet, VnetRef};
use crate::walk::{Problem, Why};

/// The block of each vnet is memory of its own.
pub(super) fn blocks(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let mut findings = Findings::default();
    // Ends and vnets by the starts of their blocks.
    let mut taken: BTreeMap<VirtAddr, (VirtAddr, VnetRef)> = BTreeMap::new();
    for vnet in evidence.vnets()?.iter().filter(|vnet| !vnet.is_freed()) {
        let finding = match block(evidence, vnet) {
            None => Finding::ok("it has no block yet"),
            Some(Err(wrong)) => wrong,
            Some(Ok((start, end))) => {
                let before = taken.range(..end).next_back();
                let finding = match before.filter(|(_, (other_end, _))| start < *other_end) {
                    Some((at, (_, other))) => {
                        let why = format!("its block overlaps that of vnet {other}");
                        Finding::fault(why).at([start, *at])
                    }
                    None => readable(evidence, start, end, "its block"),
                };
                taken.insert(start, (end, vnet.into()));
                finding
            }
        };
        findings.add(finding.of(Some(vnet.into())));
    }
    Ok(findings)
}

/// The addresses of a vnet's block, or what is wrong with them; `None` if it has none.
fn block(evidence: &Evidence<'_>, vnet: &Vnet) -> Option<Result<(VirtAddr, VirtAddr), Finding>> {
    let kernel = evidence.target().kernel();
    let set = kernel.set_vnet()?;
    let start = vnet.data_mem.non_null()?;
    let wrong = |why: &str| Some(Err(Finding::fault(why).at([start])));
    let Some(end) = set.end.offset_from(set.start).and_then(|size| start.checked_add(size)) else {
        return wrong("its block ends beyond all memory");
    };
    let inside = |at: VirtAddr| start <= at && at < end;
    let in_kernel = kernel.segments().any(|segment| {
        inside(segment.virt)
            || start.offset_from(segment.virt).is_some_and(|offset| offset < segment.mem_size)
    });
    if in_kernel {
        return wrong("its block lies in the kernel's own image");
    }
    let target = evidence.target();
    if start.get() % target.arch().pointer_size() != 0 {
        return wrong("its block is not aligned");
    }
    // malloc(9) takes what is larger than a page from the kernel map (`sys/kern/kern_malloc.c`).
    let large = end.offset_from(start).is_some_and(|size| size > target.memory().page_size());
    let physical = target.memory().translate(start);
    if large && physical.is_ok_and(|physical| in_direct_map(target, start, physical)) {
        return wrong("its block lies in the direct map, outside the kernel map");
    }
    Some(Ok((start, end)))
}

/// Whether a vnet has a block that can be its own.
pub(super) fn has_own_block(evidence: &Evidence<'_>, vnet: &Vnet) -> bool {
    matches!(block(evidence, vnet), Some(Ok(_)))
}

/// Whether all pages of a block are memory; `what` is the block.
pub(super) fn readable(
    evidence: &Evidence<'_>,
    start: VirtAddr,
    end: VirtAddr,
    what: &str,
) -> Finding {
    let memory = evidence.target().memory();
    let page = memory.page_size();
    let mut missing: Option<Fault> = None;
    let mut at = start;
    while at < end {
        if let Err(why) = evidence.target().budget().work(1) {
            return Finding::unknown(why.to_string());
        }
        match memory.u8(at) {
            Err(fault) if matches!(fault.kind, FaultKind::NotMapped | FaultKind::BadAddress) => {
                let why = format!("a page of {what} is no memory: {fault}");
                return Finding::fault(why).at([fault.address]);
            }
            Err(fault) => missing = missing.or(Some(fault)),
            Ok(_) => {}
        }
        at = at.page_start(page).wrapping_add(page);
    }
    match missing {
        Some(fault) => Finding::unknown(format!("{what}: {fault}")).at([fault.address]),
        None => Finding::ok(format!("{what} is memory of its own")),
    }
}

/// vnet0 is the oldest vnet on the list, and that of prison0.
pub(super) fn vnet0(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let list = evidence.list()?;
    let target = evidence.target();
    let pointer = target.address_of("vnet0").map(|at| target.memory().pointer(at));
    let vnet0 = match pointer {
        Ok(Ok(vnet0)) => vnet0,
        Ok(Err(fault)) => return Err(Problem::unreadable("vnet0", fault.into())),
        Err(why) => return Err(Problem::unreadable("vnet0", why)),
    };
    if vnet0.is_null() {
        return Ok(Finding::fault("vnet0 is NULL, though there are vnets").into());
    }
    let mut findings = Findings::default();
    let of = Some(evidence.vnet_ref(vnet0));
    let writer = evidence.list_writer().map(|thread| format!("{thread} is changing the list"));
    let damage = list.problems.iter().find(|problem| problem.at.is_some());
    let oldest = list.vnets.iter().find(|vnet| vnet.is_listed());
    match (list.at(vnet0).is_some_and(Vnet::is_listed), damage) {
        (false, Some(damage)) => findings.add(Finding::unknown(damage.to_string()).of(of)),
        (false, None) => {
            let why = "vnet0 is not on the list of vnets";
            findings.add(Finding::fault(why).of(of).at([vnet0]).unless(writer.as_deref()));
        }
        (true, _) if oldest.is_some_and(|oldest| oldest.address != vnet0) => {
            let why = "vnet0 is not the oldest vnet on the list";
            let at = oldest.map(|oldest| oldest.address);
            findings.add(Finding::fault(why).of(of).at([vnet0]).at(at));
        }
        (true, Some(damage)) => findings.add(Finding::unknown(damage.to_string()).of(of)),
        (true, None) => {}
    }
    let host = evidence.jails()?.all().iter().find(|jail| jail.jid == 0);
    match host.map(|host| (host.address, host.vnet)) {
        Some((_, Some(vnet))) if vnet == vnet0 => {}
        Some((prison0, vnet)) => {
            let why = match vnet {
                Some(vnet) => format!("the vnet of prison0 is {vnet}, not vnet0"),
                None => "prison0 has no vnet".to_owned(),
            };
            findings.add(Finding::fault(why).of(of).at([prison0]));
        }
        None => findings.add(Finding::unknown("prison0 cannot be read").of(of)),
    }
    let ok = || Finding::ok("vnet0 is the oldest vnet on the list, and that of prison0").of(of);
    if findings.all_ok() {
        findings.add(ok());
    }
    Ok(findings)
}

/// A vnet on the list is up.
pub(super) fn state(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    // The last of the constructors leaves this state in each vnet that it has run for.
    let constructors = evidence.sysinits().map(|all| &all.constructors[..]).unwrap_or_default();
    let is_done = |value| value >= Some(SI_SUB_VNET_DONE);
    let listed = evidence.vnets()?.iter().filter(|vnet| vnet.is_listed() && !vnet.is_freed());
    let listed: Vec<&Vnet> = listed.collect();
    let state = |vnet: &Vnet| vnet.state.as_ref().map(|state| state.value);
    let has_last = constructors.iter().any(|sysinit| is_done(sysinit.subsystem_value()))
        || listed.iter().any(|vnet| is_done(state(vnet)));
    let hidden = evidence.hidden_vnets();
    let contradicts = hidden.is_some_and(|it| matches!(it.why, Why::Contradiction(_)));
    let mut findings = Findings::default();
    for vnet in listed {
        // That of vnet0 is never set.
        let incomplete = vnet.state.as_ref().filter(|state| !is_done(Some(state.value)));
        let incomplete = incomplete.filter(|_| !vnet.default);
        let finding = match incomplete {
            _ if vnet.shutdown == Some(true) => {
                Finding::fault("it is on the list, but its vnet_shutdown is set")
            }
            Some(state) => {
                let name = state.name.as_deref().map(str::to_owned);
                let name = name.unwrap_or_else(|| format!("{:#x}", state.value));
                let unknown = "no vnet shows that a last constructor sets it";
                Finding::fault(format!("it is on the list, but its state is {name}"))
                    .unless((!has_last).then_some(unknown))
            }
            // A number counts from the end of the list, so that it is unknown here.
            None if vnet.index.is_none() && contradicts => Finding::unknown(
                "it is up; but the links of the list of vnets disagree about where it is",
            ),
            None => Finding::ok("it is up"),
        };
        let is_ok = finding.verdict == Verdict::Ok;
        let at = (!is_ok).then_some(vnet.address);
        findings.add(finding.of(Some(vnet.into())).at(at));
    }
    Ok(findings)
}

/// A vnet that is not on the list is being built or destroyed by a thread.
pub(super) fn unlisted(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let mut findings = Findings::default();
    for vnet in evidence.unlisted()? {
        findings.add(whose(evidence, vnet).of(Some(vnet.into())));
    }
    let problems = evidence.vnet_problems();
    if problems.is_empty() {
        return Ok(findings.or_ok(|| "there is no vnet off the list".to_owned()));
    }
    findings.add_unknown(problems);
    Ok(findings)
}

/// The subsystem, and if it is known, the function: `, at SI_SUB_INIT_IF, in vnet_if_return`.
fn place(evidence: &Evidence<'_>, vnet: &Vnet, construction: &Construction) -> String {
    let state = vnet.state.as_ref().and_then(|state| state.name.as_deref());
    let at = state.map_or(String::new(), |state| format!(", at {state}"));
    let running = construction.function;
    let function = running.and_then(|running| evidence.sysinits().ok()?.function_at(running));
    let function = function.map_or(String::new(), |function| format!(", in {function}"));
    format!("{at}{function}")
}

/// Who works on a vnet that is not on the list.
fn whose(evidence: &Evidence<'_>, vnet: &Vnet) -> Finding {
    let found_by = match &vnet.found_by[..] {
        [] => String::new(),
        [first, ..] => format!("; {first} leads to it"),
    };
    let damage = evidence.list().map_or_else(Some, |list| list.problems.none().err());
    if vnet.condition == Some(Condition::Stray) {
        let why =
            format!("it is linked by its neighbours, but the list does not lead to it{found_by}");
        let damage = damage.map(|damage| damage.to_string());
        return Finding::fault(why).at([vnet.address]).unless(damage.as_deref());
    }
    let Some(construction) = evidence.construction(vnet.address) else {
        return Finding::unknown("the constructors of vnets are unknown");
    };
    if let Some(thread) = &construction.thread {
        return Finding::ok(format!("it is {} by {thread}", construction.phase.words()));
    }
    let why = format!("it is on no list, and no thread builds or destroys it{found_by}");
    let unknown = match construction.problems.none() {
        Err(problem) => Some(problem.to_string()),
        Ok(()) => evidence.hidden_stack().map(str::to_owned),
    };
    Finding::fault(why).at([vnet.address]).unless(unknown.as_deref())
}

/// Whether [`unlisted`] reports a vnet, so that who points at it need not.
pub(super) fn is_orphan(evidence: &Evidence<'_>, address: VirtAddr) -> bool {
    let vnet = evidence.unlisted_at(address);
    vnet.is_some_and(|vnet| whose(evidence, vnet).verdict == Verdict::Fault)
}

/// No kernel crashed while it was building or destroying a vnet.
pub(super) fn construction(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let mut findings = Findings::default();
    let threads = evidence.threads()?;
    let crashed = threads.threads.iter().find(|it| it.dumping);
    for vnet in evidence.unlisted()? {
        let Some(construction) = evidence.construction(vnet.address) else {
            let why = "the constructors of vnets are unknown";
            findings.add(Finding::unknown(why).of(Some(vnet.into())));
            continue;
        };
        let Some(thread) = &construction.thread else { continue };
        let phase = construction.phase.words();
        let at = place(evidence, vnet, construction);
        let finding = match crashed.is_some_and(|crashed| crashed.name == *thread) {
            true => Finding::warning(format!("{thread} wrote the dump while it was {phase}{at}")),
            false => Finding::ok(format!("it is {phase} by {thread}{at}")),
        };
        findings.add(finding.of(Some(vnet.into())).at([vnet.address, thread.address]));
    }
    findings.add_unknown(&threads.problems);
    findings.add_unknown(evidence.vnet_problems());
    Ok(findings.or_ok(|| "no vnet is being built or destroyed".to_owned()))
}
