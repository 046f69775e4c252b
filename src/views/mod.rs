//! One file per question that is asked of a target.

pub mod jails;
pub mod machine;
pub mod messages;
pub mod threads;
