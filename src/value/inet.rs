//! IP addresses, masks and socket addresses as the kernel keeps them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::VirtAddr;
use crate::bytes::{Endian, Fields};
use crate::fault::Fault;
use crate::memory::KernelMemory;

/// The family of IPv4 (`sys/sys/socket.h`).
pub const AF_INET: u8 = 2;
/// The family of link-level addresses.
pub const AF_LINK: u8 = 18;
/// The family of IPv6.
pub const AF_INET6: u8 = 28;

/// An IPv4 or IPv6 address, and the zone that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZonedIp {
    /// The address without its zone.
    pub ip: IpAddr,
    /// The index of the interface of a link-local address, or a sin6_scope_id; 0 if it has none.
    pub zone: u32,
}

/// A socket address (`struct sockaddr` and its longer forms).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sockaddr {
    /// An IP address and a port, which is 0 where ports mean nothing.
    Inet {
        /// The address.
        ip: ZonedIp,
        /// The port.
        port: u16,
    },
    /// A link-level address.
    Link(LinkAddr),
}

/// A link-level address (`struct sockaddr_dl`, `sys/net/if_dl.h`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkAddr {
    /// The index of its interface.
    pub index: u16,
    /// The interface's type (IFT_ETHER is 6).
    pub kind: u8,
    /// The name of the interface; empty in short forms.
    pub name: String,
    /// The hardware address; empty if it has none.
    pub hardware: Vec<u8>,
}

/// The mask of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Netmask {
    /// So many leading bits.
    Prefix(u8),
    /// A mask with holes; 4 or 16 bytes.
    Holes(Vec<u8>),
}

impl ZonedIp {
    /// An IPv4 address from its bytes in memory.
    #[must_use]
    pub fn v4(bytes: [u8; 4]) -> Self {
        Self { ip: Ipv4Addr::from(bytes).into(), zone: 0 }
    }

    /// An IPv6 address from its bytes in memory and its sin6_scope_id, 0 if it has none.
    ///
    /// The kernel keeps the zone of a link-local address in its second 16 bits, and sin6_scope_id
    /// is 0 then; only on the way to userland does the zone move there
    /// (`sys/netinet6/scope6.c`, in6_setscope and sa6_recoverscope, all releases with IPv6).
    #[must_use]
    pub fn v6(bytes: [u8; 16], scope: u32) -> Self {
        let mut segments = Ipv6Addr::from(bytes).segments();
        let mut zone = scope;
        if has_zone_inside(segments[0]) && segments[1] != 0 {
            zone = u32::from(std::mem::take(&mut segments[1]));
        }
        Self { ip: Ipv6Addr::from(segments).into(), zone }
    }

    /// The address as people write it, with the name that `name` knows of its zone, or its
    /// number.
    #[must_use]
    pub fn text(&self, name: impl FnOnce(u32) -> Option<String>) -> String {
        match self.zone {
            0 => self.ip.to_string(),
            zone => match name(zone) {
                Some(name) => format!("{}%{name}", self.ip),
                None => self.to_string(),
            },
        }
    }
}

impl fmt::Display for ZonedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zone {
            0 => self.ip.fmt(f),
            zone => write!(f, "{}%{zone}", self.ip),
        }
    }
}

/// Link-local addresses, fe80::/10, and multicast ones whose scope is an interface (1) or a link
/// (2).
fn has_zone_inside(first: u16) -> bool {
    first & 0xffc0 == 0xfe80 || matches!(first & 0xff0f, 0xff01 | 0xff02)
}

impl Sockaddr {
    /// The socket address at `at`, as long as its sa_len says; `None` if it is of another family,
    /// or too short.
    ///
    /// # Errors
    /// Its memory cannot be read.
    pub fn read(
        memory: &KernelMemory,
        endian: Endian,
        at: VirtAddr,
    ) -> Result<Option<Self>, Fault> {
        Ok(Self::parse(&Self::bytes(memory, at)?, endian))
    }

