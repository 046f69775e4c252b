//! Interfaces as JSON.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::entry::{Entry, OtherEnd};
use crate::value::serialize::or_error;
use crate::views::interfaces::{COUNTERS, Field, flag_names};
use crate::views::wiring::{Other, Tunnel, VirtualHost};

/// What was read, or the error in its place.
struct OrError<'a, T>(&'a Field<T>);

impl<T: Serialize> Serialize for OrError<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        or_error(self.0, serializer)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let it = &self.interface;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &OrError(&it.name))?;
        map.serialize_entry("index", &OrError(&it.index))?;
        map.serialize_entry("address", &it.address)?;
        let hex = it.flags.clone().map(|flags| format!("{flags:#x}"));
        map.serialize_entry("flags", &OrError(&hex))?;
        let names = it.flags.clone().map(flag_names);
        map.serialize_entry("flag_names", &OrError(&names))?;
        map.serialize_entry("mtu", &OrError(&it.mtu))?;
        map.serialize_entry("driver", &OrError(&it.driver))?;
        map.serialize_entry("unit", &OrError(&it.unit))?;
        map.serialize_entry("type", &OrError(&it.kind))?;
        map.serialize_entry("type_name", &it.type_name())?;
        let link = it.link_state.clone().map(|_| it.link());
        map.serialize_entry("link_state", &OrError(&link))?;
        map.serialize_entry("ether", &it.hardware)?;
        let addresses: Vec<&str> = self.addresses.iter().map(|found| &*found.text).collect();
        map.serialize_entry("addresses", &addresses)?;
        map.serialize_entry("address_details", &self.addresses)?;
        map.serialize_entry("description", &OrError(&it.description))?;
        map.serialize_entry("groups", &OrError(&it.groups))?;
        map.serialize_entry("fib", &OrError(&it.fib))?;
        for name in COUNTERS {
            map.serialize_entry(name, &it.traffic.get(name).map(OrError))?;
        }
        map.serialize_entry("counted_by", &it.traffic.counted_by)?;
        map.serialize_entry("if_vnet", &OrError(&self.vnet))?;
        map.serialize_entry("home_vnet", &OrError(&self.home))?;
        self.serialize_ties(&mut map)?;
        map.serialize_entry("problems", &self.call_outs)?;
        map.end()
    }
}

impl Entry {
    /// Only those that an interface of its kind can have.
    fn serialize_ties<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let ties = &self.ties;
        let end = |other: &Other| self.other(other);
        let ends = |others: &Vec<Other>| others.iter().map(end).collect::<Vec<OtherEnd>>();
        if let Some(peer) = &ties.peer {
            let peer = peer.as_ref().map(|peer| peer.as_ref().map(end)).map_err(Clone::clone);
            map.serialize_entry("peer", &OrError(&peer))?;
        }
        let lists = [("members", &ties.members), ("spans", &ties.spans), ("ports", &ties.ports)];
        for (name, others) in lists {
            if let Some(others) = others {
                let others = others.as_ref().map(ends).map_err(Clone::clone);
                map.serialize_entry(name, &OrError(&others))?;
            }
        }
        for (name, other) in [("bridge", &ties.bridge), ("lagg", &ties.lagg)] {
            if let Some(other) = other {
                let other = other.as_ref().map(end).map_err(Clone::clone);
                map.serialize_entry(name, &OrError(&other))?;
            }
        }
        if let Some(vlan) = &ties.vlan {
            let vlan = vlan.as_ref().map(|vlan| {
                vlan.as_ref().map(|vlan| Vlan { tag: vlan.tag, parent: end(&vlan.parent) })
            });
            map.serialize_entry("vlan", &OrError(&vlan.map_err(Clone::clone)))?;
        }
        if let Some(tunnel) = &ties.tunnel {
            map.serialize_entry("tunnel", &OrError(tunnel))?;
        }
        if let Some(owner) = &ties.owner {
            map.serialize_entry("owner_pid", &OrError(owner))?;
        }
        if let Some(hosts) = &ties.carp {
            map.serialize_entry("carp", &OrError(hosts))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Vlan {
    tag: u64,
    parent: OtherEnd,
}

impl Serialize for Tunnel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("source", &self.source)?;
        map.serialize_entry("destination", &self.destination)?;
        if let Some(vni) = self.vni {
            map.serialize_entry("vni", &vni)?;
        }
        map.end()
    }
}

impl Serialize for VirtualHost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("vhid", &self.vhid)?;
        map.serialize_entry("state", &self.state)?;
        map.serialize_entry("advbase", &self.advbase)?;
        map.serialize_entry("advskew", &self.advskew)?;
        map.end()
    }
}
