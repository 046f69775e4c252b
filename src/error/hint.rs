//! The one thing to try next, for every error that a person can do something about.

use super::*;

impl Error {
    /// One thing to try next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(why) => why.hint(),
            Self::Dump { source, .. } => Some(source.hint().into()),
            Self::Kernel { source, .. } => source.hint(),
            Self::NoKernel { .. } => {
                Some("use -N FILE or set VNETKVM_KERNEL; -v shows where one was looked for".into())
            }
            Self::Target(why) => why.hint(),
            Self::Types(why) => why.hint(),
            Self::Read(why) => why.hint(),
            Self::Vnet(why) => why.hint(),
            Self::Expr { source, .. } => source.hint(),
        }
    }
}

impl SourceError {
    fn hint(&self) -> Option<String> {
        use std::io::ErrorKind;
        Some(match self.cause.kind() {
            ErrorKind::IsADirectory => "name the file in it, such as kernel or vmcore.0".into(),
            ErrorKind::NotFound => {
                let here = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
                match here.filter(|dir| !dir.is_dir()) {
                    Some(dir) => format!("there is no directory {} either", dir.display()),
                    None => "check the name: -N takes the kernel's file, -M the dump's".into(),
                }
            }
            ErrorKind::PermissionDenied => {
                "you may not read it: run as root, or have somebody copy it".into()
            }
            ErrorKind::UnexpectedEof => {
                "wait until whatever writes it is done, or copy it, and ask again".into()
            }
            ErrorKind::Other => "copy what can be read of it to another disk, and try there".into(),
            ErrorKind::Unsupported => "write it to a file, and name that".into(),
            _ => return None,
        })
    }
}

impl KernelError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotAKernel { what, hint: None } if what.contains("crash dump") => {
                Some("the kernel goes with -N and the dump with -M: are they swapped?".into())
            }
            Self::NotAKernel { hint: Some(hint), .. } => Some(hint.clone()),
            Self::NotAKernel { .. } => Some(
                "name the kernel's ELF file, such as /boot/kernel/kernel or kernel.debug".into(),
            ),
            Self::Damaged { .. } | Self::Compressed { .. } => {
                Some("the file is damaged or cut short: copy it again".into())
            }
        }
    }
}

impl TargetError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OtherArch { .. } | Self::OtherKernel { .. } => {
                "name the kernel that was running; without -N it is looked for, and -v tells where"
                    .into()
            }
            Self::CutOff { .. } => {
                "the copy is not complete: compare its size with the original's".into()
            }
            Self::HashedPageTable => {
                "have the machine write minidumps: `sysctl debug.minidump=1`, the default".into()
            }
            Self::NoPageTables { .. } => {
                "check that -N names the very kernel that was running, with its symbols".into()
            }
        })
    }
}

impl TypeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoDebugInfo => Some(
                "install the kernel's debug file and name its directory with --debug-dir".into(),
            ),
            Self::NotFound { near, .. } => did_you_mean(near),
            Self::NoMember { candidates, .. } => members(candidates),
            Self::Incomplete { .. } => Some(
                "a module's debug file may define it, or there is another type to cast to".into(),
            ),
            Self::WrongKind { wanted: "a struct or union", .. } => {
                Some("it has no members: print it as it is, or cast it to what has some".into())
            }
            Self::WrongKind { .. }
            | Self::Unreadable { .. }
            | Self::Damaged { .. }
            | Self::Limit(_) => None,
        }
    }
}

impl ReadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Type(why) => why.hint(),
            Self::Fault(fault) => fault.hint(),
            Self::Limit(_) => None,
            Self::NoSymbol { .. } => Some(
                "the kernel may be stripped: try its debug file, or another release's name".into(),
            ),
        }
    }
}

impl Fault {
    fn hint(&self) -> Option<String> {
        Some(match self.kind {
            FaultKind::NotMapped | FaultKind::BadAddress => {
                "the pointer may be stale or damaged: print what it was read from".into()
            }
            FaultKind::Freed => {
                "something still points at what the kernel gave back: print what it was read from"
                    .into()
            }
            FaultKind::NotDumped => "a full dump would have this page, a minidump does not".into(),
            FaultKind::Truncated => {
                "the copy of the dump is not complete: compare its size with the original's".into()
            }
        })
    }
}

