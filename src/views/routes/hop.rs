//! Where a route leads: the gateway and the interface.
//!
//! Up to 12 they are in the struct rtentry. Since 13 routes share next hops: rt_nhop points at a
//! struct nhop_object, or at a group of them (`sys/net/route/nhop.h`, `nhgrp_var.h`, 13 to main).

use super::group;
use super::reader::Reader;
use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::Object;
use crate::value::inet::Sockaddr;
use crate::value::model::ValueError;
use crate::views::call_out::CallOut;
use crate::views::interface_pointer::InterfaceRef;
use crate::walk::Problems;

/// Where a route leads. Members that cannot be read are errors, and `None` where the kernel has
/// none.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    /// Its struct nhop_object; `None` up to 12.
    pub address: Option<VirtAddr>,
    /// The group that it was found in, if the route has several.
    pub group: Option<VirtAddr>,
    /// Its number (nh_idx).
    pub index: Option<u64>,
    /// As netstat(1) writes it: `link#2`, `10.0.0.1`, `fe80::1%em0`, a hardware address.
    pub gateway: Result<Option<Box<str>>, ValueError>,
    /// Its share of the flags: all of them up to 12, those that are not the route's own since 13.
    pub flags: Result<u64, ValueError>,
    /// The interface that packets leave by.
    pub interface: Result<Option<InterfaceRef>, ValueError>,
    /// The interface whose address is their source, if that is another one (nh_aifp).
    pub source: Option<InterfaceRef>,
    /// When it expires, in seconds of uptime; 0 is never.
    pub expire: Result<u64, ValueError>,
    /// The MTU.
    pub mtu: Option<u64>,
    /// Its weight among several.
    pub weight: Option<u64>,
    /// How many hold it.
    pub references: Option<u64>,
    /// What a sound kernel does not have.
    pub call_outs: Vec<CallOut>,
}

/// NHF_MULTIPATH, in the first member of both structs.
const MULTIPATH: u64 = 0x8;

/// The ways of a route, at least one. Problems of groups are added to `problems`.
pub fn hops_of<'t>(
    reader: &Reader<'t, '_>,
    route: &Object<'t>,
    problems: &mut Problems,
) -> Vec<Hop> {
    if !route.has("rt_nhop") {
        return vec![old(reader, route)];
    }
    let nhop = match route.follow_anywhere("rt_nhop") {
        Ok(Some(nhop)) if nhop.check_freed().is_err() => return vec![Hop::freed(&nhop)],
        Ok(Some(nhop)) => nhop,
        Ok(None) => return vec![Hop::none()],
        Err(why) => return vec![Hop::unreadable(why.into())],
    };
    let weight = route.uint("rt_weight").ok();
    match nhop.uint("nh_flags") {
        Ok(flags) if flags & MULTIPATH != 0 => {
            let members = group::members(&nhop);
            let mut hops = Vec::new();
            let call_outs = members.call_outs;
            for (member, weight) in members.hops.take(problems) {
                let hop = match member.check_freed() {
                    Ok(()) => new(reader, &member),
                    Err(_) => Hop::freed(&member),
                };
                hops.push(Hop { group: Some(nhop.address), weight: Some(weight), ..hop });
            }
            if hops.is_empty() {
                hops.push(Hop { group: Some(nhop.address), ..Hop::none() });
            }
            if let Some(first) = hops.first_mut() {
                first.call_outs.splice(0..0, call_outs);
            }
            hops
        }
        Ok(_) => vec![Hop { weight, ..new(reader, &nhop) }],
        Err(why) => vec![Hop::wild(&nhop, why.into())],
    }
}

/// Of a struct rtentry up to 12.
fn old<'t>(reader: &Reader<'t, '_>, route: &Object<'t>) -> Hop {
    let mut hop = Hop {
        flags: route.uint("rt_flags").map_err(ValueError::from),
        expire: route.uint("rt_expire").map_err(ValueError::from),
        mtu: route.uint("rt_mtu").ok(),
        weight: route.uint("rt_weight").ok(),
        references: route.uint("rt_refcnt").ok(),
        gateway: gateway(reader, route.pointer("rt_gateway")),
        ..Hop::none()
    };
    hop.add_interface(reader, route.follow_anywhere("rt_ifp"), "route");
    hop.check_address(route.follow_anywhere("rt_ifa"), "route");
    hop
}

