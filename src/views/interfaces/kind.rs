//! What kind of link an interface has.

/// IFT_ numbers that FreeBSD's drivers use, in words (`sys/net/if_types.h`, the same in all
/// releases).
const TYPES: [(u64, &str); 17] = [
    (1, "other"),
    (6, "ethernet"),
    (15, "fddi"),
    (23, "ppp"),
    (24, "loopback"),
    (28, "slip"),
    (53, "virtual"),
    (71, "wifi"),
    (131, "tunnel"),
    (135, "vlan"),
    (161, "lagg port"),
    (199, "infiniband"),
    (209, "bridge"),
    (215, "6to4"),
    (240, "gif"),
    (244, "ipsec"),
    (246, "pflog"),
];

/// The kind of link with that number, in words; `None` for a number that has none here.
#[must_use]
pub fn type_name(number: u64) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}
