//! Where routes lead, and next hops, which routes share since 13 (`sys/net/route/nhop_ctl.c`,
//! `nhgrp_ctl.c`).

use super::known::{KnownHop, Rib};
use super::options::{GATEWAY, Gateway, HOST, HopOptions, RouteOptions};
use super::sockaddr;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Runtime, Scope};

const BLACKHOLE: u64 = 0x1000;
const REJECT: u64 = 0x8;
/// RTF_ flags and the NHF_ flags that say the same.
const NHF: [(u64, u64); 4] = [(REJECT, 0x10), (BLACKHOLE, 0x20), (GATEWAY, 0x200), (0x4, 0x400)];
const NHF_MULTIPATH: u64 = 0x8;
const NHF_DEFAULT: u64 = 0x80;
/// The routes themselves have these.
const OF_ROUTE: u64 = 0x5;
/// How many slots a group has at most (RIB_MAX_MPATH_WIDTH).
const MOST_SLOTS: u64 = 64;

impl Runtime {
    /// The socket address of a gateway.
    pub(super) fn gateway_bytes(&self, hop: &HopOptions) -> Result<Vec<u8>, ImageError> {
        let index = |interface: Object| self.kernel.get(interface, "if_index");
        match hop.gateway {
            None => Ok(Vec::new()),
            Some(Gateway::Address(address)) => {
                Ok(sockaddr::bytes(address, index(hop.interface)? as u16))
            }
            Some(Gateway::Link(on)) => {
                const AF_LINK: u8 = 18;
                const LEN: u8 = 16;
                let kind = self.kernel.get(on, "if_type")? as u8;
                let mut index = (index(on)? as u16).to_le_bytes();
                if self.kernel.machine().arch().endian() == crate::bytes::Endian::Big {
                    index.reverse();
                }
                let mut bytes = vec![LEN, AF_LINK, index[0], index[1], kind];
                bytes.resize(usize::from(LEN), 0);
                Ok(bytes)
            }
        }
    }

    /// The first address of the interface that has the source.
    pub(super) fn first_address(&self, hop: &HopOptions) -> Result<VirtAddr, ImageError> {
        let found = self.address_objects(source(hop))?;
        Ok(found.first().map_or(VirtAddr::new(0), |ifaddr| ifaddr.address))
    }

    /// nhop_ctl of a new table.
    pub(super) fn make_nh_control(&mut self, head: Object) -> Result<(), ImageError> {
        if !self.kernel.has(head, "nh_control") {
            return Ok(());
        }
        let control = self.kernel.malloc("nhops", "struct nh_control")?;
        self.kernel.set_pointer(control, "ctl_rh", head.address)?;
        self.kernel.set_pointer(head, "nh_control", control.address)
    }

    /// A next hop, or a group of them.
    pub(super) fn set_next_hops(
        &mut self,
        rib: Rib,
        entry: Object,
        options: &RouteOptions,
    ) -> Result<(), ImageError> {
        let mut hops = Vec::new();
        for hop in &options.hops {
            hops.push((self.next_hop(rib, hop, options)?, hop.weight));
        }
        let at = match hops[..] {
            [(hop, weight)] => {
                self.kernel.set(entry, "rt_weight", weight)?;
                hop
            }
            [] => return Err(ImageError::Refused("a route needs a next hop".into())),
            _ => self.group(rib, &hops)?,
        };
        self.kernel.set_pointer(entry, "rt_nhop", at)
    }

    /// nhop_get: a next hop like it, or a new one.
    fn next_hop(
        &mut self,
        rib: Rib,
        hop: &HopOptions,
        options: &RouteOptions,
    ) -> Result<VirtAddr, ImageError> {
        let head = rib.head.address;
        let is_gateway = matches!(hop.gateway, Some(Gateway::Address(_)));
        let sink = options.flags & (BLACKHOLE | REJECT) != 0;
        let mut flags = options.flags & !OF_ROUTE;
        if is_gateway && !sink {
            flags |= GATEWAY;
        }
        if options.to.mask().is_none() {
            flags |= HOST;
        }
        let is_same = |known: &&KnownHop| {
            (known.head, known.flags, known.expire) == (head, flags, options.expire)
                && HopOptions { weight: 1, ..known.hop.clone() }
                    == HopOptions { weight: 1, ..hop.clone() }
        };
        if let Some(known) = self.routes.hops.iter().find(is_same) {
            let at = known.at;
            let nhop = self.kernel.object(at, "struct nhop_object")?;
            let private = VirtAddr::new(self.kernel.get(nhop, "nh_priv")?);
            let private = self.kernel.object(private, "struct nhop_priv")?;
            let count = self.kernel.get(private, "nh_refcnt")?;
            self.kernel.set(private, "nh_refcnt", count + 1)?;
            return Ok(at);
        }
        let nhop = self.kernel.malloc("nhops", "struct nhop_object")?;
        let is_default = options.to.mask().is_some_and(|mask| mask.iter().skip(1).all(|b| *b == 0));
        let mut nh_flags = if is_default { NHF_DEFAULT } else { 0 };
        for (rtf, nhf) in NHF {
            nh_flags |= if flags & rtf != 0 { nhf } else { 0 };
        }
        self.kernel.set(nhop, "nh_flags", nh_flags)?;
        let mtu = self.kernel.get(hop.interface, "if_mtu")?;
        self.kernel.set(nhop, "nh_mtu", hop.mtu.unwrap_or(mtu))?;
        let gateway = self.kernel.member(nhop, "gw_sa")?.address;
        let bytes = self.gateway_bytes(hop)?;
        self.kernel.machine_mut().write(gateway, &bytes)?;
        self.kernel.set_pointer(nhop, "nh_ifp", hop.interface.address)?;
        self.kernel.set_pointer(nhop, "nh_aifp", source(hop).address)?;
        self.kernel.set_pointer(nhop, "nh_ifa", self.first_address(hop)?)?;
        self.set_private(rib, nhop, options, flags)?;
        let (hop, expire, at) = (hop.clone(), options.expire, nhop.address);
        self.routes.hops.push(KnownHop { head, hop, flags, expire, at });
        Ok(at)
    }

