//! Placeholders: a number for each thing of a kind, in the order in which they come.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustc_hash::FxHashMap;

/// All that was replaced so far.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    ip4: Numbers<Ipv4Addr>,
    ip6: Numbers<Ipv6Addr>,
    links: Numbers<Box<str>>,
    ports: Numbers<u16>,
    names: FxHashMap<&'static str, Numbers<Box<str>>>,
}

#[derive(Debug)]
struct Numbers<T>(FxHashMap<T, usize>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<T: Hash + Eq> Numbers<T> {
    /// Its number, from 1.
    fn of(&mut self, thing: T) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(thing).or_insert(next)
    }
}

impl Placeholders {
    /// Addresses that every machine has stay.
    pub fn ip(&mut self, address: IpAddr) -> String {
        match address {
            IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() || is_mask(ip) => {
                ip.to_string()
            }
            IpAddr::V6(ip) if ip.is_loopback() || ip.is_unspecified() => ip.to_string(),
            IpAddr::V4(ip) => format!("<ip4-{}>", self.ip4.of(ip)),
            IpAddr::V6(ip) => format!("<ip6-{}>", self.ip6.of(ip)),
        }
    }

    /// A link-level address, as text.
    pub fn link(&mut self, address: &str) -> String {
        let is_one = |digits: &str| digits.trim_start_matches('0').is_empty();
        if address.split(':').all(is_one) || address.split(':').all(|it| it == "ff") {
            return address.to_owned();
        }
        format!("<mac-{}>", self.links.of(address.to_ascii_lowercase().into()))
    }

    pub fn port(&mut self, port: u16) -> String {
        if port == 0 { "0".to_owned() } else { format!("<port-{}>", self.ports.of(port)) }
    }

    /// A name of this kind.
    pub fn name(&mut self, kind: &'static str, name: &str) -> String {
        format!("<{kind}-{}>", self.names.entry(kind).or_default().of(name.into()))
    }
}

/// A mask of a network: ones, then zeros.
fn is_mask(ip: Ipv4Addr) -> bool {
    let bits = ip.to_bits();
    bits >> 24 == 0xff && bits.leading_ones() + bits.trailing_zeros() >= 32
}
