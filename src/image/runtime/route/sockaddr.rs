//! Networks, and socket addresses as routing tables keep them (`sys/netinet/in.h`,
//! `sys/netinet6/in6.h`, `sys/net/if_dl.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::ipv6_zone;
use crate::image::machine::Machine;

pub const AF_INET: u64 = 2;
pub const AF_INET6: u64 = 28;

/// What a route is to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// 4 or 16 bytes; `None` is a host.
    mask: Option<Vec<u8>>,
}

impl Network {
    /// A network of so many bits, or a host if that are all.
    pub fn new(address: IpAddr, bits: u32) -> Self {
        match (address, bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => Self::host(address),
            (IpAddr::V4(_), bits) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
                Self::masked(address, mask.to_be_bytes().to_vec())
            }
            (IpAddr::V6(_), bits) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
                Self::masked(address, mask.to_be_bytes().to_vec())
            }
        }
    }

    /// A single host.
    pub fn host(address: IpAddr) -> Self {
        Self { address, mask: None }
    }

    fn masked(address: IpAddr, mask: Vec<u8>) -> Self {
        let apply = |octets: &mut [u8]| {
            octets.iter_mut().zip(&mask).for_each(|(octet, mask)| *octet &= mask);
        };
        let address = match address {
            IpAddr::V4(address) => {
                let mut octets = address.octets();
                apply(&mut octets);
                Ipv4Addr::from(octets).into()
            }
            IpAddr::V6(address) => {
                let mut octets = address.octets();
                apply(&mut octets);
                Ipv6Addr::from(octets).into()
            }
        };
        Self { address, mask: Some(mask) }
    }

    /// `default`, `default6`, `10.0.0.0/24`, `10.0.0.1`, `10.0.1.0&255.0.255.0`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "default" => return Some(Self::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
            "default6" => return Some(Self::new(Ipv6Addr::UNSPECIFIED.into(), 0)),
            _ => {}
        }
        if let Some((address, bits)) = text.split_once('/') {
            let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
            let most = if address.is_ipv4() { 32 } else { 128 };
            // A written mask makes a network of even one address.
            return match bits {
                bits if bits == most => Some(Self::masked(address, vec![0xff; most as usize / 8])),
                bits if bits < most => Some(Self::new(address, bits)),
                _ => None,
            };
        }
        if let Some((address, mask)) = text.split_once('&') {
            let (address, mask): (Ipv4Addr, Ipv4Addr) = (address.parse().ok()?, mask.parse().ok()?);
            return Some(Self::masked(address.into(), mask.octets().to_vec()));
        }
        text.parse().ok().map(Self::host)
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// The mask as a socket address; `None` is a host.
    pub(super) fn mask(&self) -> Option<Vec<u8>> {
        let mask = self.mask.as_ref()?;
        let before = if mask.len() == 4 { 4 } else { 8 };
        let mut bytes = vec![0; before];
        bytes.extend(mask);
        if let Some(len) = bytes.first_mut() {
            *len = (before + mask.len()) as u8;
        }
        Some(bytes)
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.address.is_loopback()
    }
}

pub fn family(address: IpAddr) -> u64 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// A socket address whose zone, if it is a link-local one, is in it.
pub fn bytes(address: IpAddr, zone: u16) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = vec![16, AF_INET as u8, 0, 0];
            bytes.extend(address.octets());
            bytes.resize(16, 0);
            bytes
        }
        IpAddr::V6(address) => {
            let octets = match ipv6_zone::is_link_local(address) {
                true => ipv6_zone::with_zone(address, zone),
                false => address.octets(),
            };
            let mut bytes = vec![28, AF_INET6 as u8, 0, 0, 0, 0, 0, 0];
            bytes.extend(octets);
            bytes.resize(28, 0);
            bytes
        }
    }
}

/// The IP address at `at`, without its zone; `None` if it is another kind.
pub fn read(machine: &Machine, at: VirtAddr) -> Result<Option<IpAddr>, ImageError> {
    if at.is_null() {
        return Ok(None);
    }
    let mut bytes = [0; 28];
    let len = machine.uint(at, 1)?.min(28) as usize;
    machine.read(at, bytes.get_mut(..len).unwrap_or_default())?;
    let v4: [u8; 4] = std::array::from_fn(|place| bytes[4 + place]);
    let v6: [u8; 16] = std::array::from_fn(|place| bytes[8 + place]);
    let v6 = Ipv6Addr::from(v6);
    Ok(match u64::from(bytes[1]) {
        AF_INET => Some(Ipv4Addr::from(v4).into()),
        AF_INET6 if ipv6_zone::is_link_local(v6) => {
            Some(Ipv6Addr::from(ipv6_zone::with_zone(v6, 0)).into())
        }
        AF_INET6 => Some(v6.into()),
        _ => None,
    })
}
