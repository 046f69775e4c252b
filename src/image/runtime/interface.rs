//! Interfaces: `struct ifnet` on a stack's list, its addresses and its counters.
//!
//! `sys/net/if.c` and `sys/net/if_var.h`. An interface has a home stack (where
//! it was created) and a current one. if_vmove moves it from list to list, and
//! vnet_destroy sends it home. `vnet_ifcnt` counts the attached ones.

use std::net::Ipv6Addr;

use super::{LinkOptions, Queue, Runtime, Scope};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::ipv6_zone;
use crate::image::literal::Literal;
use crate::image::object::Object;
use crate::types::TypeId;

/// An interface to create.
#[derive(Debug, Clone, PartialEq)]
pub struct InterfaceOptions {
    /// Its name: `epair1b`.
    pub name: String,
    /// The jail in whose stack it is created; `None` for the host.
    pub home: Option<String>,
    /// The jail it is then moved to; `None` if it stays at home.
    pub jail: Option<String>,
    /// if_flags, IFF_ values of `sys/net/if.h`.
    pub flags: u64,
    /// The MTU in bytes.
    pub mtu: u64,
    /// Addresses with prefix lengths: `10.0.0.1/24`, `fe80::1/64`. The zone of a link-local one is
    /// the interface. The address of the other end may follow, or flags of an IPv6 address:
    /// `10.0.0.1/32 10.0.0.2`, `fd00::2/64 tentative`.
    pub addresses: Vec<String>,
    /// Packets received, by CPU.
    pub ipackets: Vec<u64>,
    /// Packets sent, by CPU.
    pub opackets: Vec<u64>,
    /// What its driver and its link give it; `None` leaves that out.
    pub link: Option<LinkOptions>,
}

impl InterfaceOptions {
    /// An Ethernet interface with that name, up and running, on the host.
    pub fn new(name: impl Into<String>) -> Self {
        /// IFF_UP, IFF_BROADCAST, IFF_RUNNING, IFF_SIMPLEX, IFF_MULTICAST.
        const UP: u64 = 0x8843;
        let (home, jail, addresses) = (None, None, Vec::new());
        let (ipackets, opackets) = (Vec::new(), Vec::new());
        let name = name.into();
        let link = None;
        Self { name, home, jail, flags: UP, mtu: 1500, addresses, ipackets, opackets, link }
    }
}

#[derive(Debug)]
pub(super) struct Interface {
    name: String,
    ifnet: VirtAddr,
    home: Scope,
    current: Scope,
}

/// Indices of the counters in if_counters (`ift_counter`: IFCOUNTER_IPACKETS, IFCOUNTER_OPACKETS).
const IPACKETS: u64 = 0;
const OPACKETS: u64 = 2;

impl Runtime {
    /// if_attach, followed by if_vmove if it is to move to another stack.
    ///
    /// # Errors
    /// There is no such jail, or an address is malformed.
    pub fn create_interface(&mut self, options: &InterfaceOptions) -> Result<Object, ImageError> {
        let scope = |runtime: &Self, jail: &Option<String>| match jail {
            Some(jail) => runtime.jail_scope(jail),
            None => Ok(runtime.host()),
        };
        let home = scope(self, &options.home)?;
        let current = if options.jail.is_some() { scope(self, &options.jail)? } else { home };
        let ifnet = self.kernel.malloc("ifnet", "struct ifnet")?;
        self.set_text(ifnet, "if_xname", &options.name)?;
        self.kernel.set(ifnet, "if_flags", options.flags)?;
        // Since 12. Before, if_data held the MTU.
        let mtu = if self.kernel.has(ifnet, "if_mtu") { "if_mtu" } else { "if_data.ifi_mtu" };
        self.kernel.set(ifnet, mtu, options.mtu)?;
        self.kernel.set_pointer(ifnet, "if_home_vnet", vnet_of(home))?;
        self.set_interface_counters(ifnet, options)?;
        let (head, _, queue) = self.address_list(ifnet)?;
        queue.init(self.kernel.machine_mut(), head)?;
        if let Some(link) = &options.link {
            self.set_driver(ifnet, &options.name, link, (head, queue))?;
        }
        self.init_groups(ifnet)?;
        for address in &options.addresses {
            let added = self.create_address(ifnet, address, options.flags)?;
            queue.insert_tail(self.kernel.machine_mut(), head, added.address)?;
        }
        self.attach(ifnet, current)?;
        if let Some(link) = &options.link {
            self.finish_link(ifnet, current, link)?;
        }
        let (name, address) = (options.name.clone(), ifnet.address);
        self.interfaces.push(Interface { name, ifnet: address, home, current });
        Ok(ifnet)
    }

