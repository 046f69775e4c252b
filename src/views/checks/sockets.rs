//! Sockets: their control blocks, their stacks, and how many there are.

use super::evidence::StackSockets;
use super::finding::excuse;
use super::{Evidence, Finding, Findings};
use crate::addr::VirtAddr;
use crate::value::model::ValueError;
use crate::views::sockets::{Kind, Socket};
use crate::vnet::VnetRef;
use crate::walk::Problem;

/// The kinds of sockets whose control blocks are on lists of their stack.
const INTERNET: [Kind; 5] = [Kind::Tcp, Kind::Udp, Kind::UdpLite, Kind::Raw, Kind::Divert];

/// The lists of control blocks are whole, and as long as they say.
pub(super) fn pcb_lists(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let (census, mut count) = (evidence.census()?, 0);
    let mut findings = Findings::default();
    for stack in evidence.sockets()? {
        let (vnet, reason) = (stack.reference(), excuse(stack.vnet));
        findings.add_unknown_of(vnet, &census.missing_pcbs(stack.address()));
        for list in census.pcbs(stack.address()) {
            count += 1;
            findings.add_broken_in(vnet, &list.problems, reason);
        }
        for call_out in stack.count.problems.iter().filter(|it| it.what == "pcb-count") {
            let finding = Finding::fault(&*call_out.why).at(call_out.at);
            findings.add(finding.of(vnet).unless(reason));
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || {
        format!("{count} lists are as long as their counts say")
    }))
}

/// Sockets and their control blocks point at each other.
pub(super) fn pcb_sockets(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let wanted = ["other-pcb", "wrong-control-block"];
    let sound = "internet sockets and their control blocks point at each other";
    of_sockets(evidence, &wanted, &INTERNET, sound)
}

/// Whatever leads to a socket leads to one that is not freed.
pub(super) fn pointers(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let sound = "sockets are where the pointers to them lead";
    let mut findings = of_sockets(evidence, &["freed-socket", "wild-socket"], &Kind::ALL, sound)?;
    let census = evidence.census()?;
    for call_out in &census.lost_sockets {
        findings.add_doubt(Finding::fault(&*call_out.why).at(call_out.at));
    }
    Ok(findings)
}

/// Sockets are in the vnet whose list they are on, and in one that exists.
pub(super) fn vnet(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let sound = "sockets are in the vnets whose lists they are on";
    let mut findings = of_sockets(evidence, &["other-vnet"], &Kind::ALL, sound)?;
    if let Some(vnets) = evidence.known_vnets()? {
        for call_out in evidence.census()?.strays(vnets) {
            findings.add_doubt(Finding::call_out("a socket", &call_out));
        }
    }
    Ok(findings)
}

/// vnet_sockcnt is the number of sockets.
pub(super) fn count(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let mut findings = Findings::default();
    for stack in evidence.sockets()? {
        let count = &stack.count;
        let more = count.problems.iter().find(|it| it.what == "socket-count");
        let finding = match (more, count.counted, count.not_found) {
            (Some(call_out), ..) => {
                Finding::fault(&*call_out.why).at(call_out.at).unless(excuse(stack.vnet))
            }
            (_, Some(_), Some(0)) => Finding::ok("as many sockets as vnet_sockcnt says were found"),
            (_, Some(counted), Some(missing)) => Finding::unknown(format!(
                "{missing} of {counted} sockets were not found: what leads to them is not \
                 followed, or nothing does"
            )),
            (_, Some(counted), None) => Finding::unknown(format!(
                "vnet_sockcnt is {counted}, but the lists of sockets cannot be read to their ends"
            )),
            (_, None, _) => Finding::unknown("vnet_sockcnt cannot be read"),
        };
        findings.add(finding.of(stack.reference()));
    }
    Ok(findings)
}

/// Local sockets are whole, and connected both ways.
pub(super) fn local(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let mut findings = Findings::default();
    findings.add_broken(&evidence.census()?.unix_problems);
    let wanted = ["other-pcb", "freed-peer", "wild-peer", "other-peer"];
    let sound = "local sockets and their control blocks point at each other";
    findings.extend(of_sockets(evidence, &wanted, &[Kind::Unix], sound)?);
    Ok(findings)
}

/// What is called out about sockets, and how many of them cannot be read.
fn of_sockets(
    evidence: &Evidence<'_>,
    wanted: &[&str],
    kinds: &[Kind],
    sound: &str,
) -> Result<Findings, Problem> {
    let (census, mut findings, mut count) = (evidence.census()?, Findings::default(), 0);
    for stack in evidence.sockets()? {
        let (vnet, reason) = (stack.reference(), excuse(stack.vnet));
        if kinds != [Kind::Unix] {
            findings.add_unknown_of(vnet, &census.missing_pcbs(stack.address()));
        }
        for list in census.pcbs(stack.address()) {
            if kinds.contains(&list.kind) {
                findings.add_unknown_of(vnet, &list.problems);
            }
        }
        let sockets = || stack.sockets.iter().filter(|socket| kinds.contains(&socket.kind));
        for socket in sockets() {
            count += 1;
            for call_out in socket.problems.iter().filter(|it| wanted.contains(&it.what)) {
                let finding = Finding::call_out(&title(socket), call_out).at(socket.pcb);
                findings.add(finding.of(vnet).unless(reason));
            }
        }
        let mut unread = sockets().filter_map(unread);
        if let Some(first) = unread.next() {
            let message = format!("{} sockets cannot be read: {first}", 1 + unread.count());
            findings.add(Finding::unknown(message).at(first.address).of(vnet));
        }
    }
    Ok(findings.or_ok_everywhere(evidence.hidden_vnets(), || format!("{count} {sound}")))
}

/// Why the dump does not show what the socket says.
fn unread(socket: &Socket) -> Option<&ValueError> {
    socket.recv_queue.as_ref().err().filter(|why| !why.kind.is_damage())
}

/// `tcp4 10.0.0.1:80`
fn title(socket: &Socket) -> String {
    let local = socket.local.as_ref().ok().and_then(Option::as_deref);
    let name = local.filter(|local| *local != "*:*").map(str::to_owned);
    let at = || socket.pcb.or(socket.socket).map(|at| format!("at {at}"));
    let name = name.or_else(at).unwrap_or_default();
    format!("{} {name}", socket.protocol)
}

impl StackSockets<'_> {
    fn reference(&self) -> Option<VnetRef> {
        self.vnet.map(VnetRef::from)
    }

    fn address(&self) -> Option<VirtAddr> {
        self.vnet.map(|vnet| vnet.address)
    }
}