    fn set_private(
        &mut self,
        rib: Rib,
        nhop: Object,
        options: &RouteOptions,
        flags: u64,
    ) -> Result<(), ImageError> {
        let head = rib.head.address;
        let index = 1 + self.routes.hops.iter().filter(|known| known.head == head).count();
        let private = self.kernel.malloc("nhops", "struct nhop_priv")?;
        let family = sockaddr::family(options.to.address());
        self.kernel.set(private, "nh_upper_family", family)?;
        self.kernel.set(private, "rt_flags", flags)?;
        self.kernel.set(private, "nh_expire", options.expire)?;
        self.kernel.set(private, "nh_idx", index as u64)?;
        self.kernel.set_if_any(private, "nh_fibnum", rib.fib)?;
        for member in ["nh_refcnt", "nh_linked", "nh_finalized"] {
            self.kernel.set(private, member, 1)?;
        }
        self.kernel.set_pointer(private, "nh", nhop.address)?;
        let control = self.kernel.get(rib.head, "nh_control")?;
        self.kernel.set(private, "nh_control", control)?;
        if let Scope::Vnet(vnet) = options.scope {
            self.kernel.set_if_any(private, "nh_vnet", vnet.0.get())?;
        }
        self.kernel.set_pointer(nhop, "nh_priv", private.address)
    }

    /// A group: its slots, in which each next hop has its share, and behind them the plain list.
    fn group(&mut self, rib: Rib, hops: &[(VirtAddr, u64)]) -> Result<VirtAddr, ImageError> {
        let shares = hops.iter().map(|(_, weight)| *weight).fold(0, greatest_divisor).max(1);
        let slots: Vec<VirtAddr> = hops
            .iter()
            .flat_map(|(hop, weight)| {
                std::iter::repeat_n(*hop, (weight / shares).min(MOST_SLOTS) as usize)
            })
            .collect();
        let types = self.kernel.types();
        let sized = |name: &str| types.find(name).and_then(|id| types.size_of(id));
        let (object, private) = (sized("struct nhgrp_object")?, sized("struct nhgrp_priv")?);
        let entry = sized("struct weightened_nhop")?;
        let pointer = self.kernel.machine().arch().pointer_size();
        let behind = object + slots.len() as u64 * pointer;
        let size = behind + private + hops.len() as u64 * entry;
        let at = self.kernel.machine_mut().malloc("nhops", size)?;
        let group = self.kernel.object(at, "struct nhgrp_object")?;
        self.kernel.set(group, "nhg_flags", NHF_MULTIPATH)?;
        self.kernel.set(group, "nhg_size", slots.len() as u64)?;
        let mut place = self.kernel.member(group, "nhops")?.address;
        for slot in slots {
            self.kernel.machine_mut().set_pointer(place, slot)?;
            place = place.wrapping_add(pointer);
        }
        let private = self.kernel.object(place, "struct nhgrp_priv")?;
        self.kernel.set(private, "nhg_idx", 1)?;
        self.kernel.set(private, "nhg_nh_count", hops.len() as u64)?;
        self.kernel.set(private, "nhg_refcount", 1)?;
        self.kernel.set(private, "nhg_linked", 1)?;
        let control = self.kernel.get(rib.head, "nh_control")?;
        self.kernel.set(private, "nh_control", control)?;
        self.kernel.set_pointer(private, "nhg", at)?;
        let mut place = self.kernel.member(private, "nhg_nh_weights")?.address;
        for (hop, weight) in hops {
            let one = self.kernel.object(place, "struct weightened_nhop")?;
            self.kernel.set_pointer(one, "nh", *hop)?;
            self.kernel.set(one, "weight", *weight)?;
            place = place.wrapping_add(entry);
        }
        Ok(at)
    }
}

/// The interface whose address is the source of packets.
fn source(hop: &HopOptions) -> Object {
    match hop.gateway {
        Some(Gateway::Link(on)) => on,
        _ => hop.interface,
    }
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}