    /// The `struct ifnet` with that name. If several stacks have one, the one attached last.
    ///
    /// # Errors
    /// There is none.
    pub fn interface(&self, name: &str) -> Result<Object, ImageError> {
        let found = self.interfaces.iter().rev().find(|interface| interface.name == name);
        let found =
            found.ok_or_else(|| ImageError::Refused(format!("there is no interface {name}")))?;
        self.kernel.object(found.ifnet, "struct ifnet")
    }

    /// The `struct ifnet` with that name in a stack.
    ///
    /// # Errors
    /// There is none.
    pub fn interface_of(&self, scope: Scope, name: &str) -> Result<Object, ImageError> {
        let is_it = |known: &&Interface| known.current == scope && known.name == name;
        let found = self.interfaces.iter().rev().find(is_it);
        let found = found
            .ok_or_else(|| ImageError::Refused(format!("the stack has no interface {name}")))?;
        self.kernel.object(found.ifnet, "struct ifnet")
    }

    /// Takes the interface off its list and frees it, and does not tell whatever points at it.
    pub(super) fn forget_interface(&mut self, ifnet: Object) -> Result<(), ImageError> {
        let place = self.interfaces.iter().position(|known| known.ifnet == ifnet.address);
        let place = place.ok_or(ImageError::NotOnList(ifnet.address))?;
        let known = self.interfaces.remove(place);
        self.detach(ifnet, known.current)?;
        self.ifindex_drop(ifnet, known.current)?;
        self.kernel.machine_mut().free(ifnet.address)
    }

    /// Each `struct ifaddr` of an interface.
    pub(super) fn address_objects(&self, ifnet: Object) -> Result<Vec<Object>, ImageError> {
        let (head, ifaddr, queue) = self.address_list(ifnet)?;
        let elements = queue.elements(self.kernel.machine(), head)?;
        Ok(elements.into_iter().map(|at| Object::new(at, ifaddr)).collect())
    }

    /// if_vmove: moves it from its stack's list to that of `scope`, with a new index
    /// there. Its home does not change.
    ///
    /// # Errors
    /// It is not attached.
    pub fn if_vmove(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        let place = self.interfaces.iter().position(|known| known.ifnet == ifnet.address);
        let place = place.ok_or(ImageError::NotOnList(ifnet.address))?;
        let Some(current) = self.interfaces.get(place).map(|known| known.current) else {
            return Ok(());
        };
        self.leave_bridge(ifnet)?;
        self.move_from(ifnet, current, scope)?;
        if let Some(known) = self.interfaces.get_mut(place) {
            known.current = scope;
        }
        Ok(())
    }

    /// The constructor vnet_if_init: the empty list of interfaces.
    pub(super) fn init_interface_list(&mut self, scope: Scope) -> Result<(), ImageError> {
        let (head, queue) = self.interface_list(scope)?;
        queue.init(self.kernel.machine_mut(), head)
    }

    /// vnet_if_return: borrowed interfaces are sent home, the newest first.
    pub(super) fn return_interfaces(&mut self, leaving: Scope) -> Result<(), ImageError> {
        for number in (0..self.interfaces.len()).rev() {
            let Some(known) = self.interfaces.get(number) else { continue };
            if known.current == leaving && known.home != leaving {
                let (home, address) = (known.home, known.ifnet);
                let ifnet = self.kernel.object(address, "struct ifnet")?;
                self.if_vmove(ifnet, home)?;
            }
        }
        Ok(())
    }