impl VnetError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoVimage => Some(
                "what is there is shown by name: `vnetkvm vars 'tcp*'`, `vnetkvm print tcbinfo`"
                    .into(),
            ),
            Self::NoKernelSymbols => Some(
                "name the kernel's ELF file, such as /boot/kernel/kernel or kernel.debug".into(),
            ),
            Self::NoLayout => Some("give a kernel with debug information".into()),
            Self::NoList { .. } => Some(
                "is the dump complete? --vnet 0xADDRESS reads a vnet that is known otherwise"
                    .into(),
            ),
            Self::NoSuchVnet { .. } => Some("`vnetkvm vnets` lists them all".into()),
            Self::NoSuchThread { .. } => {
                Some("choose a vnet by --vnet or --jail: `vnetkvm vnets` lists them all".into())
            }
            Self::InNoVnet { .. } => Some(
                "a thread has one while it works in the network stack; --pid takes its jail's"
                    .into(),
            ),
            Self::StrayVnet { .. } => Some("`vnetkvm vnets` lists them all".into()),
            Self::NotMade { candidates, .. } => Some(match candidates.as_slice() {
                [] => "`vnetkvm vnets --scan` looks for its vnet in all memory".into(),
                some => format!("it may be {}", some.join(" or ")),
            }),
            Self::Unknown { .. } => Some(
                "choose a vnet by --vnet: `vnetkvm vnets --scan` lists what is in memory".into(),
            ),
            Self::BadPattern { .. } => {
                Some("patterns have * ? [...] and {a,b}: 'tcp*', '[ab]*', '*@if_gif.ko'".into())
            }
            Self::NoSuchJail { near, .. } => did_you_mean(near)
                .or_else(|| Some("`vnetkvm vnets` lists the jails of each vnet".into())),
            Self::NoSuchVariable { near, .. } => did_you_mean(near),
            Self::NoCounters { .. } => {
                Some("`vnetkvm counters` lists all variables that have counters".into())
            }
            Self::OtherStatistics { .. } => {
                Some("leave --type out to see the counters by number".into())
            }
            Self::SysctlUnknown { .. } => None,
            Self::NoSuchSysctl { near, .. } => did_you_mean(near),
            Self::Ambiguous { name, files } => {
                let file = files.first().map_or("file.c", |file| file.as_str());
                let all = files.join(", ");
                Some(format!("{all}: choose one, such as {name}@{file}"))
            }
            Self::Read(why) => why.hint(),
        }
    }
}

impl ExprError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax { .. } => Some("see docs/expressions.md for what can be written".into()),
            Self::Vnet(why) => why.hint(),
            Self::Read(why) => why.hint(),
            Self::NoSuchName { near, .. } => did_you_mean(near),
            Self::NoVnet { .. } => Some("choose one with --vnet".into()),
            Self::NoCopy { .. } => {
                Some("vnet_entry_NAME is the initial value in the kernel's own set".into())
            }
            Self::WrongOperand { advice, .. } => advice.map(Into::into),
            Self::TypeNotValue(name) => {
                Some(format!("a cast has its operand in parentheses too: ({name})(x)"))
            }
            Self::ShiftCount { bits: 32, .. } => {
                Some("from 0 to 31; to shift a wider number, write 1ULL or (uint64_t)x".into())
            }
            Self::ShiftCount { bits, .. } => Some(format!("from 0 to {}", bits - 1)),
            Self::DivisionByZero => {
                Some("print the divisor alone to see where its 0 is from".into())
            }
            Self::OptimisedOut(_) | Self::Limit(_) => None,
        }
    }
}

fn did_you_mean(near: &[String]) -> Option<String> {
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(", ")))
}

fn members(candidates: &[String]) -> Option<String> {
    const SHOWN: usize = 12;
    if candidates.is_empty() {
        return None;
    }
    let shown = candidates.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if candidates.len() > SHOWN { ", …" } else { "" };
    Some(format!("its members: {shown}{more}"))
}
