//! The linker sets whose variables have several copies.

/// A linker set of variables that have several copies: the symbol of each has the prefix of the
/// set, and its address is that of the master copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkerSet {
    /// The virtualized variables, of which each vnet has a copy (VNET_SETNAME, `sys/net/vnet.h`).
    Vnet,
    /// The DPCPU variables, of which each CPU has a copy (DPCPU_SETNAME, `sys/sys/pcpu.h`).
    Pcpu,
}

impl LinkerSet {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Vnet, Self::Pcpu];

    /// The name of its section: `set_vnet`.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Vnet => "set_vnet",
            Self::Pcpu => "set_pcpu",
        }
    }

    /// The symbols of its first byte and of the byte after its last.
    #[must_use]
    pub const fn bounds(self) -> [&'static str; 2] {
        match self {
            Self::Vnet => ["__start_set_vnet", "__stop_set_vnet"],
            Self::Pcpu => ["__start_set_pcpu", "__stop_set_pcpu"],
        }
    }

    /// The prefix of the symbol of each variable in it: `vnet_entry_`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Vnet => "vnet_entry_",
            Self::Pcpu => "pcpu_entry_",
        }
    }

    /// The symbol of the arena in it where the variables of modules are placed.
    #[must_use]
    pub const fn arena(self) -> &'static str {
        match self {
            Self::Vnet => "vnet_entry_modspace",
            Self::Pcpu => "pcpu_entry_modspace",
        }
    }

    /// The set whose section has that name.
    #[must_use]
    pub fn of_section(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.section() == name)
    }
}
