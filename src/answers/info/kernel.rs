//! The kernel's files, and whether they belong to the dump.

use std::fmt;

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::bytes::Hex;
use crate::kernel::ElfFile;
use crate::session::Session;
use crate::target::KernelMatch;
use crate::types::{Format, Origin, Types};

/// A kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KernelInfo {
    /// The path of its file.
    pub path: String,
    /// The path of the file with its debug information.
    pub debug_file: Option<String>,
    /// In hex.
    pub build_id: Option<String>,
    /// Units of debug information; `None` if types do not come from any.
    pub units: Option<usize>,
    /// Where its types come from; `None` if they are unknown.
    pub types: Option<Origin>,
    /// What is known of its debug information if types do not come from it.
    #[serde(skip)]
    pub unused: Unused,
    /// The name of its configuration: `GENERIC`.
    pub ident: Option<String>,
    /// `__FreeBSD_version`: 1201000.
    pub osreldate: Option<u64>,
    /// Whether it has the VIMAGE option; `None` for a file that may not be a kernel.
    pub vimage: Option<bool>,
    /// Where the initial values of its virtualized variables lie.
    pub set_vnet: Option<SetVnet>,
    /// Whether it wrote the dump.
    pub belongs: Belongs,
}

/// Why types do not come from a kernel's debug information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unused {
    /// It has none, as far as is known.
    None,
    /// CTF was wanted.
    NotWanted,
    /// It cannot be read.
    Unreadable,
}

/// The linker set of the virtualized variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetVnet {
    /// `__start_set_vnet`
    pub start: VirtAddr,
    /// `__stop_set_vnet`
    pub stop: VirtAddr,
    /// Bytes.
    pub size: u64,
}

/// Whether the kernel wrote the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Belongs {
    /// Is it?
    pub verdict: Verdict,
    /// The evidence.
    pub why: String,
}

/// Whether two files match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// They do.
    Yes,
    /// They do not.
    No,
    /// There is no evidence.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        })
    }
}

impl KernelInfo {
    pub(super) fn of(session: &Session) -> Self {
        let (kernel, file) = (session.kernel(), session.kernel().linked());
        let path = |elf: &ElfFile| elf.source().path().display().to_string();
        let set_vnet = kernel.set_vnet().map(|set| SetVnet {
            start: set.start,
            stop: set.end,
            size: set.end.offset_from(set.start).unwrap_or(0),
        });
        let (verdict, why) = match session.target().kernel_match() {
            KernelMatch::Same(why) => (Verdict::Yes, why),
            KernelMatch::Different(why) => (Verdict::No, why),
            KernelMatch::Unknown(why) => (Verdict::Unknown, why),
        };
        let types = session.target().types();
        let unused = match &types {
            _ if Format::Dwarf.file_of(file).is_none() => Unused::None,
            Err(why) if !why.is_about_ctf() => Unused::Unreadable,
            _ => Unused::NotWanted,
        };
        let types = types.ok().map(Types::origin);
        Self {
            path: path(file.main()),
            debug_file: file.debug_file().map(path),
            build_id: file.build_id().map(|id| Hex(id).to_string()),
            units: match types {
                Some(Origin::Dwarf { units }) => Some(units),
                _ => None,
            },
            types,
            unused,
            ident: None,
            osreldate: None,
            vimage: (set_vnet.is_some() || file.has_kernel_symbols()).then_some(set_vnet.is_some()),
            set_vnet,
            belongs: Belongs { verdict, why: why.clone() },
        }
    }
}
