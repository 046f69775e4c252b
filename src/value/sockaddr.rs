//! Network addresses as network people write them, beside the numbers.

use std::net::Ipv4Addr;

use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::target::Target;
use crate::value::inet::{Sockaddr, ZonedIp};
use crate::value::model::Value;

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
            Self::Sockaddr => Sockaddr::parse(bytes, endian),
            Self::Header => Sockaddr::read(target.memory(), endian, address).ok()?,
        };
        Some(Value::Text(text?.to_string().into()))
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
            Self::Inet6 => ZonedIp::v6(number.to_be_bytes(), 0).to_string(),
        }
    }
}
