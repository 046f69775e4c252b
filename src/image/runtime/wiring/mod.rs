//! What drivers keep to tie interfaces to each other.

mod bridge;
mod carp;
mod epair;
mod faults;
mod lagg;
mod outside;
mod vlan;

pub use carp::VirtualHost;
pub use faults::InterfaceFault;
pub use outside::TunnelOptions;
