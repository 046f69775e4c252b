//! The linker sets of which a module's part is moved into the kernel's own: virtualized
//! variables, and those of which each CPU has a copy (DPCPU).

use crate::addr::VirtAddr;

/// One of the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetKind {
    /// `set_pcpu`
    Pcpu,
    /// `set_vnet`
    Vnet,
}

/// Where a module's part of a set is in the kernel's.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedSet {
    pub kind: SetKind,
    pub at: VirtAddr,
    /// In bytes.
    pub size: u64,
}

impl SetKind {
    /// In the order in which the kernel's linker places them.
    pub const ALL: [Self; 2] = [Self::Pcpu, Self::Vnet];

    /// The name of its section, DPCPU_SETNAME or VNET_SETNAME.
    pub fn section(self) -> &'static str {
        match self {
            Self::Pcpu => "set_pcpu",
            Self::Vnet => "set_vnet",
        }
    }

    /// The symbols at its start and end.
    pub fn bounds(self) -> [&'static str; 2] {
        match self {
            Self::Pcpu => ["__start_set_pcpu", "__stop_set_pcpu"],
            Self::Vnet => ["__start_set_vnet", "__stop_set_vnet"],
        }
    }

    /// The members of link_elf.c's `struct elf_file` that say where it is: in the module from and
    /// to, and in the kernel's set.
    pub fn members(self) -> [&'static str; 3] {
        match self {
            Self::Pcpu => ["pcpu_start", "pcpu_stop", "pcpu_base"],
            Self::Vnet => ["vnet_start", "vnet_stop", "vnet_base"],
        }
    }

    /// The set whose section has that name.
    pub fn of_section(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.section() == name)
    }
}

/// The part of `sets` that is of that kind.
pub(super) fn of_kind(sets: &[PlacedSet], kind: SetKind) -> Option<&PlacedSet> {
    sets.iter().find(|set| set.kind == kind)
}
