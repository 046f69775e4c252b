//! Typed reads of kernel memory.

pub mod model;
