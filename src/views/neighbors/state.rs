//! The flags and states of neighbours (`sys/net/if_llatbl.h`, `sys/netinet/if_ether.c`,
//! `sys/netinet6/nd6.h`, 10 to main).

use crate::views::family::Family;

/// The flags of a neighbour (la_flags, LLE_).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborFlags(pub u64);

/// LLE_DELETED
const DELETED: u64 = 0x1;
/// LLE_STATIC
const STATIC: u64 = 0x2;
/// LLE_VALID
const VALID: u64 = 0x8;
/// LLE_CHILD, since 14.
const CHILD: u64 = 0x80;

const FLAGS: [(u64, &str); 8] = [
    (DELETED, "deleted"),
    (STATIC, "static"),
    (0x4, "own"),
    (VALID, "valid"),
    (0x10, "redirect"),
    (0x20, "published"),
    (0x40, "linked"),
    (CHILD, "child"),
];

/// What the kernel knows of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being deleted.
    Deleted,
    /// Its link-level address is being asked for.
    Incomplete,
    /// It was entered by hand, or is the interface's own address.
    Permanent,
    /// Its link-level address is in use.
    Reachable,
    /// The same, but the kernel has begun to ask whether it is still right (IPv4).
    Verify,
    /// It has not been confirmed for long (IPv6, as the next four).
    Stale,
    /// It was stale and is in use again.
    Delay,
    /// The kernel asks it whether it is there.
    Probe,
    /// It has no state yet.
    NoState,
    /// It is to be deleted.
    WaitDelete,
    /// A number that no release has.
    Other(i64),
}

impl NeighborFlags {
    /// Their names.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        FLAGS.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name).collect()
    }

    /// Whether la_expire means nothing.
    #[must_use]
    pub const fn is_static(self) -> bool {
        self.0 & STATIC != 0
    }

    /// Whether it has a link-level address.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 & VALID != 0
    }

    /// Whether it only serves packets of another family, and hangs under the neighbour itself.
    #[must_use]
    pub const fn is_child(self) -> bool {
        self.0 & CHILD != 0
    }
}

impl State {
    /// The state by flags and ln_state. Static entries of IPv4 have the number 0 although they are
    /// valid, so flags come first.
    #[must_use]
    pub fn of(family: Family, flags: NeighborFlags, number: i64) -> Self {
        match (family, number) {
            _ if flags.0 & DELETED != 0 => Self::Deleted,
            (Family::Inet6, -2) => Self::NoState,
            (Family::Inet6, -1) => Self::WaitDelete,
            _ if !flags.is_valid() => Self::Incomplete,
            _ if flags.is_static() => Self::Permanent,
            (Family::Inet, 2) => Self::Verify,
            (Family::Inet, 3) => Self::Deleted,
            // 10 gives its IPv4 entries no numbers.
            (Family::Inet, 0 | 1) | (Family::Inet6, 1) => Self::Reachable,
            (Family::Inet6, 0) => Self::Incomplete,
            (Family::Inet6, 2) => Self::Stale,
            (Family::Inet6, 3) => Self::Delay,
            (Family::Inet6, 4) => Self::Probe,
            (_, other) => Self::Other(other),
        }
    }

    /// Its name: `reachable`.
    #[must_use]
    pub fn name(self) -> String {
        let name = match self {
            Self::Deleted => "deleted",
            Self::Incomplete => "incomplete",
            Self::Permanent => "permanent",
            Self::Reachable => "reachable",
            Self::Verify => "verify",
            Self::Stale => "stale",
            Self::Delay => "delay",
            Self::Probe => "probe",
            Self::NoState => "no-state",
            Self::WaitDelete => "wait-delete",
            Self::Other(number) => return format!("state {number}"),
        };
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_decide_before_numbers() {
        let state = |family, flags, number| State::of(family, NeighborFlags(flags), number).name();
        for (flags, number, inet, inet6) in [
            // An interface's own address.
            (0x4e, 0, "permanent", "permanent"),
            (0x4e, 1, "permanent", "permanent"),
            (0x48, 1, "reachable", "reachable"),
            (0x48, 2, "verify", "stale"),
            (0x48, 3, "deleted", "delay"),
            (0x48, 4, "state 4", "probe"),
            (0x40, 0, "incomplete", "incomplete"),
            (0x49, 1, "deleted", "deleted"),
            (0x48, 0, "reachable", "incomplete"),
            (0x40, -2, "incomplete", "no-state"),
            (0x48, -1, "state -1", "wait-delete"),
        ] {
            assert_eq!(state(Family::Inet, flags, number), inet, "{flags:#x} {number}");
            assert_eq!(state(Family::Inet6, flags, number), inet6, "{flags:#x} {number}");
        }
        assert_eq!(NeighborFlags(0x4e).names(), ["static", "own", "valid", "linked"]);
    }
}
