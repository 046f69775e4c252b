//! What a route is to: its key and its mask (`sys/net/radix.c`, `sys/net/route.h`).

use std::net::{IpAddr, Ipv4Addr};

use crate::value::Object;
use crate::value::inet::{Netmask, Sockaddr, ZonedIp};
use crate::value::model::ValueError;
use crate::views::family::Family;

/// What a route is to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The address, or the first of a network.
    pub ip: ZonedIp,
    /// The name of the zone's interface, if it has one.
    pub zone: Option<Box<str>>,
    /// `None` is a host.
    pub mask: Option<Netmask>,
}

const KEY: &str = "rn_u.rn_leaf.rn_Key";
const MASK: &str = "rn_u.rn_leaf.rn_Mask";

impl Destination {
    /// The key and mask of `leaf`. `zone` names interfaces by their index.
    pub(super) fn read(
        leaf: &Object<'_>,
        family: Family,
        zone: impl FnOnce(u32) -> Option<String>,
    ) -> Result<Self, ValueError> {
        let memory = leaf.target().memory();
        let key = Sockaddr::bytes(memory, leaf.pointer(KEY)?)?;
        let mask = leaf.pointer(MASK)?.non_null();
        let mask = mask.map(|mask| Sockaddr::bytes(memory, mask)).transpose()?;
        // A short key or mask goes on with zeros.
        let at = |index: usize| key.get(index).copied().unwrap_or(0);
        let ip = match family {
            Family::Inet => ZonedIp::v4(std::array::from_fn(|byte| at(4 + byte))),
            Family::Inet6 => ZonedIp::v6(std::array::from_fn(|byte| at(8 + byte)), 0),
        };
        let mask = mask.and_then(|mask| Netmask::of_sockaddr(&mask, family.number()));
        let zone = (ip.zone != 0).then(|| zone(ip.zone)).flatten().map(Box::from);
        Ok(Self { ip, zone, mask })
    }

    /// As netstat(1) writes it: `default`, `10.0.0.0/24`, `fe80::%lo0/64`, `10.0.0.1`.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.mask {
            Some(Netmask::Prefix(0)) if self.ip.ip.is_unspecified() => "default".to_owned(),
            Some(mask) => format!("{}{mask}", self.address()),
            None => self.address(),
        }
    }

    /// The network with its number of bits: `0.0.0.0/0`, `10.0.0.1/32`. `None` if the mask has
    /// holes.
    #[must_use]
    pub fn prefix(&self) -> Option<String> {
        let bits = match (&self.mask, self.ip.ip) {
            (Some(Netmask::Prefix(bits)), _) => *bits,
            (Some(Netmask::Holes(_)), _) => return None,
            (None, IpAddr::V4(_)) => 32,
            (None, IpAddr::V6(_)) => 128,
        };
        Some(format!("{}/{bits}", self.address()))
    }

    /// How many bits of an address it compares, if `address` belongs to it. An address without a
    /// zone belongs to networks of every zone.
    #[must_use]
    pub fn covers(&self, address: IpAddr) -> Option<u32> {
        let (own, other, width) = match (self.ip.ip, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (v4(own), v4(other), 32_u32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (u128::from(own), u128::from(other), 128),
            _ => return None,
        };
        let all = u128::MAX >> (128 - width);
        let mask = match &self.mask {
            None => all,
            Some(Netmask::Prefix(bits)) => {
                let rest = width.checked_sub(u32::from(*bits))?;
                all.checked_shr(rest).unwrap_or(0).checked_shl(rest).unwrap_or(0)
            }
            Some(Netmask::Holes(bytes)) => {
                bytes.iter().fold(0, |mask, byte| mask << 8 | u128::from(*byte))
            }
        };
        (own & mask == other & mask).then(|| mask.count_ones())
    }

    fn address(&self) -> String {
        self.ip.text(|_| self.zone.as_deref().map(str::to_owned))
    }
}

fn v4(address: Ipv4Addr) -> u128 {
    u32::from(address).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(ip: &str, mask: Option<Netmask>) -> Destination {
        let ip = match ip.parse().unwrap() {
            IpAddr::V4(ip) => ZonedIp::v4(ip.octets()),
            IpAddr::V6(ip) => ZonedIp::v6(ip.octets(), 0),
        };
        Destination { zone: (ip.zone != 0).then(|| "lo0".into()), ip, mask }
    }

    #[test]
    fn destinations_are_written_as_netstat_does() {
        let holes = || Some(Netmask::of_bytes(vec![0xff, 0, 0xff, 0]));
        for (ip, mask, text, prefix) in [
            ("0.0.0.0", Some(Netmask::Prefix(0)), "default", Some("0.0.0.0/0")),
            ("0.0.0.0", Some(Netmask::Prefix(8)), "0.0.0.0/8", Some("0.0.0.0/8")),
            ("10.1.0.0", Some(Netmask::Prefix(16)), "10.1.0.0/16", Some("10.1.0.0/16")),
            ("10.1.0.1", None, "10.1.0.1", Some("10.1.0.1/32")),
            ("10.0.1.0", holes(), "10.0.1.0&0xff00ff00", None),
            ("fe80:1::", Some(Netmask::Prefix(64)), "fe80::%lo0/64", Some("fe80::%lo0/64")),
            ("::", Some(Netmask::Prefix(0)), "default", Some("::/0")),
            ("::1", None, "::1", Some("::1/128")),
        ] {
            let destination = to(ip, mask);
            assert_eq!(destination.text(), text);
            assert_eq!(destination.prefix().as_deref(), prefix);
        }
    }

    #[test]
    fn the_longest_mask_covers_best() {
        let address: IpAddr = "10.1.2.3".parse().unwrap();
        let covers = |ip, mask| to(ip, mask).covers(address);
        assert_eq!(covers("0.0.0.0", Some(Netmask::Prefix(0))), Some(0));
        assert_eq!(covers("10.1.0.0", Some(Netmask::Prefix(16))), Some(16));
        assert_eq!(covers("10.2.0.0", Some(Netmask::Prefix(16))), None);
        assert_eq!(covers("10.1.2.3", None), Some(32));
        assert_eq!(covers("10.0.2.0", Some(Netmask::of_bytes(vec![255, 0, 255, 0]))), Some(16));
        assert_eq!(covers("::", Some(Netmask::Prefix(0))), None);
        assert_eq!(covers("10.0.0.0", Some(Netmask::Prefix(200))), None);
        let six = to("fe80:1::", Some(Netmask::Prefix(64)));
        assert_eq!(six.covers("fe80::1".parse().unwrap()), Some(64));
    }
}
