//! The variables of each vnet: their counters, and where their function pointers lead; and what
//! leads to them.

use super::finding::judge_value;
use super::function_pointers::{Place, places};
use super::vnets::{has_own_block, readable};
use super::{Evidence, Finding, Findings, Verdict};
use crate::types::TypeId;
use crate::value::freed;
use crate::value::model::ErrorKind;
use crate::views::counters::names::is_counter_array;
use crate::views::sysctls::{Oid, SysctlTree};
use crate::vnet::locks::Guards;
use crate::vnet::{SetVariable, Vnet};
use crate::walk::Problem;

/// In a vnet that is up, counters are allocated that a constructor allocates.
///
/// VNET_PCPUSTAT_SYSINIT(NAME) makes the constructor `vnet_NAME_init` (`sys/net/vnet.h`, 10.4 to
/// main). Statistics of protocols that are not initialised have no constructor.
pub(super) fn counters(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let arrays = counter_arrays(evidence)?;
    let writer = evidence.locks().ok().and_then(|locks| locks.writer(Guards::Sysinits));
    let writer = writer.map(|thread| format!("{thread} is registering a constructor"));
    let (vnets, mut findings) = up(evidence)?;
    for vnet in vnets {
        let mut found = Findings::default();
        for array in &arrays {
            let finding = counters_of(evidence, vnet, array);
            finding.into_iter().for_each(|it| found.add(it.unless(writer.as_deref())));
        }
        let count = arrays.len();
        let found = found.or_ok(|| format!("its counters are allocated: {count} arrays"));
        for finding in found.take().0 {
            findings.add(finding.of(Some(vnet.into())));
        }
    }
    Ok(findings)
}

/// The arrays of counters that a registered constructor allocates.
fn counter_arrays<'e>(evidence: &Evidence<'e>) -> Result<Vec<&'e SetVariable>, Problem> {
    let (sysinits, variables) = (evidence.sysinits()?, evidence.variables()?);
    let types = evidence.target().types();
    let types = types.map_err(|why| Problem::unreadable("the kernel's types", why.into()))?;
    let functions = sysinits.constructors.iter().filter_map(|sysinit| {
        let symbol = sysinit.function.as_ref().ok()?.symbol()?;
        symbol.name.strip_prefix("vnet_")?.strip_suffix("_init")
    });
    let functions: Vec<&str> = functions.collect();
    let is_array = |variable: &&SetVariable| {
        functions.contains(&&*variable.name)
            && variable.type_id.is_some_and(|id| is_counter_array(types, id).unwrap_or(false))
    };
    Ok(variables.all().iter().filter(is_array).collect())
}

/// What is wrong with one array in one vnet.
fn counters_of(evidence: &Evidence<'_>, vnet: &Vnet, array: &SetVariable) -> Option<Finding> {
    let target = evidence.target();
    let start = match vnet.copy_of(target, array.master) {
        Ok(start) => start,
        Err(why) => return Some(Finding::unknown(format!("{}: {why}", array.name))),
    };
    let word = target.arch().pointer_size();
    let (mut unallocated, mut stale, mut hidden) = (0_u64, None, None);
    let count = array.size / word;
    for number in 0..count {
        if let Err(why) = target.budget().work(1) {
            hidden = Some(why.to_string());
            break;
        }
        let place = start.wrapping_add(number * word);
        let slots = match target.memory().pointer(place) {
            Ok(pointer) => evidence.counters().slots(target, pointer),
            Err(fault) => Err(fault.into()),
        };
        let found = slots.and_then(|slots| {
            let mut values = slots.into_iter().map(|slot| slot.value);
            values.try_fold(false, |any, value| Ok(any | freed::is_word(value?, 8)))
        });
        match found {
            Ok(false) => {}
            Ok(true) => stale = stale.or(Some(place)),
            Err(why) if why.kind == ErrorKind::Unallocated => unallocated += 1,
            Err(why) if judge_value(&why) == Verdict::Fault => stale = stale.or(Some(place)),
            Err(why) => hidden = Some(why.message.to_string()),
        }
    }
    let name = &array.name;
    match (unallocated, stale, hidden) {
        (1.., ..) => {
            let why = format!("{unallocated} of its {count} counters in {name} are not allocated");
            Some(Finding::fault(why).at([start]))
        }
        (_, Some(at), _) => {
            let why = format!("a counter in {name} leads to memory that is freed");
            Some(Finding::fault(why).at([at]))
        }
        (.., Some(why)) => Some(Finding::unknown(format!("{name}: {why}")).at([start])),
        (0, None, None) => None,
    }
}

