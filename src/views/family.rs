//! The two families of internet addresses.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::value::inet::{AF_INET, AF_INET6};

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// Both, in the kernel's order.
    pub const ALL: [Self; 2] = [Self::Inet, Self::Inet6];

    /// Its number in the kernel (AF_INET, AF_INET6; `sys/sys/socket.h`).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Inet => AF_INET,
            Self::Inet6 => AF_INET6,
        }
    }

    /// Its name for ifconfig(8): `inet`, `inet6`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Inet6 => "inet6",
        }
    }

    /// The heading that netstat(1) gives it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Inet => "Internet",
            Self::Inet6 => "Internet6",
        }
    }

    /// The family of an address.
    #[must_use]
    pub const fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Inet,
            IpAddr::V6(_) => Self::Inet6,
        }
    }

    /// The family of that number.
    #[must_use]
    pub fn of(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|family| u64::from(family.number()) == number)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
