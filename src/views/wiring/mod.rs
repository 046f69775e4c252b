//! How interfaces are tied to each other and to what is around them.
//!
//! What: the two ends of an epair, the members of a bridge, the parent of a VLAN, the ports of a
//! lagg, the addresses of a tunnel, the process behind a tun or tap, the virtual hosts of carp.
//!
//! How: the driver's name says which struct if_softc points to. Its types are the kernel's if the
//! driver is compiled in, else those of its module. A tie that its other end does not confirm is
//! called out.
//!
//! What it refuses to do: without types of the driver it says so, and never "none".

mod bridge;
mod carp;
mod epair;
mod lagg;
mod network;
mod owner;
mod softc;
mod ties;
mod transit;
mod tunnel;
mod vlan;

pub use carp::VirtualHost;
pub use network::{Network, Other, StackList};
pub use ties::Ties;
pub use tunnel::Tunnel;
pub use vlan::Vlan;
