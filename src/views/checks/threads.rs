//! Threads and the vnets that they work in.

use super::vnets::is_orphan;
use super::{Evidence, Finding, Findings};
use crate::walk::Problem;

/// What the view calls out about a thread that has none.
const NULL: &str = "curvnet-null";

/// The curvnet of each thread is a vnet on the list, or one that it builds or destroys.
pub(super) fn curvnet(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let all = evidence.threads()?;
    let mut findings = Findings::default();
    let (mut inside, mut unread) = (0, Vec::new());
    for thread in &all.threads {
        let curvnet = match &thread.curvnet {
            Ok(Some(curvnet)) => *curvnet,
            Ok(None) => continue,
            Err(why) => {
                unread.push((thread, why));
                continue;
            }
        };
        inside += 1;
        for call_out in thread.call_outs.iter().filter(|call_out| call_out.what != NULL) {
            // Checks of the vnet itself report who works in it, and that nobody does.
            let worker = evidence.construction(curvnet).and_then(|it| it.thread.as_ref());
            let is_worker = worker == Some(&thread.name);
            let unlisted = call_out.what == "curvnet-unlisted";
            let told = unlisted && (is_worker || is_orphan(evidence, curvnet));
            if told || evidence.is_listed(curvnet) {
                continue;
            }
            let finding = Finding::call_out(&thread.name.to_string(), call_out);
            findings.add(finding.of(evidence.vnet_ref(curvnet)).at([thread.name.address]));
        }
    }
    if let [(first, why), others @ ..] = &unread[..] {
        let others = match others.len() {
            0 => String::new(),
            count => format!(" and of {count} others"),
        };
        let why = format!("the curvnet of {}{others}: {}", first.name, why.message);
        findings.add(Finding::unknown(why).at([first.name.address]));
    }
    // The lists change all the time, under many locks.
    findings.add_broken_unless(&all.problems, Some("the list may be changing"));
    let count = all.threads.len();
    Ok(findings.or_ok(|| format!("{inside} of {count} threads work in a vnet, and it is sound")))
}

/// The thread that wrote the dump had a curvnet if it needed one.
pub(super) fn null_curvnet(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let all = evidence.threads()?;
    let mut findings = Findings::default();
    let Some(thread) = all.threads.iter().find(|thread| thread.dumping) else {
        findings.add_unknown(&all.problems);
        return Ok(findings.or_ok(|| "no thread wrote the dump".to_owned()));
    };
    let null = thread.call_outs.iter().find(|call_out| call_out.what == NULL);
    if let Some(call_out) = null {
        findings.add(Finding::call_out(&thread.name.to_string(), call_out));
    }
    if let Err(why) = &thread.curvnet {
        let why = format!("the curvnet of {}: {}", thread.name, why.message);
        findings.add(Finding::unknown(why).at([thread.name.address]));
    }
    if let Some(why) = &thread.unknown {
        let why = format!("whether {}, which has no curvnet, needed one: {why}", thread.name);
        findings.add(Finding::unknown(why).at([thread.name.address]));
    }
    Ok(findings.or_ok(|| match &thread.curvnet {
        Ok(Some(_)) => format!("{} had a curvnet", thread.name),
        _ => format!("{} had no curvnet and does not seem to have needed one", thread.name),
    }))
}