    /// The bytes of the socket address at `at`, as many as its sa_len says.
    ///
    /// # Errors
    /// Its memory cannot be read.
    pub fn bytes(memory: &KernelMemory, at: VirtAddr) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; usize::from(memory.u8(at)?)];
        memory.read(at, &mut bytes)?;
        Ok(bytes)
    }

    /// A socket address from its bytes, sa_len first; `None` if it is of another family, or too
    /// short.
    #[must_use]
    pub fn parse(bytes: &[u8], endian: Endian) -> Option<Self> {
        // sa_len may be cut short in keys of the routing table; 0 is an empty one.
        let len = usize::from(*bytes.first()?).min(bytes.len());
        let port = || Fields::big(bytes).u16(2);
        match *bytes.get(1)? {
            AF_INET if len >= 8 => {
                let ip = ZonedIp::v4(bytes.get(4..8)?.try_into().ok()?);
                Some(Self::Inet { ip, port: port()? })
            }
            AF_INET6 if len >= 24 => {
                let scope = Fields::new(bytes, endian).u32(24).unwrap_or(0);
                let ip = ZonedIp::v6(bytes.get(8..24)?.try_into().ok()?, scope);
                Some(Self::Inet { ip, port: port()? })
            }
            AF_LINK if len >= 8 => LinkAddr::parse(bytes, endian).map(Self::Link),
            _ => None,
        }
    }
}

impl LinkAddr {
    /// sdl_nlen bytes of interface name, then sdl_alen bytes of hardware address.
    fn parse(bytes: &[u8], endian: Endian) -> Option<Self> {
        let index = Fields::new(bytes, endian).u16(2)?;
        let (name_len, hardware_len) = (usize::from(*bytes.get(5)?), usize::from(*bytes.get(6)?));
        let name = bytes.get(8..8 + name_len)?;
        let hardware = bytes.get(8 + name_len..8 + name_len + hardware_len)?;
        Some(Self {
            index,
            kind: *bytes.get(4)?,
            name: String::from_utf8_lossy(name).into_owned(),
            hardware: hardware.to_vec(),
        })
    }
}

/// A port is added unless it is 0.
impl fmt::Display for Sockaddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { ip, port: 0 } => ip.fmt(f),
            Self::Inet { ip: ip @ ZonedIp { ip: IpAddr::V4(_), .. }, port } => {
                write!(f, "{ip}:{port}")
            }
            Self::Inet { ip, port } => write!(f, "[{ip}]:{port}"),
            Self::Link(link) => link.fmt(f),
        }
    }
}

/// Its name and hardware address, or `link#` and the index if it has neither.
impl fmt::Display for LinkAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.name, &*self.hardware) {
            ("", []) => write!(f, "link#{}", self.index),
            (name, []) => f.write_str(name),
            ("", hardware) => f.write_str(&hardware_text(hardware)),
            (name, hardware) => write!(f, "{name} {}", hardware_text(hardware)),
        }
    }
}

/// A hardware address as ifconfig(8) writes it: `02:00:00:00:00:0a`.
#[must_use]
pub fn hardware_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

impl Netmask {
    /// The mask in a socket address of `family`, from its bytes as far as its sa_len says.
    ///
    /// The kernel cuts trailing zeros off: a /24 has a length of 7. The bytes
    /// before the address have no meaning, those of masks in the routing table are all ones, the
    /// family too (`sys/net/radix.c`, all releases).
    /// `None` if it is another family.
    #[must_use]
    pub fn of_sockaddr(bytes: &[u8], family: u8) -> Option<Self> {
        let (offset, size) = match family {
            AF_INET => (4, 4),
            AF_INET6 => (8, 16),
            _ => return None,
        };
        let mut mask: Vec<u8> = bytes.iter().skip(offset).take(size).copied().collect();
        mask.resize(size, 0);
        Some(Self::of_bytes(mask))
    }

