//! Flags that the kernel prints by name itself.
//!
//! What: members and variables for which the kernel's code has a format of printf(9)'s `%b`, and
//! the names of their bits by that format. How: nothing in a kernel leads from a member to its
//! format, but its text is in the read-only data. So this file knows a few names of each format,
//! its anchors, and the format is the one that has them all at those bits. The kernel is searched
//! once, when the first such number is shown. What this refuses to do: choose. If no format fits,
//! or different ones do, the number has no names. Formats in files of modules are not looked for.

use std::sync::OnceLock;

use crate::budget::{Budget, Exhausted};
use crate::kernel::Kernel;
use crate::kernel::bit_formats::BitFormat;

/// One of the formats whose anchors are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFormat(usize);

/// The bits of a number and their names, from the lowest bit to the highest.
pub type BitNames = [(u64, Box<str>)];

/// The names of one kernel.
#[derive(Debug, Default)]
pub struct FoundFormats(OnceLock<Box<[Found]>>);

/// Numbers that are printed by the same format.
struct Printed {
    /// Structs and their members.
    members: &'static [(&'static str, &'static str)],
    /// Global variables.
    variables: &'static [&'static str],
    /// Bits, counted from 1, and the names that the format has for them in every release.
    anchors: &'static [(u32, &'static str)],
}

/// The formats, and where FreeBSD has them.
///
/// `m_flags` of a struct mbuf is not among them: that which `m_print` prints it by
/// (`sys/kern/uipc_mbuf.c`) was never kept up. It has "proto1" where M_BCAST is. The names in
/// `constants` are used instead.
const PRINTED: [Printed; 20] = [
    // PRINT_BUF_FLAGS, PRINT_BUF_XFLAGS, PRINT_BUF_VFLAGS (`sys/sys/buf.h`, 10 to 14; ddb prints them).
    members(
        &[("buf", "b_flags")],
        &[(1, "age"), (2, "needcommit"), (3, "async"), (6, "cache"), (30, "vmio")],
    ),
    members(&[("buf", "b_xflags")], &[(1, "dirty"), (2, "clean"), (5, "bkgrdwrite")]),
    members(&[("buf", "b_vflags")], &[(1, "scanned"), (2, "bkgrdinprog"), (3, "bkgrdwait")]),
    // PRINT_TH_FLAGS (`sys/netinet/tcp.h`, 8 to main; every kernel's TCP log prints it).
    members(
        &[("tcphdr", "th_flags")],
        &[(1, "FIN"), (2, "SYN"), (3, "RST"), (4, "PUSH"), (5, "ACK"), (6, "URG")],
    ),
    // CSUM_BITS (`sys/sys/mbuf.h`, 10 to main; drivers and SCTP's debug messages print it).
    members(
        &[("pkthdr", "csum_flags")],
        &[(1, "CSUM_IP"), (2, "CSUM_IP_UDP"), (3, "CSUM_IP_TCP"), (26, "CSUM_L3_VALID")],
    ),
    // PRINT_UMA_ZFLAGS (`sys/vm/uma_int.h`, 13 to main).
    members(
        &[("uma_zone", "uz_flags"), ("uma_keg", "uk_flags")],
        &[(3, "CONTIG"), (16, "PCPU"), (22, "OFFPAGE"), (24, "VTOSLAB")],
    ),
    // LACP_STATE_BITS (`sys/net/ieee8023ad_lacp.h`, 8 to main).
    members(
        &[("lacp_peerinfo", "lip_state")],
        &[(1, "ACTIVITY"), (2, "TIMEOUT"), (3, "AGGREGATION"), (4, "SYNC")],
    ),
    // HN_CAP_BITS (`sys/dev/hyperv/netvsc/if_hnvar.h`, 11 to main).
    members(
        &[("hn_softc", "hn_caps")],
        &[(1, "VLAN"), (2, "MTU"), (3, "IPCS"), (4, "TCP4CS"), (8, "TSO4")],
    ),
    // IEEE80211_F_BITS, IEEE80211_C_BITS, IEEE80211_NODE_BITS (`sys/net80211/ieee80211_var.h`,
    // `ieee80211_node.h`, 10 to 14; ddb prints them).
    members(
        &[("ieee80211com", "ic_flags"), ("ieee80211vap", "iv_flags")],
        &[(5, "PRIVACY"), (8, "SCAN"), (12, "PMGTON"), (14, "WME")],
    ),
    members(
        &[("ieee80211com", "ic_caps"), ("ieee80211vap", "iv_caps")],
        &[(1, "STA"), (9, "IBSS"), (11, "HOSTAP"), (24, "WPA1")],
    ),
    members(
        &[("ieee80211_node", "ni_flags")],
        &[(1, "AUTH"), (2, "QOS"), (3, "ERP"), (5, "PWR_MGT")],
    ),
    // What the processor can do, as printcpuinfo prints it at boot (`sys/x86/x86/identcpu.c`, 10 to
    // main).
    variable(&["cpu_feature"], &[(1, "FPU"), (2, "VME"), (3, "DE"), (26, "SSE")]),
    variable(&["cpu_feature2"], &[(1, "SSE3"), (10, "SSSE3"), (14, "CX16")]),
    variable(&["amd_feature"], &[(12, "SYSCALL"), (21, "NX"), (30, "LM")]),
    variable(&["amd_feature2"], &[(1, "LAHF"), (2, "CMP"), (3, "SVM")]),
    variable(&["cpu_stdext_feature"], &[(1, "FSGSBASE"), (8, "SMEP"), (19, "RDSEED")]),
    variable(&["cpu_stdext_feature2"], &[(3, "UMIP"), (4, "PKU"), (5, "OSPKE")]),
    variable(&["cpu_stdext_feature3"], &[(27, "IBPB"), (28, "STIBP"), (32, "SSBD")]),
    // PPC_FEATURE_BITMASK, PPC_FEATURE2_BITMASK (`sys/powerpc/include/cpu.h`, 10 to main).
    variable(&["cpu_features"], &[(32, "PPC32"), (31, "PPC64"), (29, "ALTIVEC"), (28, "FPU")]),
    variable(&["cpu_features2"], &[(32, "ARCH207"), (31, "HTM")]),
];

