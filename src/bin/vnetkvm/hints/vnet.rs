//! Hints for vnets and what cannot be found in them.

use vnetkvm::error::{Stage, VnetCandidate, VnetError};
use vnetkvm::kernel::LinkerSet;
use vnetkvm::walk::{Problem, Why};

use super::kernel::NAME_THE_KERNEL;
use super::read;
use super::suggestion::did_you_mean;

const LISTS_ALL: &str = "`vnetkvm vnets` lists them all";
const LISTS_SYSCTLS: &str = "`vnetkvm sysctl -a --names` lists them all";

pub fn hint(error: &VnetError) -> Option<String> {
    let hint = match error {
        VnetError::NoKernelSymbols => NAME_THE_KERNEL,
        VnetError::NoLayout => "use a kernel with debug information",
        VnetError::NoList { because } if is_of_device(because) => {
            "check that -N names the kernel that runs, and that the device is its machine's memory"
        }
        VnetError::NoList { .. } => {
            "check that the dump is complete; --vnet 0xADDRESS reads a vnet at a known address"
        }
        VnetError::NoSuchVnet(_) | VnetError::StrayVnet { .. } => LISTS_ALL,
        VnetError::NoSuchThread(_) => {
            "choose a vnet with --vnet or --jail: `vnetkvm vnets` lists them all"
        }
        VnetError::InNoVnet { .. } => {
            "a thread has a vnet only while it runs network code; --pid uses the vnet of its jail"
        }
        VnetError::NotMade { candidates, .. } => return Some(not_made(candidates)),
        VnetError::Unknown { .. } => {
            "choose a vnet with --vnet: `vnetkvm vnets --scan` searches memory for them"
        }
        VnetError::UnknownVariable { .. } => "`vnetkvm modules` shows what is known of modules",
        VnetError::BadPattern { .. } => {
            "wildcards are * ? [...] and {a,b}, as in 'tcp*', '[ab]*', '*@if_gif.ko'"
        }
        VnetError::NoSuchJail { near, .. } => {
            return did_you_mean(near)
                .or_else(|| Some("`vnetkvm vnets` lists the jails of each vnet".into()));
        }
        VnetError::NoSuchVariable { set, name, near } if near.is_empty() => {
            return Some(search_variables(*set, name));
        }
        VnetError::NoSuchSysctl { near, .. } if near.is_empty() => LISTS_SYSCTLS,
        VnetError::NoSuchVariable { near, .. } | VnetError::NoSuchSysctl { near, .. } => {
            return did_you_mean(near);
        }
        VnetError::NoCounters { .. } => "`vnetkvm counters` lists all variables that have counters",
        VnetError::OtherStatistics { .. } => "leave out --type to see the counters by number",
        VnetError::Ambiguous { name, files } => return Some(ambiguous(name, files)),
        VnetError::Read(why) => return read::hint(why),
        _ => return None,
    };
    Some(hint.into())
}

/// Did a memory device refuse the address?
fn is_of_device(problem: &Problem) -> bool {
    let fault = match &problem.why {
        Why::Unreadable { why, .. } | Why::Element { why, .. } => why.fault(),
        _ => None,
    };
    fault.is_some_and(|fault| matches!(fault.stage, Stage::Device { .. } | Stage::NotMemory(_)))
}

/// How to find a variable whose name was not known exactly: by the letters that it begins with.
pub(super) fn search_variables(set: LinkerSet, name: &str) -> String {
    const ENOUGH: usize = 3;
    let command = match set {
        LinkerSet::Vnet => "vars",
        LinkerSet::Pcpu => "pcpu",
    };
    let bare = name.strip_prefix("V_").unwrap_or(name);
    let is_pattern = bare.contains(['*', '?', '[', '{', '@']);
    let mut parts = bare.split(|letter: char| !letter.is_ascii_alphanumeric());
    match parts.find(|part| !part.is_empty()).filter(|_| !is_pattern) {
        Some(part) => {
            let part: String = part.chars().take(ENOUGH).collect();
            format!("search for part of the name: `vnetkvm {command} '*{part}*'`")
        }
        None => format!("`vnetkvm {command}` lists them all"),
    }
}

fn not_made(candidates: &[VnetCandidate]) -> String {
    let candidates = candidates.iter().map(|VnetCandidate { address, found_by }| {
        format!("--vnet {address} (under construction, {found_by})")
    });
    let candidates = candidates.collect::<Vec<_>>();
    match candidates.as_slice() {
        [] => "`vnetkvm vnets --scan` searches all memory for its vnet".into(),
        some => format!("it may be {}", some.join(" or ")),
    }
}

fn ambiguous(name: &str, files: &[String]) -> String {
    let file = files.first().map_or("file.c", String::as_str);
    format!("{}: choose one, such as {name}@{file}", files.join(", "))
}
