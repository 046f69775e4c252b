//! The flags of routes (RTF_, `sys/net/route.h`, 10 to main).

/// The flags of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteFlags(pub u64);

/// Bit, the letter of netstat(1) if it has one, and name, in the order of netstat.
const FLAGS: [(u64, Option<char>, &str); 23] = [
    (0x1, Some('U'), "up"),
    (0x2, Some('G'), "gateway"),
    (0x4, Some('H'), "host"),
    (0x8, Some('R'), "reject"),
    (0x10, Some('D'), "dynamic"),
    (0x20, Some('M'), "modified"),
    (0x40, Some('d'), "done"),
    (0x200, Some('X'), "xresolve"),
    (0x800, Some('S'), "static"),
    (0x8000, Some('1'), "proto1"),
    (0x4000, Some('2'), "proto2"),
    (0x1_0000, Some('c'), "prcloning"),
    (0x4_0000, Some('3'), "proto3"),
    (0x1000, Some('B'), "blackhole"),
    (0x40_0000, Some('b'), "broadcast"),
    (0x400, None, "lldata"),
    (0x8_0000, None, "fixedmtu"),
    (0x10_0000, None, "pinned"),
    (0x20_0000, None, "local"),
    (0x80_0000, None, "multicast"),
    (0x1000_0000, None, "sticky"),
    (0x4000_0000, None, "locked"),
    // The gateway is one although RTF_GATEWAY is not set; netstat(1) is shown G.
    (0x8000_0000, Some('G'), "gwflag-compat"),
];

impl RouteFlags {
    /// The letters of netstat(1): `UGS`.
    #[must_use]
    pub fn letters(self) -> String {
        let compat = self.0 & 0x8000_0000 != 0;
        let shown = if compat { self.0 & !0x8000_0000 | 0x2 } else { self.0 };
        FLAGS
            .iter()
            .filter(|(bit, ..)| shown & bit != 0)
            .filter_map(|(_, letter, _)| *letter)
            .collect()
    }

    /// The names of all flags that are set, those without a letter too.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        FLAGS.iter().filter(|(bit, ..)| self.0 & bit != 0).map(|(_, _, name)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_netstat() {
        for (flags, letters) in [
            (0x1, "U"),
            (0x803, "UGS"),
            (0x1803, "UGSB"),
            (0x805, "UHS"),
            (0x200005, "UH"),
            (0x8000_0005, "UGH"),
            (0x4_c001, "U123"),
        ] {
            assert_eq!(RouteFlags(flags).letters(), letters, "{flags:#x}");
        }
        assert_eq!(RouteFlags(0x30_0005).names(), ["up", "host", "pinned", "local"]);
    }
}
