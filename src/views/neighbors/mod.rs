//! The neighbours of a network stack: what arp(8) and ndp(8) list.

mod entry;
mod state;
mod tables;

pub use entry::Neighbor;
pub use state::{NeighborFlags, State};
pub use tables::{NeighborTable, Neighbors};
