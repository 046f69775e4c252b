//! One file per question that is asked of a target.

pub mod backtrace;
pub mod call_out;
pub mod checks;
pub mod construction;
pub mod counters;
pub mod crashed_thread;
pub mod diff;
pub mod eventhandlers;
pub mod family;
pub mod hidden;
pub mod interface_index;
pub mod interface_pointer;
pub mod interfaces;
pub mod jails;
pub mod known_vnets;
pub mod locks;
pub mod machine;
pub(crate) mod messages;
pub mod neighbors;
pub mod recursions;
pub mod routes;
pub mod sockets;
pub mod sysctls;
pub mod threads;
pub(crate) mod unlisted;
pub mod wiring;
