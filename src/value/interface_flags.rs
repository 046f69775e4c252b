//! The names of an interface's flags.

/// IFF_ and IFF_DRV_ flags, as ifconfig(8) names them, and those of the kernel alone
/// (`sys/net/if.h`, 9.3 to main).
pub const INTERFACE_FLAGS: [(u64, &str); 23] = [
    (0x1, "UP"),
    (0x2, "BROADCAST"),
    (0x4, "DEBUG"),
    (0x8, "LOOPBACK"),
    (0x10, "POINTOPOINT"),
    (0x40, "RUNNING"),
    (0x80, "NOARP"),
    (0x100, "PROMISC"),
    (0x200, "ALLMULTI"),
    (0x400, "OACTIVE"),
    (0x800, "SIMPLEX"),
    (0x1000, "LINK0"),
    (0x2000, "LINK1"),
    (0x4000, "LINK2"),
    (0x8000, "MULTICAST"),
    (0x1_0000, "CANTCONFIG"),
    (0x2_0000, "PPROMISC"),
    (0x4_0000, "MONITOR"),
    (0x8_0000, "STATICARP"),
    (0x10_0000, "STICKYARP"),
    (DYING, "DYING"),
    (0x40_0000, "RENAMING"),
    (0x100_0000, "LOWER_UP"),
];

/// IFF_DYING: it is detached and about to be freed.
pub const DYING: u64 = 0x20_0000;

/// The names of the flags that are set, in the order of their bits.
#[must_use]
pub fn flag_names(flags: u64) -> Vec<&'static str> {
    INTERFACE_FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_the_names_of_ifconfig() {
        let names = ["UP", "BROADCAST", "RUNNING", "SIMPLEX", "MULTICAST"];
        assert_eq!(flag_names(0x8843), names);
        assert_eq!(flag_names(0x8863), names);
        assert_eq!(flag_names(0x8049), ["UP", "LOOPBACK", "RUNNING", "MULTICAST"]);
        assert_eq!(flag_names(0), [""; 0]);
        assert_eq!(flag_names(DYING), ["DYING"]);
    }
}