    /// The work of drivers' destructors: the stack's own interfaces whose names begin with
    /// `prefix` are detached and freed.
    pub(super) fn free_interfaces(
        &mut self,
        leaving: Scope,
        prefix: &str,
    ) -> Result<(), ImageError> {
        for number in (0..self.interfaces.len()).rev() {
            let Some(known) = self.interfaces.get(number) else { continue };
            if known.current == leaving && known.name.starts_with(prefix) {
                let ifnet = self.kernel.object(known.ifnet, "struct ifnet")?;
                self.detach(ifnet, leaving)?;
                self.ifindex_drop(ifnet, leaving)?;
                self.interfaces.remove(number);
                self.kernel.machine_mut().free(ifnet.address)?;
            }
        }
        Ok(())
    }

    fn move_from(&mut self, ifnet: Object, from: Scope, to: Scope) -> Result<(), ImageError> {
        self.detach(ifnet, from)?;
        self.attach(ifnet, to)
    }

    /// The same without telling anyone who should know.
    pub(super) fn move_silently(&mut self, ifnet: Object, to: Scope) -> Result<(), ImageError> {
        let from = self.scope_of(ifnet)?;
        self.move_from(ifnet, from, to)?;
        self.interfaces
            .iter_mut()
            .filter(|known| known.ifnet == ifnet.address)
            .for_each(|known| known.current = to);
        Ok(())
    }

    /// if_detach, and if_free as far as the index.
    pub(super) fn if_detach(&mut self, ifnet: Object) -> Result<(), ImageError> {
        let scope = self.scope_of(ifnet)?;
        self.detach(ifnet, scope)?;
        self.ifindex_drop(ifnet, scope)?;
        self.interfaces.retain(|known| known.ifnet != ifnet.address);
        Ok(())
    }

    /// if_free_internal.
    pub(super) fn free_ifnet(&mut self, ifnet: Object) -> Result<(), ImageError> {
        self.kernel.machine_mut().free(ifnet.address)
    }

    /// Puts it on the list of `scope` in place of its own stack's. It does not notice.
    pub(super) fn relist(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        let (head, queue) = self.interface_list(self.scope_of(ifnet)?)?;
        queue.remove(self.kernel.machine_mut(), head, ifnet.address)?;
        let (head, queue) = self.interface_list(scope)?;
        queue.insert_tail(self.kernel.machine_mut(), head, ifnet.address)
    }

    fn scope_of(&self, ifnet: Object) -> Result<Scope, ImageError> {
        let known = self.interfaces.iter().find(|known| known.ifnet == ifnet.address);
        known.map(|known| known.current).ok_or(ImageError::NotOnList(ifnet.address))
    }

    fn attach(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        self.ifindex_alloc(ifnet, scope)?;
        self.set_link_index(ifnet)?;
        self.in6_setscope(ifnet)?;
        self.kernel.set_pointer(ifnet, "if_vnet", vnet_of(scope))?;
        let (head, queue) = self.interface_list(scope)?;
        queue.insert_tail(self.kernel.machine_mut(), head, ifnet.address)?;
        self.count(scope, 1)
    }

    /// The zone of its link-local addresses is its index.
    fn in6_setscope(&mut self, ifnet: Object) -> Result<(), ImageError> {
        const AF_INET6: u64 = 28;
        let zone = self.kernel.get(ifnet, "if_index")? as u16;
        let (head, ifaddr, queue) = self.address_list(ifnet)?;
        for at in queue.elements(self.kernel.machine(), head)? {
            let address = VirtAddr::new(self.kernel.get(Object::new(at, ifaddr), "ifa_addr")?);
            let address = self.kernel.object(address, "struct sockaddr")?;
            if self.kernel.get(address, "sa_family")? != AF_INET6 {
                continue;
            }
            let address = self.kernel.object(address.address, "struct sockaddr_in6")?;
            let place = self.kernel.member(address, "sin6_addr")?.address;
            let mut octets = [0; 16];
            self.kernel.machine().read(place, &mut octets)?;
            let address = Ipv6Addr::from(octets);
            if ipv6_zone::is_link_local(address) {
                self.kernel.machine_mut().write(place, &ipv6_zone::with_zone(address, zone))?;
            }
        }
        Ok(())
    }

