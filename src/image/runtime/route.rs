//! Routing tables: a radix tree for each FIB and family of a stack.
//!
//! Up to 12 a `struct rtentry` has its gateway and interface; since 13 routes share next hops.

mod add;
mod faults;
mod hops;
mod known;
mod options;
mod radix;
mod sockaddr;
mod tables;

pub use self::faults::RouteFault;
pub(super) use self::known::Routes;
pub use self::options::{Gateway, HopOptions, RouteOptions};
pub use self::sockaddr::Network;
