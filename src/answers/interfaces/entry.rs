//! An interface with its ties and what is called out about it.

use std::net::IpAddr;

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::value::Object;
use crate::value::counter::Counters;
use crate::value::inet::Netmask;
use crate::value::model::ErrorKind;
use crate::views::call_out::CallOut;
use crate::views::interfaces::{Conditions, Field, Interface, InterfaceAddress};
use crate::views::known_vnets::KnownVnets;
use crate::views::wiring::{Network, Other, Ties};
use crate::vnet::VnetRef;

/// An interface with its ties and what is called out about it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What its struct ifnet says.
    pub interface: Interface,
    /// Its IP addresses as text.
    pub addresses: Vec<Address>,
    /// The vnet that it says it is in; `None` if it is in none.
    pub vnet: Field<Option<VnetRef>>,
    /// The vnet that it was created in.
    pub home: Field<Option<VnetRef>>,
    /// What it is tied to.
    pub ties: Ties,
    /// What is wrong in the kernel's own state.
    pub call_outs: Vec<CallOut>,
    /// Those of the other ends of its ties, by address.
    vnets: Vec<VnetRef>,
}

/// IFF_BROADCAST and IFF_POINTOPOINT (`sys/net/if.h`).
const BROADCAST: u64 = 0x2;
const POINTOPOINT: u64 = 0x10;

/// An IP address of an interface.
#[derive(Debug, Clone, Serialize)]
pub struct Address {
    /// With its zone and the length of its prefix: `fe80::1%epair0b/64`.
    #[serde(skip)]
    pub text: String,
    /// `inet` or `inet6`.
    pub family: &'static str,
    /// Without zone and prefix.
    pub address: String,
    /// The length of the prefix; `None` if the mask has holes, or there is none.
    pub prefix: Option<u8>,
    /// The interface of a link-local address, or its index if it has no name.
    pub zone: Option<String>,
    /// The other end of a point-to-point link.
    pub peer: Option<String>,
    /// The address of all hosts of the network.
    pub broadcast: Option<String>,
    /// `tentative`, `deprecated`, …
    pub flags: Vec<&'static str>,
    /// The virtual host that it belongs to (carp).
    pub vhid: Option<u64>,
    /// The address of its struct ifaddr.
    pub ifaddr: VirtAddr,
}

/// The other end of a tie.
#[derive(Debug, Clone, Serialize)]
pub struct OtherEnd {
    /// Its name; `None` if it cannot be read.
    pub name: Option<Box<str>>,
    /// The address of its struct ifnet.
    pub address: VirtAddr,
    /// The vnet that it is in.
    pub vnet: Option<VnetRef>,
    /// Whether it is on the list of a vnet; `None` if that is unknown.
    pub listed: Option<bool>,
}

impl Entry {
    /// Reads the interface and its ties.
    pub fn read<'t>(
        object: &Object<'t>,
        network: &Network<'t>,
        conditions: &Conditions<'_, '_>,
        vnets: Option<&KnownVnets<'_>>,
        counters: &Counters,
    ) -> Self {
        let mut interface = Interface::read(object, counters);
        interface.traffic.ask_lagg(object, counters);
        let driver = interface.driver.as_ref().ok().and_then(|driver| driver.as_deref());
        let ties = Ties::read(object, driver, network);
        let mut call_outs = conditions.call_outs(object);
        call_outs.extend(ties.call_outs.iter().cloned());
        let vnet =
            |at: &Field<Option<VirtAddr>>| at.clone().map(|at| at.map(|at| reference(at, vnets)));
        let flags = interface.flags.as_ref().copied().unwrap_or(0);
        let address =
            |found: &InterfaceAddress| Address::new(found, conditions.zone(found.ip.zone), flags);
        Self {
            addresses: interface.addresses.iter().map(address).collect(),
            vnet: vnet(&interface.vnet),
            home: vnet(&interface.home),
            vnets: numbers(&ties, vnets),
            interface,
            ties,
            call_outs,
        }
    }

    /// Its name, or its address if that is unknown.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.interface.name {
            Ok(name) => name.to_string(),
            Err(_) => self.interface.address.to_string(),
        }
    }

    pub(in crate::answers) fn other(&self, other: &Other) -> OtherEnd {
        OtherEnd {
            name: other.name.clone().ok(),
            address: other.address,
            vnet: other.vnet.map(|vnet| self.vnet_at(vnet)),
            listed: other.listed,
        }
    }

    /// Whether its memory is freed, so that nothing of it is known.
    pub(super) fn is_freed(&self) -> bool {
        self.interface.name.as_ref().is_err_and(|why| why.kind == ErrorKind::Freed)
    }

    /// The name of its driver, if it is known.
    pub(in crate::answers) fn driver(&self) -> Option<&str> {
        self.interface.driver.as_ref().ok()?.as_deref()
    }

    /// The outer addresses of a tunnel, source first.
    pub(in crate::answers) fn outer(&self) -> Option<(IpAddr, IpAddr)> {
        let tunnel = self.ties.tunnel.as_ref()?.as_ref().ok()?.as_ref()?;
        tunnel.source.zip(tunnel.destination)
    }

    /// Whether something of it could not be read.
    pub(in crate::answers) fn is_unreadable(&self) -> bool {
        let Interface { name, driver, flags, mtu, description, groups, .. } = &self.interface;
        let errors = [name.is_err(), driver.is_err(), flags.is_err(), mtu.is_err()];
        errors.contains(&true) || description.is_err() || groups.is_err()
    }

    fn vnet_at(&self, address: VirtAddr) -> VnetRef {
        let known = self.vnets.binary_search_by_key(&address, |vnet| vnet.address).ok();
        let known = known.and_then(|at| self.vnets.get(at)).copied();
        known.unwrap_or(VnetRef { index: None, address })
    }
}

/// The vnets of the other ends of the ties, each once.
fn numbers(ties: &Ties, vnets: Option<&KnownVnets<'_>>) -> Vec<VnetRef> {
    let mut at: Vec<VirtAddr> = ties.others().filter_map(|other| other.vnet).collect();
    at.sort_unstable();
    at.dedup();
    at.into_iter().map(|at| reference(at, vnets)).collect()
}

fn reference(at: VirtAddr, vnets: Option<&KnownVnets<'_>>) -> VnetRef {
    let known = vnets.and_then(|vnets| vnets.at(at));
    known.map_or(VnetRef { index: None, address: at }, VnetRef::from)
}

impl Address {
    fn new(found: &InterfaceAddress, zone: Option<String>, flags: u64) -> Self {
        let other = found.other.as_ref().map(|other| other.ip.to_string());
        // One member of the kernel's struct is both. That of a loopback interface is neither.
        let (broadcast, peer) = match flags {
            _ if flags & POINTOPOINT != 0 => (None, other),
            _ if flags & BROADCAST != 0 && found.ip.ip.is_ipv4() => (other, None),
            _ => (None, None),
        };
        let number = (found.ip.zone != 0).then(|| found.ip.zone.to_string());
        Self {
            text: found.text(|_| zone.clone()),
            family: match found.ip.ip {
                IpAddr::V4(_) => "inet",
                IpAddr::V6(_) => "inet6",
            },
            address: found.ip.ip.to_string(),
            prefix: match found.mask {
                Some(Netmask::Prefix(bits)) => Some(bits),
                _ => None,
            },
            zone: number.and_then(|number| zone.or(Some(number))),
            peer,
            broadcast,
            flags: found.flags.clone(),
            vhid: found.vhid,
            ifaddr: found.address,
        }
    }
}
