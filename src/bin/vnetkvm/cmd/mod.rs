//! One file for each command.

pub mod completions;
pub mod counters;
pub mod eventhandlers;
pub mod gdb;
pub mod image;
pub mod info;
pub mod locks;
pub mod man;
pub mod modspace;
pub mod modules;
pub mod print;
pub mod read;
pub mod recursions;
pub mod sysctl;
pub mod sysinit;
pub mod type_;
pub mod vars;
pub mod vnets;
