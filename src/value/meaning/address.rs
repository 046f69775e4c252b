//! Network addresses as network people write them.

use std::net::Ipv4Addr;

use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::target::Target;
use crate::value::inet::{Sockaddr, ZonedIp, hardware_text};

/// A struct that is an address and nothing else, as a number: its bytes in their order,
/// the first the most significant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// `struct in_addr`
    Inet,
    /// `struct in6_addr`
    Inet6,
    /// `struct ether_addr`
    Ether,
}

/// The address that a struct sockaddr's bytes hold, as text.
///
/// The layouts are those of `sys/netinet/in.h`, `sys/netinet6/in6.h` and `sys/net/if_dl.h`, the
/// same in all releases.
pub fn of_sockaddr(bytes: &[u8], target: &Target) -> Option<String> {
    Some(Sockaddr::parse(bytes, target.arch().endian())?.to_string())
}

/// The same of a plain `struct sockaddr`. It stands for a longer struct of the family that it
/// names, so it is read from memory.
pub fn of_header(target: &Target, address: VirtAddr) -> Option<String> {
    let found = Sockaddr::read(target.memory(), target.arch().endian(), address).ok()?;
    Some(found?.to_string())
}

impl Address {
    /// The number that is the address with these bytes.
    pub fn number(self, bytes: &[u8]) -> Option<i128> {
        Some(Endian::Big.uint(bytes.get(..self.size())?) as i128)
    }

    fn size(self) -> usize {
        match self {
            Self::Inet => 4,
            Self::Inet6 => 16,
            Self::Ether => 6,
        }
    }

    /// The address as text, from its number.
    pub fn text(self, number: u128) -> String {
        match self {
            Self::Inet => Ipv4Addr::from(number as u32).to_string(),
            Self::Inet6 => ZonedIp::v6(number.to_be_bytes(), 0).to_string(),
            Self::Ether => {
                let [.., a, b, c, d, e, f] = number.to_be_bytes();
                hardware_text(&[a, b, c, d, e, f])
            }
        }
    }
}