/// Function pointers in variables lead to code.
pub(super) fn function_pointers(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let target = evidence.target();
    let types = target.types();
    let types = types.map_err(|why| Problem::unreadable("the kernel's types", why.into()))?;
    let variables = evidence.variables()?.all();
    let typed = variables.iter().filter_map(|it| Some((it, it.type_id?)));
    let found = typed.flat_map(|(variable, id): (&SetVariable, TypeId)| {
        let places = places(types, id);
        places.into_iter().map(move |place| (variable, place))
    });
    let found: Vec<(&SetVariable, Place)> = found.collect();
    let (vnets, mut findings) = up(evidence)?;
    let untyped: Vec<&SetVariable> = variables.iter().filter(|it| it.type_id.is_none()).collect();
    if let [first, ..] = untyped[..] {
        let (count, name) = (untyped.len(), &first.name);
        let why = format!("the types of {count} variables are unknown, such as {name}");
        findings.add(Finding::unknown(why));
    }
    for vnet in vnets {
        let mut wrong = Findings::default();
        for (variable, place) in &found {
            let copy = match vnet.copy_of(target, variable.master) {
                Ok(copy) => copy,
                Err(why) => {
                    wrong.add(Finding::unknown(format!("{}: {why}", variable.name)));
                    break;
                }
            };
            let at = copy.wrapping_add(place.offset);
            if let Err(why) = target.budget().work(1) {
                wrong.add(Finding::unknown(why.to_string()));
                break;
            }
            let pointer = match target.memory().pointer(at) {
                Ok(pointer) => pointer,
                Err(fault) => {
                    wrong.add(Finding::unknown(fault.to_string()).at([at]));
                    break;
                }
            };
            if evidence.unloaded().leads_nowhere(pointer) {
                let why =
                    format!("{}{} leads to {pointer}, which is no code", variable.name, place.path);
                wrong.add(Finding::fault(why).at([at]));
            }
        }
        let count = found.len();
        let wrong =
            wrong.or_ok(|| format!("its {count} function pointers are NULL or lead to code"));
        for finding in wrong.take().0 {
            findings.add(finding.of(Some(vnet.into())));
        }
    }
    findings.add_unknown(&evidence.modules().problems);
    Ok(findings)
}

/// The vnets on the list whose variables can be believed, and for each of the others that they
/// cannot. Why they cannot, other checks report.
fn up<'e>(evidence: &Evidence<'e>) -> Result<(Vec<&'e Vnet>, Findings), Problem> {
    let (mut up, mut findings) = (Vec::new(), Findings::default());
    for vnet in evidence.vnets()?.iter().filter(|vnet| vnet.is_listed()) {
        let why = match vnet.wrong_magic().filter(|_| vnet.is_freed()) {
            Some(why) => why,
            None => match vnet.wrong_base(evidence.target()) {
                Some(why) => why,
                None if has_own_block(evidence, vnet) => {
                    up.push(vnet);
                    continue;
                }
                None => "its block cannot be its own".to_owned(),
            },
        };
        let why = format!("its variables cannot be read: {why}");
        findings.add(Finding::unknown(why).of(Some(vnet.into())).at([vnet.address]));
    }
    Ok((up, findings))
}

/// Sysctls of vnets lead to variables that exist, and all to handlers that are loaded.
pub(super) fn sysctls(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let tree = SysctlTree::read(evidence.target(), &[]);
    let tree = tree.map_err(|why| Problem::new("the sysctl tree", why.to_string()))?;
    let mut findings = Findings::default();
    let mut count = 0;
    for oid in &tree.oids {
        count += usize::from(oid.per_vnet);
        if let Some(why) = dangling(evidence, oid) {
            findings.add(Finding::fault(format!("{}: {why}", oid.name)).at([oid.address]));
        }
    }
    findings.add_broken(&tree.problems);
    Ok(findings.or_ok(|| format!("{count} sysctls of vnets lead to variables and handlers")))
}

/// Where an oid leads that no loaded module has.
fn dangling(evidence: &Evidence<'_>, oid: &Oid) -> Option<Box<str>> {
    let unloaded = evidence.unloaded();
    let handler = oid.handler.as_ref();
    if let Some(Err(why)) = handler.map(|handler| unloaded.function(handler.address)) {
        return Some(format!("its handler lies in no loaded module: {}", why.address?).into());
    }
    if !oid.per_vnet || oid.arg1.is_null() {
        return None;
    }
    if let Err(why) = unloaded.argument(oid.arg1) {
        return Some(why.message.into());
    }
    // A handler of its own need not have a variable there.
    let name = handler.and_then(|handler| handler.name.as_deref()).unwrap_or_default();
    let copies = name.strip_prefix("vnet_").unwrap_or(name).starts_with("sysctl_handle_");
    let outside = copies && unloaded.function(oid.arg1).is_err();
    outside.then(|| format!("its variable lies in no loaded module: {}", oid.arg1).into())
}

/// The kernel's copy of the initial values is memory.
pub(super) fn pristine(evidence: &Evidence<'_>) -> Result<Findings, Problem> {
    let target = evidence.target();
    let (Ok(at), Some(set)) = (target.address_of("vnet_init_var"), target.kernel().set_vnet())
    else {
        return Ok(Finding::ok("the kernel keeps no copy of the initial values").into());
    };
    let pointer = target.memory().pointer(at);
    let start = pointer.map_err(|why| Problem::unreadable("vnet_init_var", why.into()))?;
    if start.is_null() {
        return Ok(Finding::ok("the copy of the initial values is not made yet").into());
    }
    let size = set.end.offset_from(set.start).unwrap_or(0);
    let Some(end) = start.checked_add(size) else {
        let why = "the copy of the initial values ends beyond all memory";
        return Ok(Finding::fault(why).at([start]).into());
    };
    let what = "the copy of the initial values";
    Ok(readable(evidence, start, end, what).into())
}
