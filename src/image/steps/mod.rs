//! Steps of a scenario, a file for each subsystem. docs/scenarios.md explains every key.

pub(super) mod jails;
pub(super) mod network;
pub(super) mod overwrite;
pub(super) mod packets;
pub(super) mod routes;
pub(super) mod sockets;
pub(super) mod stacks;