/// Of a struct nhop_object.
fn new<'t>(reader: &Reader<'t, '_>, nhop: &Object<'t>) -> Hop {
    let private = nhop.follow("nh_priv");
    let of_private = |member: &str| -> Result<u64, ValueError> {
        match &private {
            Ok(Some(private)) => Ok(private.uint(member)?),
            Ok(None) => Ok(0),
            Err(why) => Err(why.clone().into()),
        }
    };
    let mut hop = Hop {
        address: Some(nhop.address),
        index: of_private("nh_idx").ok(),
        flags: of_private("rt_flags"),
        expire: of_private("nh_expire"),
        mtu: nhop.uint("nh_mtu").ok(),
        references: of_private("nh_refcnt").ok(),
        gateway: gateway(reader, nhop.member("gw_sa").map(|gateway| gateway.address)),
        ..Hop::none()
    };
    hop.add_interface(reader, nhop.follow_anywhere("nh_ifp"), "next hop");
    if let Ok(Some(source)) = nhop.follow_anywhere("nh_aifp") {
        let own = hop.interface.as_ref().ok().and_then(|interface| interface.as_ref());
        if own.is_none_or(|own| own.address != source.address) {
            hop.call_outs.extend(reader.check_interface(&source, "source of the next hop"));
            hop.source = Some(InterfaceRef::of(&source));
        }
    }
    hop.check_address(nhop.follow_anywhere("nh_ifa"), "next hop");
    if let Ok(Some(private)) = &private {
        hop.check_private(reader, nhop, private);
    }
    hop
}

impl Hop {
    fn none() -> Self {
        Self {
            address: None,
            group: None,
            index: None,
            gateway: Ok(None),
            flags: Ok(0),
            interface: Ok(None),
            source: None,
            expire: Ok(0),
            mtu: None,
            weight: None,
            references: None,
            call_outs: Vec::new(),
        }
    }

    fn unreadable(why: ValueError) -> Self {
        let (gateway, flags) = (Err(why.clone()), Err(why.clone()));
        Self { gateway, flags, interface: Err(why.clone()), expire: Err(why), ..Self::none() }
    }

    /// One whose memory cannot be read. If the kernel could not read it either, that is called out.
    fn wild(nhop: &Object<'_>, why: ValueError) -> Self {
        let mut hop = Self { address: Some(nhop.address), ..Self::unreadable(why.clone()) };
        if why.kind.is_damage() {
            let why = format!("the route points at {}, where no next hop is", nhop.address);
            hop.call_outs.push(CallOut::new("wild-next-hop", nhop.address, why));
        }
        hop
    }

    fn freed(nhop: &Object<'_>) -> Self {
        let why = nhop.check_freed().err().map(ValueError::from);
        let mut hop = why.map_or_else(Self::none, Self::unreadable);
        let why = "the route points at a next hop whose memory is freed";
        hop.call_outs.push(CallOut::new("freed-next-hop", nhop.address, why));
        Self { address: Some(nhop.address), ..hop }
    }

    fn add_interface<'t>(
        &mut self,
        reader: &Reader<'t, '_>,
        interface: Result<Option<Object<'t>>, ReadError>,
        holder: &str,
    ) {
        self.interface = match interface {
            Ok(Some(interface)) => {
                self.call_outs.extend(reader.check_interface(&interface, holder));
                Ok(Some(InterfaceRef::of(&interface)))
            }
            Ok(None) => Ok(None),
            Err(why) => Err(why.into()),
        };
    }

    /// An interface's address that is freed is a call-out.
    fn check_address(&mut self, address: Result<Option<Object<'_>>, ReadError>, holder: &str) {
        if let Ok(Some(address)) = address
            && address.check_freed().is_err()
        {
            let why = format!("the {holder} points at an interface's address that is freed");
            self.call_outs.push(CallOut::new("freed-address", address.address, why));
        }
    }

    fn check_private(&mut self, reader: &Reader<'_, '_>, nhop: &Object<'_>, private: &Object<'_>) {
        if let Ok(back) = private.pointer("nh")
            && back != nhop.address
        {
            let why = format!("the private part of the next hop points back at {back}");
            self.call_outs.push(CallOut::new("wrong-back-pointer", private.address, why));
        }
        if let (Ok(vnet), Some(own)) = (private.pointer("nh_vnet"), reader.vnet())
            && vnet != own.address
        {
            let why = format!("the next hop belongs to the vnet at {vnet}");
            self.call_outs.push(CallOut::new("foreign-next-hop", private.address, why));
        }
    }
}

/// The socket address of a gateway as netstat(1) writes it.
fn gateway(
    reader: &Reader<'_, '_>,
    at: Result<VirtAddr, ReadError>,
) -> Result<Option<Box<str>>, ValueError> {
    let Some(at) = at?.non_null() else { return Ok(None) };
    let target = reader.target();
    let found = Sockaddr::read(target.memory(), target.arch().endian(), at)?;
    let text = found.map(|address| match address {
        Sockaddr::Inet { ip, .. } => ip.text(|zone| reader.interface_name(zone)),
        Sockaddr::Link(link) if link.hardware.is_empty() => format!("link#{}", link.index),
        Sockaddr::Link(link) => crate::value::inet::hardware_text(&link.hardware),
    });
    Ok(text.map(Box::from))
}