    /// The mask of these 4 or 16 bytes.
    #[must_use]
    pub fn of_bytes(mask: Vec<u8>) -> Self {
        let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
        let mut leading = 0;
        for byte in &mask {
            leading += byte.leading_ones();
            if *byte != 0xff {
                break;
            }
        }
        match u8::try_from(ones) {
            Ok(prefix) if ones == leading => Self::Prefix(prefix),
            _ => Self::Holes(mask),
        }
    }
}

/// What follows the address: `/24`, or `&0xff00ff00` for a mask with holes, as netstat(1) writes it.
impl fmt::Display for Netmask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "/{prefix}"),
            Self::Holes(mask) => {
                f.write_str("&0x")?;
                mask.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        Sockaddr::parse(bytes, Endian::Little).map(|address| address.to_string())
    }

    #[test]
    fn addresses_of_all_families() {
        let inet = [16, 2, 0, 22, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(text(&inet).as_deref(), Some("10.0.0.1:22"));
        let mut inet6 = [0u8; 28];
        inet6[..2].copy_from_slice(&[28, 28]);
        inet6[8..10].copy_from_slice(&[0xfe, 0x80]);
        inet6[23] = 1;
        inet6[24] = 3;
        assert_eq!(text(&inet6).as_deref(), Some("fe80::1%3"));
        // As the kernel has it: the zone in the address, sin6_scope_id 0.
        inet6[10..12].copy_from_slice(&[0, 7]);
        assert_eq!(text(&inet6).as_deref(), Some("fe80::1%7"));
        inet6[24] = 0;
        inet6[2..4].copy_from_slice(&[0, 53]);
        assert_eq!(text(&inet6).as_deref(), Some("[fe80::1%7]:53"));
        let mut dl = [0u8; 54];
        dl[..8].copy_from_slice(&[54, 18, 4, 0, 6, 4, 6, 0]);
        dl[8..18].copy_from_slice(b"eth0\x02\x00\x00\x00\x00\x0a");
        assert_eq!(text(&dl).as_deref(), Some("eth0 02:00:00:00:00:0a"));
    }

    #[test]
    fn only_addresses_of_a_link_have_their_zone_in_them() {
        for (kept, told) in [
            ("fe80:3::1", "fe80::1%3"),
            ("febf:ffff::1", "febf::1%65535"),
            ("fe80::1", "fe80::1"),
            ("ff02:2::1:ff00:1", "ff02::1:ff00:1%2"),
            ("ff31:4::9", "ff31::9%4"),
            ("ff05:3::1", "ff05:3::1"),
            ("fec0:3::1", "fec0:3::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            let address: Ipv6Addr = kept.parse().unwrap();
            assert_eq!(ZonedIp::v6(address.octets(), 0).to_string(), told);
        }
        let address = ZonedIp::v6("fe80:3::1".parse::<Ipv6Addr>().unwrap().octets(), 0);
        assert_eq!(address.text(|index| Some(format!("em{index}"))), "fe80::1%em3");
    }

    #[test]
    fn short_and_strange_ones_are_no_addresses() {
        assert_eq!(text(&[]), None);
        assert_eq!(text(&[4, 2, 0, 0]), None);
        assert_eq!(text(&[8, 18, 0, 0, 0, 255, 255, 0]), None);
        assert_eq!(text(&[16, 77, 0, 0, 0, 0]), None);
    }

    #[test]
    fn masks_are_cut_short_and_may_have_holes() {
        let mask = |bytes: &[u8], family| Netmask::of_sockaddr(bytes, family).unwrap().to_string();
        assert_eq!(mask(&[7, 2, 0, 0, 0xff, 0xff, 0xff], AF_INET), "/24");
        assert_eq!(mask(&[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0], AF_INET), "/26");
        assert_eq!(mask(&[0], AF_INET), "/0");
        assert_eq!(mask(&[7, 2, 0, 0, 0xff, 0, 0xff], AF_INET), "&0xff00ff00");
        let mut long = vec![0xff; 16];
        long[0] = 16;
        assert_eq!(mask(&long, AF_INET6), "/64");
        assert_eq!(Netmask::of_sockaddr(&[7, 2], AF_LINK), None);
    }
}
