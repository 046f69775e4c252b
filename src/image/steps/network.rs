//! Steps about interfaces and what ties them together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use crate::image::ImageError;
use crate::image::literal::{Literal, PerCpu};
use crate::image::object::Object;
use crate::image::runtime::{
    InterfaceFault, InterfaceOptions, LinkOptions, Runtime, TunnelOptions, VirtualHost,
};

/// An interface, at home in `home`'s stack and moved to `jail`'s.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::image) struct InterfaceStep {
    pub(in crate::image) name: String,
    home: Option<String>,
    jail: Option<String>,
    flags: Option<u64>,
    mtu: Option<u64>,
    addresses: Vec<String>,
    ipackets: Option<PerCpu>,
    opackets: Option<PerCpu>,
    /// `epair`, `bridge`, …; with it, it has all that its driver gives it.
    driver: Option<String>,
    /// `02:00:5e:10:00:0b`
    ether: Option<String>,
    /// 0 unknown, 1 down, 2 up.
    link_state: Option<u64>,
    description: Option<String>,
    groups: Vec<String>,
    counters: BTreeMap<String, PerCpu>,
    /// Of a bridge.
    members: Vec<String>,
    /// Of a lagg.
    ports: Vec<String>,
    /// Of a VLAN.
    parent: Option<String>,
    tag: Option<u64>,
    /// Of a tunnel.
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    vni: Option<u64>,
    /// That has a tun or tap open.
    process: Option<String>,
    /// The virtual host that its last address belongs to.
    carp: Option<CarpTable>,
    /// More members of its struct ifnet.
    values: BTreeMap<String, Literal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CarpTable {
    vhid: u64,
    state: u64,
    advskew: u64,
}

/// Both ends of an epair. Their names are that of the pair with an a or b.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct EpairStep {
    pub(in crate::image) name: String,
    #[serde(default)]
    a: InterfaceStep,
    #[serde(default)]
    b: InterfaceStep,
}

/// Something that a bug of the kernel does to an interface.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct BreakStep {
    pub(in crate::image) interface: String,
    fault: InterfaceFault,
    /// The stack that it is wrongly in.
    jail: Option<String>,
}

/// Creates it, and what its driver keeps for it.
pub(in crate::image) fn attach(
    runtime: &mut Runtime,
    step: &InterfaceStep,
) -> Result<(), ImageError> {
    let options = step.options(&step.name, step.driver.as_deref())?;
    let ifnet = match (step.driver.as_deref(), step.source, step.destination) {
        (Some("bridge"), ..) => runtime.create_bridge(&options, &step.members)?,
        (Some("lagg"), ..) => runtime.create_lagg(&options, &step.ports)?,
        (Some("vlan"), ..) => match &step.parent {
            Some(parent) => runtime.create_vlan(&options, parent, step.tag.unwrap_or(1))?,
            None => return Err(ImageError::Scenario("a VLAN needs a parent".into())),
        },
        (Some(driver @ ("gif" | "gre" | "vxlan")), Some(source), Some(destination)) => {
            let outer = TunnelOptions { source, destination, vni: step.vni };
            runtime.create_tunnel(&options, driver, outer)?
        }
        (Some(driver @ ("tun" | "tap")), ..) => {
            runtime.create_tun(&options, driver, step.process.as_deref())?
        }
        _ => runtime.create_interface(&options)?,
    };
    step.finish(runtime, ifnet)
}

/// Creates both ends.
pub(in crate::image) fn epair(runtime: &mut Runtime, step: &EpairStep) -> Result<(), ImageError> {
    let name = |end| format!("{}{end}", step.name);
    let a = step.a.options(&name('a'), Some("epair"))?;
    let b = step.b.options(&name('b'), Some("epair"))?;
    let [first, second] = runtime.create_epair(&a, &b)?;
    step.a.finish(runtime, first)?;
    step.b.finish(runtime, second)
}

/// Does that to the interface.
pub(in crate::image) fn break_interface(
    runtime: &mut Runtime,
    step: &BreakStep,
) -> Result<(), ImageError> {
    let ifnet = runtime.interface(&step.interface)?;
    let scope = match &step.jail {
        Some(jail) => runtime.jail_scope(jail)?,
        None => runtime.host(),
    };
    runtime.break_interface(ifnet, step.fault, scope)
}

impl InterfaceStep {
    fn options(&self, name: &str, driver: Option<&str>) -> Result<InterfaceOptions, ImageError> {
        if name.is_empty() {
            return Err(ImageError::Scenario("an interface has a name".into()));
        }
        let usual = InterfaceOptions::new(name);
        let values = |counter: &Option<PerCpu>| counter.as_ref().map(PerCpu::values);
        let counters = self.counters.iter().map(|(name, count)| (name.clone(), count.values()));
        let ether = self.ether.as_deref().map(ether).transpose()?;
        let link = driver.map(|driver| LinkOptions {
            driver: driver.to_owned(),
            ether,
            state: self.link_state.unwrap_or(2),
            description: self.description.clone(),
            groups: self.groups.clone(),
            counters: counters.collect(),
        });
        Ok(InterfaceOptions {
            home: self.home.clone(),
            jail: self.jail.clone(),
            flags: self.flags.unwrap_or(usual.flags),
            mtu: self.mtu.unwrap_or(usual.mtu),
            addresses: self.addresses.clone(),
            ipackets: values(&self.ipackets).unwrap_or_default(),
            opackets: values(&self.opackets).unwrap_or_default(),
            link,
            name: usual.name,
        })
    }

    /// What is set when it exists.
    fn finish(&self, runtime: &mut Runtime, ifnet: Object) -> Result<(), ImageError> {
        if let Some(CarpTable { vhid, state, advskew }) = self.carp {
            runtime.create_carp(ifnet, VirtualHost { vhid, state, advskew })?;
        }
        self.values.iter().try_for_each(|(path, value)| runtime.set_interface(ifnet, path, value))
    }
}

fn ether(text: &str) -> Result<[u8; 6], ImageError> {
    let bytes: Option<Vec<u8>> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| ImageError::Value {
        target: "an Ethernet address".into(),
        why: format!("\"{text}\" is not like 02:00:5e:10:00:0b"),
    })
}