const fn members(
    members: &'static [(&'static str, &'static str)],
    anchors: &'static [(u32, &'static str)],
) -> Printed {
    Printed { members, variables: &[], anchors }
}

const fn variable(
    variables: &'static [&'static str],
    anchors: &'static [(u32, &'static str)],
) -> Printed {
    Printed { members: &[], variables, anchors }
}

impl KnownFormat {
    /// That of a member.
    pub fn of_member(record: &str, member: &str) -> Option<Self> {
        PRINTED.iter().position(|known| known.members.contains(&(record, member))).map(Self)
    }

    /// That of a global variable.
    pub fn of_variable(name: &str) -> Option<Self> {
        PRINTED.iter().position(|known| known.variables.contains(&name)).map(Self)
    }
}

impl FoundFormats {
    /// The names by one format in this kernel, always the same one. `None` if it has not exactly
    /// one format that fits.
    ///
    /// # Errors
    /// The budget does not last for the first search. The next question searches again.
    pub fn names(
        &self,
        known: KnownFormat,
        kernel: &Kernel,
        budget: &Budget,
    ) -> Result<Option<&BitNames>, Exhausted> {
        let found = match self.0.get() {
            Some(found) => found,
            None => {
                let mut found: Box<[Found]> = PRINTED.iter().map(|_| Found::None).collect();
                kernel.each_bit_format(budget, |format| sort(&format, &mut found))?;
                self.0.get_or_init(|| found)
            }
        };
        Ok(match found.get(known.0) {
            Some(Found::One(names)) => Some(names),
            _ => None,
        })
    }
}

