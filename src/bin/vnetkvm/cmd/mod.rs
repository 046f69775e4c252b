//! The commands that do more than ask one question of a session, a file each.

pub mod completions;
pub mod gdb;
pub mod image;
pub mod info;
pub mod man;
pub mod read;
pub mod type_;
