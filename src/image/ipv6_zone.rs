//! Zones of IPv6 addresses, in text and in the kernel.
//!
//! `sys/netinet6/scope6.c`, in6_setscope and sa6_embedscope. Within the kernel, the second 16 bits
//! of
//! a link-local address (fe80::/10, ff02::, and interface-local ff01::) are its zone, which is an
//! interface's number, and sin6_scope_id is 0. Addresses of other scopes have their zone only in
//! sin6_scope_id.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// An address with or without a zone and a port: `10.0.0.1`, `10.0.0.1:80`, `fe80::1%3`, `[fe80::1%3]:80`.
pub(super) fn socket_address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    if let Some((address, zone)) = text.split_once('%')
        && let (Ok(address), Ok(zone)) = (address.parse(), zone.parse())
    {
        return Some(SocketAddrV6::new(address, 0, 0, zone).into());
    }
    text.parse().ok()
}

/// The bytes of the address in kernel memory, and its sin6_scope_id. `None` if its zone belongs in
/// the address but has more than 16 bits.
pub(super) fn in_kernel(address: SocketAddrV6) -> Option<([u8; 16], u32)> {
    let zone = address.scope_id();
    match zone != 0 && is_link_local(*address.ip()) {
        true => Some((with_zone(*address.ip(), u16::try_from(zone).ok()?), 0)),
        false => Some((address.ip().octets(), zone)),
    }
}

/// The bytes of a link-local address in this zone.
pub(super) fn with_zone(address: Ipv6Addr, zone: u16) -> [u8; 16] {
    let mut octets = address.octets();
    let [.., high, low] = &mut octets[..4] else { return octets };
    [*high, *low] = zone.to_be_bytes();
    octets
}

/// Does the kernel store the zone of this address in the address?
pub(super) fn is_link_local(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.octets();
    match first {
        0xfe => second & 0xc0 == 0x80,
        // The lower half of the second byte is the scope: interface-local or link-local.
        0xff => matches!(second & 0xf, 1 | 2),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_have_zones_and_ports() {
        let told = |text| socket_address(text).map(|address| (address.ip(), address.port()));
        assert_eq!(told("::1"), Some((Ipv6Addr::LOCALHOST.into(), 0)));
        assert_eq!(told("127.0.0.1:80"), Some((IpAddr::from([127, 0, 0, 1]), 80)));
        for text in ["300.0.0.1", "fe80::1%", "fe80::1%em0", "%3", "10.0.0.1%3"] {
            assert_eq!(told(text), None, "{text}");
        }
        let zone = |text| match socket_address(text) {
            Some(SocketAddr::V6(address)) => (address.scope_id(), address.port()),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!((zone("fe80::1%3"), zone("[ff02::5%7]:53")), ((3, 0), (7, 53)));
    }

    #[test]
    fn the_zone_of_a_link_local_address_is_in_it() {
        let kernel = |text: &str| match socket_address(text) {
            Some(SocketAddr::V6(address)) => {
                in_kernel(address).map(|(octets, id)| (octets.into(), id))
            }
            other => panic!("{text}: {other:?}"),
        };
        for (text, octets, scope_id) in [
            ("fe80::1%3", "fe80:3::1", 0),
            ("febf::1%258", "febf:102::1", 0),
            ("ff02::1:ff00:1%2", "ff02:2::1:ff00:1", 0),
            ("ff11::1%2", "ff11:2::1", 0),
            ("ff05::2%2", "ff05::2", 2),
            ("2001:db8::53%2", "2001:db8::53", 2),
            ("fec0::1%2", "fec0::1", 2),
            ("fe80::1", "fe80::1", 0),
        ] {
            assert_eq!(
                kernel(text),
                Some((octets.parse::<Ipv6Addr>().unwrap(), scope_id)),
                "{text}"
            );
        }
        assert_eq!(kernel("fe80::1%65536"), None);
    }
}
