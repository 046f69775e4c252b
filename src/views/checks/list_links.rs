//! The kernel's own lists of what has to do with vnets, read in both directions.

use super::{Evidence, Finding, Findings};
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::lock_word::LockState;
use crate::value::queue::{self, List};
use crate::walk::Problem;

/// A list: its head, the link of its elements, what those are, and the lock that protects it.
struct Known {
    head: &'static str,
    link: &'static str,
    element: &'static str,
    lock: &'static str,
}

const fn known(
    head: &'static str,
    link: &'static str,
    element: &'static str,
    lock: &'static str,
) -> Known {
    Known { head, link, element, lock }
}

/// `sys/kern/kern_jail.c`, `kern_proc.c` and `kern_linker.c`, `sys/net/vnet.c`, 9.3 to main.
const LISTS: [Known; 6] = [
    known("allprison", "pr_list", "prison", "allprison_lock"),
    known("allproc", "p_list", "process", "allproc_lock"),
    known("linker_files", "link", "linker file", "kld_sx"),
    known("vnet_constructors", "link", "constructor", "vnet_sysinit_sxlock"),
    known("vnet_destructors", "link", "destructor", "vnet_sysinit_sxlock"),
    known("vnet_data_free_head", "vnd_link", "free entry", "vnet_data_free_lock"),
];

/// The links of each list agree in both directions. What keeps a walk from the end of a list, other
/// checks report.
pub(super) fn links(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let target = evidence.target();
    let (mut findings, mut count) = (Findings::default(), 0);
    for Known { head, link, element, lock } in &LISTS {
        let list = List { name: head, element };
        let head = match Object::global(target, head) {
            Ok(head) => head,
            // Kernels without VIMAGE have no such lists.
            Err(ReadError::NoSymbol { .. }) => continue,
            Err(why) => {
                findings.add(Finding::unknown(format!("{}: {why}", list.name)));
                continue;
            }
        };
        match queue::wrong_back_link(&head, link, list) {
            Ok(None) => count += 1,
            Ok(Some(wrong)) => {
                let writer = writer(target, lock);
                findings.add(Finding::broken(&wrong).unless(writer.as_deref()));
            }
            Err(problem) => findings.add(Finding::unknown(problem.to_string()).at(problem.at)),
        }
    }
    Ok(findings.or_ok(|| format!("{count} lists are linked in both directions")))
}

/// Why a list may be half changed: its lock is held exclusively.
fn writer(target: &Target, lock: &str) -> Option<String> {
    let holder = LockState::of(target, lock).ok()?.exclusive_holder()?;
    Some(format!("the thread at {holder} holds {lock}"))
}
