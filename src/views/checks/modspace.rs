//! Modules: their list, and their part of module space.

use super::{Evidence, Finding, Findings};
use crate::kernel::LinkerSet;
use crate::views::inside::Functions;
use crate::vnet::locks::Guards;
use crate::vnet::modspace::{Accounts, ModuleSpace, SpaceFaultKind};
use crate::walk::{Problem, Problems};

/// What a thread is in while a module comes or goes (`sys/kern/kern_linker.c`, `link_elf.c`,
/// `link_elf_obj.c`, 9.3 to main).
const CHANGING: [&str; 6] = [
    "linker_load_module",
    "linker_load_file",
    "link_elf_load_file",
    "link_elf_unload_file",
    "linker_file_unload",
    "kern_kldunload",
];

/// The list of linker files is whole.
pub(super) fn files(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let modules = evidence.modules();
    let mut findings = Findings::default();
    let changing = changing(evidence, LinkerSet::Vnet, !modules.problems.is_empty());
    findings.add_broken_unless(&modules.problems, changing.as_deref());
    let count = modules.modules().count();
    Ok(findings.or_ok(|| format!("{count} modules are on the list")))
}

/// Each byte of module space is either free or a module's; and of the arena of DPCPU variables, if
/// the kernel has some.
pub(super) fn space(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let (mut findings, mut said) = found(evidence, evidence.module_space()?);
    if evidence.target().kernel().linker_set(LinkerSet::Pcpu).is_some() {
        let space = ModuleSpace::read(evidence.target(), evidence.modules(), LinkerSet::Pcpu);
        match space {
            Ok(space) => {
                let (of_cpus, also) = found(evidence, &space);
                findings.extend(of_cpus);
                said = format!("{said}; of DPCPU variables, {also}");
            }
            Err(why) => {
                let unknown = Problem::new("the module space of DPCPU variables", why.to_string());
                findings.add_unknown(&unknown.into());
            }
        }
    }
    Ok(findings.or_ok(|| said))
}

/// What is wrong with one arena, and what there is to say if nothing is.
fn found(evidence: &Evidence<'_>, space: &ModuleSpace) -> (Findings, String) {
    let mut findings = Findings::default();
    // Those of the list of modules belong to another check.
    let of_modules: Vec<&Problem> = evidence.modules().problems.iter().collect();
    let mut own = Problems::default();
    let others = space.problems.iter().filter(|problem| !of_modules.contains(problem));
    others.for_each(|problem| own.add(problem.clone()));
    let explain = !space.faults.is_empty() || !own.is_empty();
    let changing = changing(evidence, space.set, explain);
    findings.add_broken_unless(&own, changing.as_deref());
    for fault in &space.faults {
        let message = match space.set {
            LinkerSet::Vnet => fault.message.to_string(),
            LinkerSet::Pcpu => format!("of DPCPU variables, {}", fault.message),
        };
        let finding = match fault.kind {
            SpaceFaultKind::Lost | SpaceFaultKind::Unmerged => Finding::warning(message),
            _ => Finding::fault(message),
        };
        findings.add(finding.at([fault.address]).unless(changing.as_deref()));
    }
    if findings.all_ok() && space.accounts == Accounts::Broken {
        findings.add_unknown(&space.problems);
    }
    let (free, used) = (space.free().unwrap_or(0), space.used());
    let said = match space.accounts {
        Accounts::NotYet => "the kernel has not made its free list yet".to_owned(),
        _ => format!("{free} bytes are free, and modules have {used}"),
    };
    (findings, said)
}

/// Why the arena of a linker set may be half changed. The lock of that of DPCPU variables is none
/// of the VNET code.
fn changing(evidence: &Evidence<'_>, set: LinkerSet, explain: bool) -> Option<String> {
    if !explain {
        return None;
    }
    let locks = evidence.locks().ok().filter(|_| set == LinkerSet::Vnet);
    let writer = locks.and_then(|locks| locks.writer(Guards::ModuleSpace));
    if let Some(thread) = writer {
        return Some(format!("{thread} is changing the free list"));
    }
    let inside = Functions::named(evidence.target(), CHANGING).threads(evidence.all_threads());
    inside.first().map(ToString::to_string)
}
