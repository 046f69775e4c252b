//! Steps for routes and neighbours.

use std::net::IpAddr;

use serde::Deserialize;

use crate::image::ImageError;
use crate::image::literal::parse_mac;
use crate::image::object::Object;
use crate::image::runtime::{
    Gateway, HopOptions, NeighborFault, NeighborOptions, Network, RouteFault, RouteOptions,
    Runtime, Scope,
};

/// A route that is added.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct RouteStep {
    pub(in crate::image) jail: Option<String>,
    #[serde(default)]
    pub(in crate::image) fib: u64,
    /// `default`, `default6`, `10.0.0.0/24`, `10.0.0.1`, `10.0.1.0&255.0.255.0`.
    pub(in crate::image) to: String,
    pub(in crate::image) gateway: Option<String>,
    /// The interface; needed unless there are `hops`.
    pub(in crate::image) interface: Option<String>,
    /// Several next hops.
    #[serde(default)]
    pub(in crate::image) hops: Vec<HopTable>,
    /// Names of flags: `static`, `blackhole`, `reject`, `dynamic`, `proto1`, `pinned`.
    pub(in crate::image) flags: Option<Vec<String>>,
    #[serde(default)]
    pub(in crate::image) expire: u64,
    pub(in crate::image) mtu: Option<u64>,
}

/// One of several next hops.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct HopTable {
    gateway: String,
    interface: String,
    weight: Option<u64>,
}

/// The addresses of an interface come up.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct BringUpStep {
    pub(in crate::image) jail: Option<String>,
    pub(in crate::image) interface: String,
    /// Its own link-level address, which its neighbour tables then have.
    pub(in crate::image) link: Option<String>,
}

/// A neighbour that is added.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct NeighborStep {
    pub(in crate::image) jail: Option<String>,
    pub(in crate::image) interface: String,
    pub(in crate::image) address: String,
    pub(in crate::image) link: Option<String>,
    /// The number in ln_state.
    pub(in crate::image) state: Option<i64>,
    /// Names of flags: `static`, `published`, `redirect`, `deleted`.
    #[serde(default)]
    pub(in crate::image) flags: Vec<String>,
    #[serde(default)]
    pub(in crate::image) expire: i64,
    #[serde(default)]
    pub(in crate::image) held: u64,
    #[serde(default)]
    pub(in crate::image) asked: u64,
    #[serde(default)]
    pub(in crate::image) router: bool,
    #[serde(default)]
    pub(in crate::image) child: bool,
}

/// A route or a routing table is broken.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct BreakRouteStep {
    pub(in crate::image) jail: Option<String>,
    #[serde(default)]
    pub(in crate::image) fib: u64,
    pub(in crate::image) to: String,
    fault: RouteFaultName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RouteFaultName {
    FreeInterface,
    FreeNextHop,
    BackPointer,
    Cycle,
    Count,
    Vnet,
}

/// A neighbour or a table of neighbours is broken.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct BreakNeighborStep {
    pub(in crate::image) jail: Option<String>,
    pub(in crate::image) interface: String,
    pub(in crate::image) address: String,
    fault: NeighborFaultName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NeighborFaultName {
    FreeInterface,
    Count,
    FreeEntry,
    BackPointer,
}

const ROUTE_FLAGS: [(&str, u64); 10] = [
    ("reject", 0x8),
    ("dynamic", 0x10),
    ("modified", 0x20),
    ("static", 0x800),
    ("blackhole", 0x1000),
    ("proto2", 0x4000),
    ("proto1", 0x8000),
    ("proto3", 0x4_0000),
    ("pinned", 0x10_0000),
    ("local", 0x20_0000),
];

const NEIGHBOR_FLAGS: [(&str, u64); 5] =
    [("deleted", 0x1), ("static", 0x2), ("own", 0x4), ("redirect", 0x10), ("published", 0x20)];

