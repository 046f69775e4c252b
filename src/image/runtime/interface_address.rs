//! IP addresses of interfaces: `struct in_ifaddr` and `struct in6_ifaddr`.
//!
//! `sys/netinet/in.c`: in_aifaddr_ioctl, in_socktrim; `sys/netinet6/in6.c`: in6_update_ifa.

use std::net::{IpAddr, SocketAddr};

use super::Runtime;
use crate::image::ImageError;
use crate::image::object::Object;

/// IN6_IFF_ flags by the names that ifconfig(8) has for them.
const INET6_FLAGS: [(&str, u64); 5] = [
    ("tentative", 0x2),
    ("duplicated", 0x4),
    ("detached", 0x8),
    ("deprecated", 0x10),
    ("autoconf", 0x40),
];

/// An address as a scenario writes it.
struct Written {
    address: IpAddr,
    prefix: u32,
    peer: Option<IpAddr>,
    flags: u64,
}

impl Runtime {
    /// An in_ifaddr or in6_ifaddr. Its first member is an ifaddr.
    pub(super) fn create_address(
        &mut self,
        ifnet: Object,
        text: &str,
        interface_flags: u64,
    ) -> Result<Object, ImageError> {
        let written = parse(text).ok_or_else(|| ImageError::Value {
            target: "an interface address".into(),
            why: format!("\"{text}\" is not like 10.0.0.1/24 or fe80::1/64"),
        })?;
        let (type_name, mask_member) = match written.address {
            IpAddr::V4(_) => ("struct in_ifaddr", "ia_sockmask"),
            IpAddr::V6(_) => ("struct in6_ifaddr", "ia_prefixmask"),
        };
        let added = self.kernel.malloc("ifaddr", type_name)?;
        let own = self.kernel.member(added, "ia_addr")?;
        self.kernel.assign_sockaddr(own, SocketAddr::new(written.address, 0))?;
        let netmask = self.kernel.member(added, mask_member)?;
        self.kernel.assign_sockaddr(netmask, SocketAddr::new(mask(&written), 0))?;
        if written.address.is_ipv4() {
            self.in_socktrim(netmask)?;
        } else {
            self.kernel.set_if_any(added, "ia6_flags", written.flags)?;
            self.kernel.set_if_any(added, "ia_plen", written.prefix.into())?;
        }
        let ifaddr = self.kernel.member(added, "ia_ifa")?;
        if let Some(other) = written.other(interface_flags) {
            let place = self.kernel.member(added, "ia_dstaddr")?;
            self.kernel.assign_sockaddr(place, SocketAddr::new(other, 0))?;
            self.kernel.set_pointer(ifaddr, "ifa_dstaddr", place.address)?;
        }
        self.kernel.set_pointer(ifaddr, "ifa_addr", own.address)?;
        self.kernel.set_pointer(ifaddr, "ifa_netmask", netmask.address)?;
        self.kernel.set_pointer(ifaddr, "ifa_ifp", ifnet.address)?;
        self.kernel.set_if_any(ifaddr, "ifa_refcnt", 1)?;
        Ok(ifaddr)
    }

    /// A mask is as long as its last byte that is not zero.
    fn in_socktrim(&mut self, mask: Object) -> Result<(), ImageError> {
        const HEADER: usize = 4;
        let place = self.kernel.member(mask, "sin_addr")?.address;
        let mut bytes = [0; 4];
        self.kernel.machine().read(place, &mut bytes)?;
        let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| HEADER + last + 1);
        self.kernel.set(mask, "sin_len", len as u64)
    }
}

impl Written {
    /// The other end of a point-to-point link, or the broadcast address.
    fn other(&self, interface_flags: u64) -> Option<IpAddr> {
        const IFF_BROADCAST: u64 = 0x2;
        match (self.peer, self.address, mask(self)) {
            (Some(peer), ..) => Some(peer),
            (None, IpAddr::V4(own), IpAddr::V4(mask)) if interface_flags & IFF_BROADCAST != 0 => {
                Some(IpAddr::from((u32::from(own) | !u32::from(mask)).to_be_bytes()))
            }
            _ => None,
        }
    }
}

fn mask(written: &Written) -> IpAddr {
    match written.address {
        IpAddr::V4(_) => {
            let bits = u32::MAX.checked_shl(32 - written.prefix).unwrap_or(0);
            IpAddr::from(bits.to_be_bytes())
        }
        IpAddr::V6(_) => {
            let bits = u128::MAX.checked_shl(128 - written.prefix).unwrap_or(0);
            IpAddr::from(bits.to_be_bytes())
        }
    }
}

fn parse(text: &str) -> Option<Written> {
    let mut words = text.split_whitespace();
    let (address, prefix) = words.next()?.split_once('/')?;
    let (address, prefix): (IpAddr, u32) = (address.parse().ok()?, prefix.parse().ok()?);
    let longest = if address.is_ipv4() { 32 } else { 128 };
    if prefix > longest {
        return None;
    }
    let mut written = Written { address, prefix, peer: None, flags: 0 };
    for word in words {
        match INET6_FLAGS.iter().find(|(name, _)| *name == word) {
            Some((_, flag)) => written.flags |= flag,
            None => written.peer = Some(word.parse().ok()?),
        }
    }
    Some(written)
}
