//! One file per question that is asked of a target.

pub mod interfaces;
pub mod jails;
pub mod machine;
pub mod messages;
pub mod sockets;
pub mod threads;
pub mod unlisted;
