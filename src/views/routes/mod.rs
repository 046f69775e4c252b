//! The routes of a network stack: for each FIB and family, the leaves of a radix tree.

mod destination;
mod flags;
mod group;
mod hop;
mod reader;
mod table;
mod tables;

pub use destination::Destination;
pub use flags::RouteFlags;
pub use hop::Hop;
pub use table::{Route, Table, Tables};
