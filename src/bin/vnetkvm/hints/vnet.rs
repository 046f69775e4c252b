//! Vnets, and what of them cannot be found.

use vnetkvm::error::{VnetCandidate, VnetError};

use super::kernel::NAME_THE_KERNEL;
use super::read;
use super::suggestion::did_you_mean;

const LISTS_ALL: &str = "`vnetkvm vnets` lists them all";

pub fn hint(error: &VnetError) -> Option<String> {
    let hint = match error {
        VnetError::NoKernelSymbols => NAME_THE_KERNEL,
        VnetError::NoLayout => "give a kernel with debug information",
        VnetError::NoList { .. } => {
            "is the dump complete? --vnet 0xADDRESS reads a vnet that is known otherwise"
        }
        VnetError::NoSuchVnet(_) | VnetError::StrayVnet { .. } => LISTS_ALL,
        VnetError::NoSuchThread(_) => {
            "choose a vnet by --vnet or --jail: `vnetkvm vnets` lists them all"
        }
        VnetError::InNoVnet { .. } => {
            "a thread has one while it works in the network stack; --pid takes its jail's"
        }
        VnetError::NotMade { candidates, .. } => return Some(not_made(candidates)),
        VnetError::Unknown { .. } => {
            "choose a vnet by --vnet: `vnetkvm vnets --scan` lists what is in memory"
        }
        VnetError::BadPattern { .. } => {
            "patterns have * ? [...] and {a,b}: 'tcp*', '[ab]*', '*@if_gif.ko'"
        }
        VnetError::NoSuchJail { near, .. } => {
            return did_you_mean(near)
                .or_else(|| Some("`vnetkvm vnets` lists the jails of each vnet".into()));
        }
        VnetError::NoSuchVariable { near, .. } | VnetError::NoSuchSysctl { near, .. } => {
            return did_you_mean(near);
        }
        VnetError::NoCounters { .. } => "`vnetkvm counters` lists all variables that have counters",
        VnetError::OtherStatistics { .. } => "leave --type out to see the counters by number",
        VnetError::Ambiguous { name, files } => return Some(ambiguous(name, files)),
        VnetError::Read(why) => return read::hint(why),
        _ => return None,
    };
    Some(hint.into())
}

fn not_made(candidates: &[VnetCandidate]) -> String {
    let candidates = candidates.iter().map(|VnetCandidate { address, found_by }| {
        format!("--vnet {address} (under construction, {found_by})")
    });
    let candidates = candidates.collect::<Vec<_>>();
    match candidates.as_slice() {
        [] => "`vnetkvm vnets --scan` looks for its vnet in all memory".into(),
        some => format!("it may be {}", some.join(" or ")),
    }
}

fn ambiguous(name: &str, files: &[String]) -> String {
    let file = files.first().map_or("file.c", String::as_str);
    format!("{}: choose one, such as {name}@{file}", files.join(", "))
}
