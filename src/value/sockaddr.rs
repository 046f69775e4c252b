//! Network addresses as network people write them, beside the numbers.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::addr::VirtAddr;
use crate::bytes::{Endian, Fields};
use crate::target::Target;
use crate::value::model::Value;

const AF_INET: u8 = 2;
const AF_LINK: u8 = 18;
const AF_INET6: u8 = 28;

/// A struct that is an address and nothing else, as a number: its bytes in their order,
/// the first the most significant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// `struct in_addr`
    Inet,
    /// `struct in6_addr`
    Inet6,
}

/// A struct that holds a network address.
///
/// The layouts are those of `sys/netinet/in.h`, `sys/netinet6/in6.h` and
/// `sys/net/if_dl.h`, the same in all releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    Address(Address),
    /// `struct sockaddr_in` and its like.
    Sockaddr,
    /// A plain `struct sockaddr` stands for a longer struct of the family it names; the
    /// rest is read from memory.
    Header,
}

impl Noted {
    /// The struct of that name, if it is an address.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "in_addr" => Some(Self::Address(Address::Inet)),
            "in6_addr" => Some(Self::Address(Address::Inet6)),
            "sockaddr_in" | "sockaddr_in6" | "sockaddr_dl" | "sockaddr_storage" => {
                Some(Self::Sockaddr)
            }
            "sockaddr" => Some(Self::Header),
            _ => None,
        }
    }

    /// The address that such a struct's bytes hold, as text or as the number of an
    /// [`Address`].
    pub fn note(self, bytes: &[u8], target: &Target, address: VirtAddr) -> Option<Value> {
        let endian = target.arch().endian();
        let text = match self {
            Self::Address(kind) => {
                let number = Endian::Big.uint(bytes.get(..kind.size())?);
                return Some(Value::Int(number as i128));
            }
            Self::Sockaddr => family(bytes, endian),
            Self::Header => {
                let mut longer = vec![0; usize::from(*bytes.first()?)];
                target.memory().read(address, &mut longer).ok()?;
                family(&longer, endian)
            }
        };
        Some(Value::Text(text?.into()))
    }
}

impl Address {
    fn size(self) -> usize {
        match self {
            Self::Inet => 4,
            Self::Inet6 => 16,
        }
    }

    /// The address as text, from its number.
    pub fn text(self, number: u128) -> String {
        match self {
            Self::Inet => Ipv4Addr::from(number as u32).to_string(),
            Self::Inet6 => inet6(Ipv6Addr::from(number), 0),
        }
    }
}

fn family(bytes: &[u8], endian: Endian) -> Option<String> {
    // sa_len may be cut short in keys of the routing table; 0 is an empty one.
    let len = usize::from(*bytes.first()?).min(bytes.len());
    match *bytes.get(1)? {
        AF_INET if len >= 8 => with_port(inet(bytes.get(4..8)?)?, Fields::big(bytes).u16(2)?),
        AF_INET6 if len >= 24 => {
            let scope = Fields::new(bytes, endian).u32(24).unwrap_or(0);
            let address = <[u8; 16]>::try_from(bytes.get(8..24)?).ok()?;
            let text = inet6(address.into(), scope);
            let port = Fields::big(bytes).u16(2)?;
            if port == 0 { Some(text) } else { Some(format!("[{text}]:{port}")) }
        }
        AF_LINK if len >= 8 => link(bytes, endian),
        _ => None,
    }
}

fn with_port(text: String, port: u16) -> Option<String> {
    Some(if port == 0 { text } else { format!("{text}:{port}") })
}

fn inet(bytes: &[u8]) -> Option<String> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string())
}

/// An IPv6 address with its zone: the one that is in it, else `scope`, a sin6_scope_id.
///
/// The kernel keeps the zone of a link-local address in its second 16 bits, and sin6_scope_id is
/// 0 then; only on the way to userland does the zone move there (`sys/netinet6/scope6.c`,
/// in6_setscope and sa6_recoverscope, all releases with IPv6).
fn inet6(address: Ipv6Addr, scope: u32) -> String {
    let mut segments = address.segments();
    let mut zone = scope;
    if has_zone_inside(segments[0]) && segments[1] != 0 {
        zone = u32::from(std::mem::take(&mut segments[1]));
    }
    let address = Ipv6Addr::from(segments);
    if zone == 0 { address.to_string() } else { format!("{address}%{zone}") }
}

/// Link-local addresses, fe80::/10, and multicast ones whose scope is an interface (1) or a link
/// (2).
fn has_zone_inside(first: u16) -> bool {
    first & 0xffc0 == 0xfe80 || matches!(first & 0xff0f, 0xff01 | 0xff02)
}

/// sdl_nlen bytes of interface name, then sdl_alen bytes of hardware address.
fn link(bytes: &[u8], endian: Endian) -> Option<String> {
    let index = Fields::new(bytes, endian).u16(2)?;
    let (name_len, addr_len) = (usize::from(bytes[5]), usize::from(bytes[6]));
    let name = bytes.get(8..8 + name_len)?;
    let hardware = bytes.get(8 + name_len..8 + name_len + addr_len)?;
    let hardware: Vec<String> = hardware.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = String::from_utf8_lossy(name);
    let parts = [name.into_owned(), hardware.join(":")];
    let text = parts.iter().filter(|part| !part.is_empty()).map(String::as_str);
    let text = text.collect::<Vec<_>>().join(" ");
    Some(if text.is_empty() { format!("link#{index}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_families() {
        let inet = [16, 2, 0, 22, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(family(&inet, Endian::Little).as_deref(), Some("10.0.0.1:22"));
        let mut inet6 = [0u8; 28];
        inet6[..2].copy_from_slice(&[28, 28]);
        inet6[8..10].copy_from_slice(&[0xfe, 0x80]);
        inet6[23] = 1;
        inet6[24] = 3;
        assert_eq!(family(&inet6, Endian::Little).as_deref(), Some("fe80::1%3"));
        // As the kernel has it: the zone in the address, sin6_scope_id 0.
        inet6[10..12].copy_from_slice(&[0, 7]);
        assert_eq!(family(&inet6, Endian::Little).as_deref(), Some("fe80::1%7"));
        inet6[24] = 0;
        inet6[2..4].copy_from_slice(&[0, 53]);
        assert_eq!(family(&inet6, Endian::Little).as_deref(), Some("[fe80::1%7]:53"));
        let mut dl = [0u8; 54];
        dl[..8].copy_from_slice(&[54, 18, 4, 0, 6, 4, 6, 0]);
        dl[8..18].copy_from_slice(b"eth0\x02\x00\x00\x00\x00\x0a");
        assert_eq!(family(&dl, Endian::Little).as_deref(), Some("eth0 02:00:00:00:00:0a"));
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
            assert_eq!(super::inet6(kept.parse().unwrap(), 0), told);
        }
    }

    #[test]
    fn short_and_strange_ones_have_no_note() {
        assert_eq!(family(&[], Endian::Little), None);
        assert_eq!(family(&[4, 2, 0, 0], Endian::Little), None);
        assert_eq!(family(&[8, 18, 0, 0, 0, 255, 255, 0], Endian::Little), None);
        assert_eq!(family(&[16, 77, 0, 0, 0, 0], Endian::Little), None);
    }
}