pub(in crate::image) fn add_route(
    runtime: &mut Runtime,
    scope: Scope,
    step: &RouteStep,
) -> Result<(), ImageError> {
    let interface = |name: &str| runtime.interface_of(scope, name);
    let mut hops = Vec::new();
    for hop in &step.hops {
        let gateway = Gateway::Address(address(&hop.gateway)?);
        let hop_options = HopOptions::new(gateway, interface(&hop.interface)?);
        hops.push(HopOptions { weight: hop.weight.unwrap_or(1), mtu: step.mtu, ..hop_options });
    }
    if let Some(name) = &step.interface {
        let on: Object = interface(name)?;
        let gateway = match &step.gateway {
            Some(gateway) => Gateway::Address(address(gateway)?),
            None => Gateway::Link(on),
        };
        hops.push(HopOptions { mtu: step.mtu, ..HopOptions::new(gateway, on) });
    }
    let usual = vec!["static".to_owned()];
    let options = RouteOptions {
        scope,
        fib: step.fib,
        to: network(&step.to)?,
        hops,
        flags: flags(step.flags.as_ref().unwrap_or(&usual), &ROUTE_FLAGS)?,
        expire: step.expire,
    };
    runtime.add_route(&options).map(|_| ())
}

pub(in crate::image) fn bring_up(
    runtime: &mut Runtime,
    scope: Scope,
    step: &BringUpStep,
) -> Result<(), ImageError> {
    runtime.add_interface_routes(scope, &step.interface)?;
    match &step.link {
        Some(own) => runtime.add_own_neighbors(scope, &step.interface, link(own)?),
        None => Ok(()),
    }
}

pub(in crate::image) fn add_neighbor(
    runtime: &mut Runtime,
    scope: Scope,
    step: &NeighborStep,
) -> Result<(), ImageError> {
    let options = NeighborOptions {
        scope,
        interface: step.interface.clone(),
        address: address(&step.address)?,
        link: step.link.as_deref().map(link).transpose()?,
        state: step.state.unwrap_or_else(|| step.link.is_some().into()),
        flags: flags(&step.flags, &NEIGHBOR_FLAGS)?,
        expire: step.expire,
        held: step.held,
        asked: step.asked,
        router: step.router,
        child: step.child,
    };
    runtime.add_neighbor(&options).map(|_| ())
}

pub(in crate::image) fn break_route(
    runtime: &mut Runtime,
    scope: Scope,
    step: &BreakRouteStep,
) -> Result<(), ImageError> {
    let fault = match step.fault {
        RouteFaultName::FreeInterface => RouteFault::FreeInterface,
        RouteFaultName::FreeNextHop => RouteFault::FreeNextHop,
        RouteFaultName::BackPointer => RouteFault::BackPointer,
        RouteFaultName::Cycle => RouteFault::Cycle,
        RouteFaultName::Count => RouteFault::Count,
        RouteFaultName::Vnet => RouteFault::Vnet,
    };
    runtime.break_route(scope, step.fib, &network(&step.to)?, fault)
}

pub(in crate::image) fn break_neighbor(
    runtime: &mut Runtime,
    scope: Scope,
    step: &BreakNeighborStep,
) -> Result<(), ImageError> {
    let fault = match step.fault {
        NeighborFaultName::FreeInterface => NeighborFault::FreeInterface,
        NeighborFaultName::Count => NeighborFault::Count,
        NeighborFaultName::FreeEntry => NeighborFault::FreeEntry,
        NeighborFaultName::BackPointer => NeighborFault::BackPointer,
    };
    runtime.break_neighbor(scope, &step.interface, address(&step.address)?, fault)
}

fn network(text: &str) -> Result<Network, ImageError> {
    let why = "it is not like default, 10.0.0.0/24, 10.0.0.1 or 10.0.1.0&255.0.255.0";
    Network::parse(text).ok_or_else(|| malformed(text, why))
}

fn address(text: &str) -> Result<IpAddr, ImageError> {
    text.parse().map_err(|_| malformed(text, "it is no IP address"))
}

fn link(text: &str) -> Result<[u8; 6], ImageError> {
    parse_mac(text).ok_or_else(|| malformed(text, "it is no link-level address"))
}

fn flags(names: &[String], known: &[(&str, u64)]) -> Result<u64, ImageError> {
    names.iter().try_fold(0, |all, name| {
        let flag = known.iter().find(|(known, _)| known == name);
        let why = || malformed(name, "there is no such flag");
        Ok(all | flag.ok_or_else(why)?.1)
    })
}

fn malformed(text: &str, why: &str) -> ImageError {
    ImageError::Value { target: format!("\"{text}\""), why: why.to_owned() }
}
