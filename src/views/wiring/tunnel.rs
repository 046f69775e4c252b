//! The outer addresses of tunnels (`sys/net/if_gif.c`, `if_gre.c`, `if_vxlan.c`).

use std::net::IpAddr;

use super::softc::{Kind, error};
use crate::addr::VirtAddr;
use crate::value::Object;
use crate::value::inet::{AF_INET, AF_INET6, Sockaddr, ZonedIp};
use crate::value::model::ErrorKind;
use crate::views::interfaces::Field;

const GIF: Kind = Kind { type_name: "struct gif_softc", module: "if_gif.ko" };
const GRE: Kind = Kind { type_name: "struct gre_softc", module: "if_gre.ko" };
const VXLAN: Kind = Kind { type_name: "struct vxlan_softc", module: "if_vxlan.ko" };

/// Where a tunnel leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// The outer address of this end.
    pub source: Option<IpAddr>,
    /// The outer address of the other end.
    pub destination: Option<IpAddr>,
    /// The number of the network (vxlan).
    pub vni: Option<u64>,
}

/// The outer addresses of a gif; `None` if it is not configured.
pub(super) fn gif(interface: &Object<'_>) -> Field<Option<Tunnel>> {
    let softc = GIF.of(interface)?;
    if softc.has("gif_uhdr.hdr") {
        return outer(&softc, "gif_family", "gif_uhdr.hdr");
    }
    // Up to 10, two sockaddrs.
    let (source, destination) = (pointed(&softc, "gif_psrc")?, pointed(&softc, "gif_pdst")?);
    let configured = source.is_some() || destination.is_some();
    Ok(configured.then_some(Tunnel { source, destination, vni: None }))
}

/// The outer addresses of a gre; `None` if it is not configured.
pub(super) fn gre(interface: &Object<'_>) -> Field<Option<Tunnel>> {
    outer(&GRE.of(interface)?, "gre_family", "gre_uhdr.hdr")
}

/// The outer addresses and the number of a vxlan.
pub(super) fn vxlan(interface: &Object<'_>) -> Field<Option<Tunnel>> {
    let softc = VXLAN.of(interface)?;
    let address = |member: &str| ip(&softc, softc.member(member)?.address);
    let (source, destination) = (address("vxl_src_addr")?, address("vxl_dst_addr")?);
    let vni = Some(softc.uint("vxl_vni")?);
    Ok(Some(Tunnel { source, destination, vni }))
}

/// The driver keeps the header that it puts in front of each packet.
fn outer(softc: &Object<'_>, family: &str, header: &str) -> Field<Option<Tunnel>> {
    let memory = softc.target().memory();
    let family = softc.uint(family)?;
    let Some(at) = softc.pointer(header)?.non_null() else { return Ok(None) };
    let (source, destination) = match u8::try_from(family) {
        Ok(0) => return Ok(None),
        // Where the addresses are in the headers of the two protocols.
        Ok(AF_INET) => {
            let mut both = [0; 8];
            memory.read(at.wrapping_add(12), &mut both)?;
            let [a, b, c, d, e, f, g, h] = both;
            (ZonedIp::v4([a, b, c, d]).ip, ZonedIp::v4([e, f, g, h]).ip)
        }
        Ok(AF_INET6) => {
            let (mut source, mut destination) = ([0; 16], [0; 16]);
            memory.read(at.wrapping_add(8), &mut source)?;
            memory.read(at.wrapping_add(24), &mut destination)?;
            (ZonedIp::v6(source, 0).ip, ZonedIp::v6(destination, 0).ip)
        }
        _ => {
            let why = format!("its family {family} is neither IPv4 nor IPv6");
            return Err(error(ErrorKind::BadAddress, Some(softc.address), why));
        }
    };
    Ok(Some(Tunnel { source: Some(source), destination: Some(destination), vni: None }))
}

fn pointed(softc: &Object<'_>, member: &str) -> Field<Option<IpAddr>> {
    match softc.pointer(member)?.non_null() {
        Some(at) => ip(softc, at),
        None => Ok(None),
    }
}

fn ip(softc: &Object<'_>, at: VirtAddr) -> Field<Option<IpAddr>> {
    let target = softc.target();
    let found = Sockaddr::read(target.memory(), target.arch().endian(), at)?;
    Ok(match found {
        Some(Sockaddr::Inet { ip, .. }) => Some(ip.ip).filter(|ip| !ip.is_unspecified()),
        _ => None,
    })
}