    /// The head of an interface's list of addresses, and `struct ifaddr`.
    pub(super) fn address_list(
        &self,
        ifnet: Object,
    ) -> Result<(VirtAddr, TypeId, Queue), ImageError> {
        let head = self.kernel.member(ifnet, "if_addrhead")?;
        let ifaddr = self.kernel.types().find("struct ifaddr")?;
        Ok((head.address, ifaddr, Queue::of(&self.kernel, head.type_id, ifaddr, "ifa_link")?))
    }

    fn detach(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        let (head, queue) = self.interface_list(scope)?;
        queue.remove(self.kernel.machine_mut(), head, ifnet.address)?;
        self.ifindex_free(ifnet, scope)?;
        self.count(scope, -1)
    }

    fn count(&mut self, scope: Scope, by: i64) -> Result<(), ImageError> {
        let Scope::Vnet(vnet) = scope else { return Ok(()) };
        let vnet = self.vnet_object(vnet)?;
        let count = self.kernel.get(vnet, "vnet_ifcnt")?;
        self.kernel.set(vnet, "vnet_ifcnt", count.wrapping_add_signed(by))
    }

    fn interface_list(&self, scope: Scope) -> Result<(VirtAddr, Queue), ImageError> {
        let head = self.find(scope, "ifnet")?;
        let ifnet = self.kernel.types().find("struct ifnet")?;
        let link = ["if_link", "if_list"].into_iter();
        let mut link = link.filter(|name| self.kernel.types().has_member(ifnet, name));
        let link = link.next().unwrap_or("if_link");
        Ok((head.address, Queue::of(&self.kernel, head.type_id, ifnet, link)?))
    }

    fn set_interface_counters(
        &mut self,
        ifnet: Object,
        options: &InterfaceOptions,
    ) -> Result<(), ImageError> {
        let values = [(IPACKETS, &options.ipackets), (OPACKETS, &options.opackets)];
        if !self.kernel.has(ifnet, "if_counters") {
            for ((_, values), member) in values.iter().zip(["ifi_ipackets", "ifi_opackets"]) {
                let sum = values.iter().fold(0, |sum: u64, value| sum.wrapping_add(*value));
                self.kernel.set(ifnet, &format!("if_data.{member}"), sum)?;
            }
            return Ok(());
        }
        let counters = self.kernel.member(ifnet, "if_counters")?;
        for index in 0..self.kernel.elements(counters)?.unwrap_or(0) {
            let counter = self.kernel.member(ifnet, &format!("if_counters[{index}]"))?;
            self.alloc_counter(counter)?;
        }
        for (index, values) in values {
            let counter = self.kernel.member(ifnet, &format!("if_counters[{index}]"))?;
            self.add_to_counter(counter, values)?;
        }
        if let Some(default) = self.kernel.address_of("if_get_counter_default") {
            let function = default.get();
            self.kernel.set_if_any(ifnet, "if_get_counter", function)?;
        }
        Ok(())
    }

    /// Sets members of an interface that the options do not cover.
    pub fn set_interface(
        &mut self,
        ifnet: Object,
        path: &str,
        value: &Literal,
    ) -> Result<(), ImageError> {
        let member = self.kernel.member(ifnet, path)?;
        self.kernel.assign(member, value)
    }
}

fn vnet_of(scope: Scope) -> VirtAddr {
    match scope {
        Scope::Vnet(vnet) => vnet.0,
        Scope::Kernel => VirtAddr::new(0),
    }
}
