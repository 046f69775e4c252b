//! Routes are added, by hand and with the addresses of interfaces (`sys/net/route.c`; since 13
//! `sys/net/route/route_ctl.c`, `route_ifaddrs.c`).

use std::net::IpAddr;

use super::known::{Added, Rib};
use super::options::{GATEWAY, Gateway, HOST, HopOptions, LOCAL, PINNED, RouteOptions, STATIC, UP};
use super::radix;
use super::sockaddr::{self, Network};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Runtime, Scope};

impl Runtime {
    /// rtrequest1_fib with RTM_ADD, since 13 rib_action.
    ///
    /// # Errors
    /// The stack has no such FIB, or has the route; there is no such interface.
    pub fn add_route(&mut self, options: &RouteOptions) -> Result<Object, ImageError> {
        let family = sockaddr::family(options.to.address());
        let rib = self.rib(options.scope, options.fib, family)?;
        let skip = if family == sockaddr::AF_INET { 4 } else { 8 };
        let mask = match options.to.mask() {
            None => None,
            Some(mask) => Some(radix::add_mask(&mut self.kernel, rib.masks, &mask, skip)?),
        };
        let entry = self.kernel.malloc("rtentry", "struct rtentry")?;
        let key = self.route_key(entry, options)?;
        let nodes = self.kernel.member(entry, "rt_nodes")?;
        radix::add_route(&mut self.kernel, rib.tree, key, mask.as_ref(), nodes)?;
        self.set_hops(rib, entry, options)?;
        for (member, by) in [("rnh_gen", 1), ("rnh_gen_rib", 1), ("rnh_prefixes", 1)] {
            if self.kernel.has(rib.head, member) {
                let count = self.kernel.get(rib.head, member)?;
                self.kernel.set(rib.head, member, count + by)?;
            }
        }
        let to = options.to.clone();
        self.routes.all.push(Added { head: rib.head.address, to, entry });
        Ok(entry)
    }

    /// What in_control and in6_control do when the addresses of an interface come up: a route to
    /// each network, and one to each address by the loopback interface, in every FIB.
    ///
    /// # Errors
    /// As [`Runtime::add_route`]; there is no loopback interface.
    pub fn add_interface_routes(&mut self, scope: Scope, name: &str) -> Result<(), ImageError> {
        let interface = self.interface_of(scope, name)?;
        let is_loopback = name.starts_with("lo");
        let lo0 = if is_loopback { interface } else { self.interface_of(scope, "lo0")? };
        let fibs = self.fib_count(scope)?;
        let has_hops = self.kernel.types().find("struct nhop_object").is_ok();
        for (address, prefix) in self.interface_addresses(interface)? {
            let link = |interface| HopOptions::new(Gateway::Link(interface), interface);
            let own = HopOptions { interface: lo0, ..link(interface) };
            let network = Network::new(address, prefix);
            let is_wide = network.mask().is_some() && !(is_loopback && address.is_ipv4());
            for fib in 0..fibs {
                let options = |to, hop, flags| RouteOptions {
                    scope,
                    fib,
                    to,
                    hops: vec![hop],
                    flags,
                    expire: 0,
                };
                if is_wide && !network.is_loopback() {
                    self.add_route(&options(network.clone(), link(interface), PINNED))?;
                }
                let flags = match (network.is_loopback(), address.is_ipv6() && has_hops) {
                    (true, false) if address.is_ipv6() => LOCAL,
                    (true, false) => PINNED,
                    _ => STATIC | PINNED,
                };
                self.add_route(&options(Network::host(address), own.clone(), flags))?;
            }
        }
        Ok(())
    }

    /// The key: a copy of the destination. Since 13 it is in the entry itself.
    fn route_key(&mut self, entry: Object, options: &RouteOptions) -> Result<VirtAddr, ImageError> {
        let bytes = sockaddr::bytes(options.to.address(), self.zone_of(options)?);
        let at = match self.kernel.has(entry, "rt_dst") {
            true => self.kernel.member(entry, "rt_dst")?.address,
            false => self.kernel.machine_mut().malloc("routetbl", bytes.len() as u64)?,
        };
        self.kernel.machine_mut().write(at, &bytes)?;
        Ok(at)
    }

    /// The zone of link-local addresses: the index of the interface that the gateway is on.
    fn zone_of(&self, options: &RouteOptions) -> Result<u16, ImageError> {
        let Some(hop) = options.hops.first() else { return Ok(0) };
        let on = match hop.gateway {
            Some(Gateway::Link(on)) => on,
            _ => hop.interface,
        };
        Ok(self.kernel.get(on, "if_index")? as u16)
    }

    fn set_hops(
        &mut self,
        rib: Rib,
        entry: Object,
        options: &RouteOptions,
    ) -> Result<(), ImageError> {
        let host = if options.to.mask().is_none() { HOST } else { 0 };
        if self.kernel.has(entry, "rt_nhop") {
            self.kernel.set(entry, "rte_flags", UP | host)?;
            return self.set_next_hops(rib, entry, options);
        }
        let [hop] = &options.hops[..] else {
            return Err(ImageError::Refused("this kernel's routes have one next hop".into()));
        };
        let is_gateway = matches!(hop.gateway, Some(Gateway::Address(_)));
        let gateway = if is_gateway { GATEWAY } else { 0 };
        self.kernel.set(entry, "rt_flags", UP | host | gateway | options.flags)?;
        let bytes = self.gateway_bytes(hop)?;
        let at = self.kernel.machine_mut().malloc("routetbl", bytes.len().max(8) as u64)?;
        self.kernel.machine_mut().write(at, &bytes)?;
        self.kernel.set_pointer(entry, "rt_gateway", at)?;
        self.kernel.set_pointer(entry, "rt_ifp", hop.interface.address)?;
        self.kernel.set_pointer(entry, "rt_ifa", self.first_address(hop)?)?;
        self.kernel.set(entry, "rt_refcnt", 1)?;
        self.kernel.set(entry, "rt_fibnum", rib.fib)?;
        let mtu = self
            .kernel
            .get(hop.interface, "if_mtu")
            .or_else(|_| self.kernel.get(hop.interface, "if_data.ifi_mtu"))?;
        self.kernel.set(entry, "rt_mtu", hop.mtu.unwrap_or(mtu))?;
        self.kernel.set(entry, "rt_weight", hop.weight)?;
        self.kernel.set(entry, "rt_expire", options.expire)?;
        Ok(())
    }

    /// The addresses of an interface, each with its number of bits.
    pub(in crate::image::runtime) fn interface_addresses(
        &self,
        ifnet: Object,
    ) -> Result<Vec<(IpAddr, u32)>, ImageError> {
        let mut found = Vec::new();
        for ifaddr in self.address_objects(ifnet)? {
            let [address, mask] = ["ifa_addr", "ifa_netmask"].map(|member| {
                let at = VirtAddr::new(self.kernel.get(ifaddr, member)?);
                sockaddr::read(self.kernel.machine(), at)
            });
            let (Some(address), Some(mask)) = (address?, mask?) else { continue };
            let prefix = match mask {
                IpAddr::V4(mask) => u32::from(mask).leading_ones(),
                IpAddr::V6(mask) => u128::from(mask).leading_ones(),
            };
            found.push((address, prefix));
        }
        Ok(found)
    }
}
