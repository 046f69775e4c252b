//! All ties of one interface.

use super::{
    Network, Other, Tunnel, VirtualHost, Vlan, bridge, carp, epair, lagg, owner, tunnel, vlan,
};
use crate::addr::VirtAddr;
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::interfaces::Field;

/// What an interface is tied to. A tie that interfaces of its kind do not have is `None`.
#[derive(Debug, Clone, Default)]
pub struct Ties {
    /// The other end of an epair; `None` within if there is none any more.
    pub peer: Option<Field<Option<Other>>>,
    /// The members of a bridge.
    pub members: Option<Field<Vec<Other>>>,
    /// The ports that a bridge sends a copy of all frames to.
    pub spans: Option<Field<Vec<Other>>>,
    /// The bridge that it is a member of.
    pub bridge: Option<Field<Other>>,
    /// The tag and parent of a VLAN; `None` within if it is not configured.
    pub vlan: Option<Field<Option<Vlan>>>,
    /// The ports of a lagg.
    pub ports: Option<Field<Vec<Other>>>,
    /// The lagg that it is a port of.
    pub lagg: Option<Field<Other>>,
    /// The outer addresses of a tunnel; `None` within if it is not configured.
    pub tunnel: Option<Field<Option<Tunnel>>>,
    /// The process that has a tun or tap open; `None` within if none has.
    pub owner: Option<Field<Option<i64>>>,
    /// The virtual hosts whose addresses it has.
    pub carp: Option<Field<Vec<VirtualHost>>>,
    /// What contradicts the ties.
    pub call_outs: Vec<CallOut>,
}

impl Ties {
    /// The other ends of all ties that are known.
    pub fn others(&self) -> impl Iterator<Item = &Other> {
        let lists = [&self.members, &self.spans, &self.ports].into_iter();
        let lists = lists.flatten().flatten().flatten();
        let single = [&self.bridge, &self.lagg].into_iter().flatten().flatten();
        let peer = self.peer.iter().flatten().flatten();
        let parent = self.vlan.iter().flatten().flatten().map(|vlan| &vlan.parent);
        lists.chain(single).chain(peer).chain(parent)
    }

    /// The ties of `interface`, whose driver has that name, in `network`. One whose memory is freed
    /// has none that are known.
    #[must_use]
    pub fn read<'t>(interface: &Object<'t>, driver: Option<&str>, network: &Network<'t>) -> Self {
        let mut ties = Self::default();
        if interface.check_freed().is_err() {
            return ties;
        }
        let call_outs = &mut ties.call_outs;
        match driver {
            Some("epair") => ties.peer = Some(epair::peer(interface, network, call_outs)),
            Some("bridge") => {
                ties.members = Some(bridge::members(interface, network, call_outs));
                let spans = bridge::spans(interface, network);
                ties.spans =
                    Some(spans).filter(|spans| spans.as_ref().is_ok_and(|it| !it.is_empty()));
            }
            Some("vlan") => ties.vlan = Some(vlan::vlan(interface, network, call_outs)),
            Some("lagg") => ties.ports = Some(lagg::ports(interface, network, call_outs)),
            Some("gif") => ties.tunnel = Some(tunnel::gif(interface)),
            Some("gre") => ties.tunnel = Some(tunnel::gre(interface)),
            Some("vxlan") => ties.tunnel = Some(tunnel::vxlan(interface)),
            Some(driver @ ("tun" | "tap" | "vmnet")) => {
                ties.owner = Some(owner::pid(interface, driver));
            }
            _ => {}
        }
        ties.bridge = bridge::of_member(interface, network);
        ties.lagg = lagg::of_port(interface, network);
        ties.carp = carp::hosts(interface);
        call_outs.extend(vlan::trunk(interface));
        let at = interface.address;
        let found = [
            damaged("damaged-members", at, "its members", &ties.members),
            damaged("damaged-vlan", at, "its parent", &ties.vlan),
            damaged("damaged-ports", at, "its ports", &ties.ports),
            damaged("lost-bridge", at, "its bridge", &ties.bridge),
            damaged("lost-lagg", at, "its lagg", &ties.lagg),
        ];
        ties.call_outs.extend(found.into_iter().flatten());
        ties
    }
}

/// A tie that cannot be read because the kernel's own state is wrong.
fn damaged<T>(
    what: &'static str,
    at: VirtAddr,
    tie: &str,
    found: &Option<Field<T>>,
) -> Option<CallOut> {
    let why = found.as_ref()?.as_ref().err().filter(|why| why.kind.is_damage())?;
    Some(CallOut::new(what, at, format!("{tie} cannot be read: {why}")))
}
