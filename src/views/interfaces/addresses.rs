//! The addresses of an interface, `if_addrhead` (`sys/net/if_var.h`).

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::types::TypeId;
use crate::value::Object;
use crate::value::inet::{AF_INET, AF_INET6, Netmask, Sockaddr, ZonedIp, hardware_text};
use crate::value::queue::{self, List};
use crate::walk::{Problem, Problems};

/// An IP address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address of its struct ifaddr.
    pub address: VirtAddr,
    /// The IP address.
    pub ip: ZonedIp,
    /// The network's mask; `None` if it has none.
    pub mask: Option<Netmask>,
    /// The other end of a point-to-point link, or the network's broadcast address.
    pub other: Option<ZonedIp>,
    /// Of an IPv6 address, as ifconfig(8) names them: `tentative`.
    pub flags: Vec<&'static str>,
    /// The number of the virtual host that it belongs to (carp).
    pub vhid: Option<u64>,
}

/// All addresses of an interface.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// IP addresses, in order.
    pub ip: Vec<InterfaceAddress>,
    /// The link-level address; `None` if it has none.
    pub hardware: Option<String>,
    /// What could not be read.
    pub problems: Problems,
}

/// IN6_IFF_ flags, as ifconfig(8) names them (`sys/netinet6/in6_var.h`, 9.3 to main).
const INET6_FLAGS: [(u64, &str); 9] = [
    (0x1, "anycast"),
    (0x2, "tentative"),
    (0x4, "duplicated"),
    (0x8, "detached"),
    (0x10, "deprecated"),
    (0x20, "no_dad"),
    (0x40, "autoconf"),
    (0x80, "temporary"),
    (0x100, "prefer_source"),
];

impl Addresses {
    /// Walks the list of `interface`, which messages call `name`.
    pub fn read(interface: &Object<'_>, name: &str) -> Self {
        let mut all = Self::default();
        let what = format!("if_addrhead of {name}");
        let list = List { name: &what, element: "ifaddr" };
        let head = match interface.member("if_addrhead") {
            Ok(head) => head,
            Err(why) => {
                all.problems.add(Problem::unreadable(what, why));
                return all;
            }
        };
        for ifaddr in queue::walk(head, "ifa_link", list).take(&mut all.problems) {
            if let Err(why) = all.add(&ifaddr) {
                all.problems.add(list.element(ifaddr.address, why));
            }
        }
        all
    }

    fn add(&mut self, ifaddr: &Object<'_>) -> Result<(), ReadError> {
        match sockaddr(ifaddr, "ifa_addr")? {
            Some(Sockaddr::Inet { ip, .. }) => self.ip.push(inet(ifaddr, ip)?),
            Some(Sockaddr::Link(link)) if self.hardware.is_none() && !link.hardware.is_empty() => {
                self.hardware = Some(hardware_text(&link.hardware));
            }
            _ => {}
        }
        Ok(())
    }
}

fn inet(ifaddr: &Object<'_>, ip: ZonedIp) -> Result<InterfaceAddress, ReadError> {
    let other = match sockaddr(ifaddr, "ifa_dstaddr")? {
        Some(Sockaddr::Inet { ip, .. }) if !ip.ip.is_unspecified() => Some(ip),
        _ => None,
    };
    let mask = ifaddr.pointer("ifa_netmask")?.non_null();
    let family = if ip.ip.is_ipv4() { AF_INET } else { AF_INET6 };
    let mask = match mask {
        Some(at) => Netmask::of_sockaddr(&Sockaddr::bytes(ifaddr.target().memory(), at)?, family),
        None => None,
    };
    Ok(InterfaceAddress {
        address: ifaddr.address,
        ip,
        mask,
        other,
        flags: if ip.ip.is_ipv6() { inet6_flags(ifaddr)? } else { Vec::new() },
        vhid: vhid(ifaddr),
    })
}

fn sockaddr(ifaddr: &Object<'_>, member: &str) -> Result<Option<Sockaddr>, ReadError> {
    let Some(at) = ifaddr.pointer(member)?.non_null() else { return Ok(None) };
    let target = ifaddr.target();
    Ok(Sockaddr::read(target.memory(), target.arch().endian(), at)?)
}

/// An IPv6 address's ifaddr begins its in6_ifaddr.
fn inet6_flags(ifaddr: &Object<'_>) -> Result<Vec<&'static str>, ReadError> {
    let target = ifaddr.target();
    let whole = Object::new(target, in6_ifaddr(target)?, ifaddr.address);
    let flags = whole.uint("ia6_flags")?;
    Ok(INET6_FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect())
}

fn in6_ifaddr(target: &Target) -> Result<TypeId, ReadError> {
    Ok(target.types()?.find("struct in6_ifaddr")?)
}

/// Older kernels have interfaces of their own for carp, and no such member.
fn vhid(ifaddr: &Object<'_>) -> Option<u64> {
    ifaddr.follow("ifa_carp").ok()??.uint("sc_vhid").ok()
}

impl InterfaceAddress {
    /// The address and the length of its prefix, with the name that `zone` knows of its zone:
    /// `172.16.0.2/24`, `fe80::1%epair0b/64`.
    #[must_use]
    pub fn text(&self, zone: impl FnOnce(u32) -> Option<String>) -> String {
        let ip = self.ip.text(zone);
        match &self.mask {
            Some(mask) => format!("{ip}{mask}"),
            None => ip,
        }
    }
}