/// What a kernel has for one of [`PRINTED`].
#[derive(Debug, PartialEq, Eq)]
enum Found {
    None,
    One(Box<BitNames>),
    /// Different formats fit.
    Several,
}

/// Notes the format for all that it fits.
fn sort(format: &BitFormat<'_>, found: &mut [Found]) {
    for (found, known) in found.iter_mut().zip(&PRINTED) {
        if known.anchors.iter().all(|&(bit, name)| format.name(bit) == Some(name)) {
            let mut names: Box<BitNames> = format
                .names()
                .iter()
                .filter_map(|&(bit, name)| Some((1 << bit.checked_sub(1)?, name.into())))
                .collect();
            names.sort_unstable();
            *found = match std::mem::replace(found, Found::Several) {
                Found::None => Found::One(names),
                Found::One(same) if same == names => Found::One(same),
                Found::One(_) | Found::Several => Found::Several,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &[u8] = b"\x10\x01FIN\x02SYN\x03RST\x04PUSH\x05ACK\x06URG\x07ECE\x08CWR\0";
    const NEWER_TCP: &[u8] = b"\x10\x01FIN\x02SYN\x03RST\x04PUSH\x05ACK\x06URG\x09AE\0";

    fn sorted(formats: &[&[u8]]) -> Box<[Found]> {
        let mut found: Box<[Found]> = PRINTED.iter().map(|_| Found::None).collect();
        for format in formats {
            sort(&BitFormat::parse(format).unwrap(), &mut found);
        }
        found
    }

    #[test]
    fn a_format_is_known_by_its_anchors() {
        let KnownFormat(tcp) = KnownFormat::of_member("tcphdr", "th_flags").unwrap();
        let found = sorted(&[b"\x10\x01FIN\x02SYN\0", TCP, b"\x10\x01A\0", TCP]);
        let Found::One(names) = &found[tcp] else { panic!("{:?}", found[tcp]) };
        assert_eq!(names[0], (1, "FIN".into()));
        assert_eq!(names[7], (0x80, "CWR".into()));
        assert_eq!(found.iter().filter(|found| **found != Found::None).count(), 1);
        assert_eq!(sorted(&[b"\x10\x01FIN\x02SYN\0"])[tcp], Found::None);
    }

    #[test]
    fn of_two_formats_that_fit_neither_is_used() {
        let KnownFormat(tcp) = KnownFormat::of_member("tcphdr", "th_flags").unwrap();
        assert_eq!(sorted(&[TCP, NEWER_TCP])[tcp], Found::Several);
        assert_eq!(sorted(&[TCP, NEWER_TCP, TCP])[tcp], Found::Several);
    }

    #[test]
    fn the_order_of_a_format_does_not_matter() {
        let KnownFormat(bufs) = KnownFormat::of_member("buf", "b_vflags").unwrap();
        let down = b"\x10\x04bkgrderr\x03bkgrdwait\x02bkgrdinprog\x01scanned\0";
        let found = sorted(&[down, b"\x10\x01scanned\x02bkgrdinprog\x03bkgrdwait\x04bkgrderr\0"]);
        let Found::One(names) = &found[bufs] else { panic!("{:?}", found[bufs]) };
        assert_eq!(names.first(), Some(&(1, "scanned".into())));
        assert_eq!(names.last(), Some(&(8, "bkgrderr".into())));
    }

    #[test]
    fn every_number_is_known_by_several_anchors_of_one_format() {
        let mut of: Vec<_> = PRINTED.iter().flat_map(|known| known.members).collect();
        of.sort_unstable();
        assert!(of.windows(2).all(|two| two[0] != two[1]));
        assert!(PRINTED.iter().all(|known| known.anchors.len() >= 2));
        assert_eq!(KnownFormat::of_variable("cpu_feature"), Some(KnownFormat(11)));
        assert_eq!(KnownFormat::of_member("mbuf", "m_flags"), None);
    }
}
