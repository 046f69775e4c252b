//! DWARF to C types.

pub mod model;
